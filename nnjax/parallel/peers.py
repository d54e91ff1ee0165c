"""The processes of a job, as one of them sees them: exchanges with them, and the end of all when one is gone.

    peers().exchange({"seconds": 3.2})          # [{"seconds": 3.2}, {"seconds": 3.1}], in each process
    peers().finish(0)                           # waits for process 0, which ends last

With one process, `alone()` gives the same answers without any exchange. When a process is gone, or ends with an error, every
other one says so in one line and ends, whatever it does at the moment: a collective that waits for a dead peer cannot be
interrupted. Process 0 saves first what it can (`Peers.on_loss`).
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnjax.config import leaving
from nnjax.config.paths import why
from nnjax.config.processes import TOKEN, Processes
from nnjax.parallel.channel import Hub, Member
from nnjax.parallel.jax_runtime import PeerError, forget

_PARTING = 10  # seconds for the last goodbye
_SAME_FAULT = 0.5  # seconds in which process 0 may come to the same error, and say it without a prefix


@dataclass(frozen=True)
class Timeouts:
    """How long the processes wait for each other.

    Attributes:
        peer: seconds without a sign of life after which a process counts as gone.
        start: seconds in which all processes must have come.
    """

    peer: float = 60.0
    start: float = 300.0


class Peers:
    """The processes of this job.

    Attributes:
        processes: as they were started.
        timeouts: of the waiting.
        names: the machine of each, by rank.
        folder: the run's folder, as process 0 names it.
        saved: the step of the last checkpoint, as far as this process knows; None for none.
        needs_nobody: whether process 0 has a whole result, which the end of a peer cannot change any more.
        before_loss: called when a peer is gone, to save what can be saved.
        on_loss: called with the line about it, before this process ends; each returns what to add to the line, or "".
        log: called with the last line, for the run's log.
    """

    def __init__(self, processes: Processes, timeouts: Timeouts) -> None:
        self.processes, self.timeouts = processes, timeouts
        self.names: list[str] = []
        self.folder: Path | None = None
        self.needs_nobody = False
        self.before_loss: list[Callable[[], object]] = []
        self.on_loss: list[Callable[[str], str]] = []
        self.log: Callable[[str], object] = lambda line: None
        self._line: Hub | Member | None = None
        self._step: int | None = None
        self.saved: int | None = None
        self._ending = threading.Lock()
        self._finished = threading.Event()
        self._is_leaving = False
        self._code = 0

    @property
    def is_command(self) -> bool:
        """Whether this is one of several processes of a command, not of a program that imports the package."""
        return self.count > 1 and leaving.has_begun()

    @property
    def is_over(self) -> bool:
        """Whether one of the processes has failed; nothing can be exchanged any more."""
        return self._ending.locked()

    @property
    def rank(self) -> int:
        """Of this process."""
        return self.processes.rank

    @property
    def count(self) -> int:
        """How many there are."""
        return self.processes.count

    def exchange(self, own: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Every process's value, by rank: plain numbers and texts. All processes call it, equally often."""
        return [dict(own)] if self._line is None else self._line.exchange(own)

    def broadcast(self, payload: bytes = b"") -> bytes:
        """Process 0's bytes. All processes call it."""
        return payload if self._line is None else self._line.broadcast(payload)

    def note(self, *, step: int | None = None, saved: int | None = None) -> None:
        """Notes how far the training is, for the last line."""
        self._step = self._step if step is None else step
        self.saved = self.saved if saved is None else saved

    def connect(self, address: str) -> None:
        """Opens the line.

        Args:
            address: HOST:PORT where the hub waits, in process 0.

        Raises:
            PeerError: if a process does not come in time, or process 0 cannot be reached.
        """
        host, _, port = address.rpartition(":")
        seconds, silence = self.timeouts.start, self.timeouts.peer
        token = os.environ.get(TOKEN, "")
        if self.rank == 0:
            try:
                self._line = hub = Hub(self.count, silence, self._ended, int(port), host=host, token=token)
            except OSError as error:
                raise PeerError(f"{address}: process 0 cannot wait for the others there: {why(error)}") from error
            if absent := hub.accept(seconds):
                line = "; ".join(filter(None, (_missing(absent, self.count, seconds), hub.refusal)))
                self._ending.acquire(blocking=False)
                hub.tell({"kind": "end", "code": PeerError.exit_code, "message": line})
                raise PeerError(line)
        else:
            try:
                self._line = Member(host.strip("[]"), int(port), self.rank, self.count, silence, self._ended, seconds, token)
            except OSError as error:
                raise PeerError(
                    f"process {self.rank} of {self.count}: process 0 at {address} could not be reached within {seconds:g} s "
                    f"(parallel.start_timeout): {why(error)}"
                ) from error
        answers = self.exchange({"host": socket.gethostname(), "silence": silence})
        self.names = [answer["host"] for answer in answers]
        for connection in self._line.lines.values():  # the others may not have the config of process 0 yet
            connection.silence = answers[0]["silence"]

    def dismiss(self, code: int) -> None:
        """Ends the other processes, which wait for this one, without a word: process 0 has nothing to do."""
        if self._line is not None and self._ending.acquire(blocking=False):
            self._line.tell({"kind": "end", "code": code, "message": ""})
            for peer in self._line.lines.values():
                peer.closed.wait(_PARTING)
            forget()

    def fail(self, code: int, message: str) -> bool:
        """Ends the job, since this process ends with an error; returns whether another process, or thread, says so."""
        if self._line is None:
            return False
        if not self._ending.acquire(blocking=False):
            # The thread that heard of another's end says so, and ends this process: with the same fault it would be said twice.
            threading.Event().wait(6 * _PARTING)
            return True
        head = {"kind": "end", "code": code, "message": message}
        self._line.tell(head)
        forget()
        if self.rank == 0:
            return False
        self._finished.wait(min(self.timeouts.peer, 5.0))  # process 0 says it, and closes the line
        return True

    def finish(self, code: int) -> int:
        """Waits until every process has done everything; returns process 0's exit code. This process ends right after it.

        The others wait for process 0, since some engines end a job as soon as one process ends with another code than 0; and
        process 0 leaves last, since it serves JAX's runtime, which aborts a process that cannot reach it.
        """
        line = self._line
        if line is None:
            return code
        leaving.receive(lambda name: None)
        self._is_leaving = self.rank > 0
        if self.rank:
            self._finished.wait()
        for peer in line.lines.values():
            peer.is_over = True
        forget()
        if self.rank:
            line.lines[0].close()
            return self._code
        line.tell({"kind": "end", "code": code, "message": "", "is_done": True})
        for peer in line.lines.values():
            peer.closed.wait(_PARTING / len(line.lines))
        return code

    def end_with(self, code: int) -> None:
        """Notes the exit code of this process, which ends as the others do."""
        self._code = code

    def leave(self, code: int, message: str, name: str | None) -> None:
        """Tells the others that this process ends at once.

        Args:
            code: its exit code.
            message: its last line.
            name: of the signal that ends it, or None.
        """
        if self._line is not None and self._ending.acquire(blocking=False):
            signal = {} if name is None else {"signal": name}
            self._line.tell({"kind": "end", "code": code, "message": message, **signal})

    def explain(self, error: BaseException) -> None:
        """Waits whether a peer is gone, after an error of JAX in this process: it ends then. Returns if none is."""
        if self._line is not None and type(error).__name__ == "JaxRuntimeError":
            time.sleep(min(2.0, self.timeouts.peer) if "onnection" in str(error) else 0.2)
            if self.is_over:  # the thread that noticed it saves what it can, and ends the process
                threading.Event().wait()

    def _ended(self, rank: int, said: Mapping[str, Any]) -> None:
        """A peer has ended, or is gone; runs in a thread."""
        if self._is_leaving:  # process 0 has everything done, however it ends now
            self._code = int(said.get("code", 1))
            self._finished.set()
            return
        if "signal" in said:
            if self._ending.acquire(blocking=False):
                if self.rank == 0 and self._line is not None:
                    self._line.tell(said)
                leaving.leave(str(said["signal"]), quietly=self.rank > 0 and self._sits_beside(rank))
            return
        if "code" in said and rank == 0:  # it has said all that there is to say
            self._code = int(said["code"])
            message = str(said["message"])
            if (message or not said.get("is_done")) and self._ending.acquire(blocking=False):
                self.log(message)
                is_said = self._sits_beside(0) and not said.get("is_refusal")  # process 0 prints that only when it gives up
                self._exit(self._code, "" if is_said else message)
            self._finished.set()
            return
        if self.rank == 0 and self.needs_nobody:
            return
        if "code" in said:
            time.sleep(_SAME_FAULT)
        if not self._ending.acquire(blocking=False):
            return
        for save in self.before_loss:
            with suppress(Exception):
                save()
        code, line = 1, self._loss(rank, said)
        if "code" in said:
            code, line = int(said["code"]), f"process {rank} on {self.names[rank] if self.names else '?'}: {said['message']}"
        with suppress(Exception):
            for hook in self.on_loss:
                line += hook(line)
        self.log(line)
        if self.rank == 0 and self._line is not None:
            self._line.tell({"kind": "end", "code": code, "message": line})
        self._exit(code, line if self.rank == 0 else f"process {self.rank}: {line}")

    def _loss(self, rank: int, said: Mapping[str, Any]) -> str:
        """The line about a process that is gone."""
        how = f"gave no sign of life for {said['silent']:g} s" if "silent" in said else "is gone"
        name = f"process {rank} of {self.count}" + (f" on {self.names[rank]}" if self.names else "")
        if self._step is None:
            return f"{name} {how}, before the first step"
        saved = "there is no checkpoint" if self.saved is None else f"the last checkpoint is of step {self.saved}"
        return f"{name} {how}, at step {self._step}; {saved}"

    def _sits_beside(self, rank: int) -> bool:
        return self.names[rank] == self.names[self.rank] if self.names else self.processes.local_rank > 0

    def _exit(self, code: int, line: str) -> None:
        leaving.end(code, line)


def _missing(ranks: list[int], count: int, seconds: float) -> str:
    """The line about processes that did not come."""
    names = f"process {ranks[0]}" if len(ranks) == 1 else "processes " + ", ".join(map(str, ranks))
    return f"{names} of {count} did not come within {seconds:g} s (parallel.start_timeout)"


def alone() -> Peers:
    """The only process."""
    return Peers(Processes(), Timeouts())


_joined: list[Peers] = []


def peers() -> Peers:
    """The processes that this one has joined; itself alone before `join`."""
    return _joined[0] if _joined else alone()


def register(joined: Peers) -> None:
    """Makes the processes that this one has joined known to `peers`."""
    _joined.append(joined)
