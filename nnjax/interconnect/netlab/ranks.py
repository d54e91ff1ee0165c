"""Trains in a lab: one process a rank, each as on a machine of its own, and the steps that it does as they are done.

    with training(network, overrides, folder) as team:
        team.wait_for(step=40, seconds=60)
        before = team.next_mark(seconds=60)             # Mark(step=60, time=…, counters=…)
        after = team.next_mark(seconds=60)

The processes are started as a person starts them on several machines: with the number of a rank, the number of all and the
address of rank 0 in the environment (`nnjax.config.processes`). They end with this process, through a pipe.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from nnjax.config.errors import UserError
from nnjax.config.processes import COORDINATOR, CORES, COUNT, LIFELINE, RANK
from nnjax.interconnect.netlab.lab_network import Counters, Network

_PORT = 29_500
_TICK = 0.002
_PARTING = 20.0  # seconds in which a training ends after SIGTERM


@dataclass(frozen=True)
class Mark:
    """A moment of a training.

    Attributes:
        step: of the newest record.
        time: when it was written, on the clock of `time.monotonic`.
        counters: of each rank's interface, soon after it.
        counted: when each rank's were read, on the same clock; on a busy machine, up to a second later.
    """

    step: int
    time: float
    counters: tuple[Counters, ...]
    counted: tuple[float, ...]


class Team:
    """The processes of one training.

    Attributes:
        folder: the run's folder, which rank 0 writes.
        processes: by rank.
    """

    def __init__(self, network: Network, overrides: Sequence[str], folder: Path) -> None:
        self.folder, self._network = folder, network
        self._lifeline, self._held = os.pipe()
        self._outputs = [folder.with_name(f"{folder.name}-rank-{rank}.out") for rank in range(network.lab.ranks)]
        self._read, self._lines, self._step, self._time = 0, b"", 0, time.monotonic()
        cores = sorted(os.sched_getaffinity(0))
        self.processes: list[subprocess.Popen[bytes]] = []
        folder.parent.mkdir(parents=True, exist_ok=True)
        for rank in range(network.lab.ranks):
            environment = {
                **os.environ,
                "JAX_PLATFORMS": "cpu",
                RANK: str(rank),
                COUNT: str(network.lab.ranks),
                COORDINATOR: f"{network.lab.address(0)}:{_PORT}",
                LIFELINE: str(self._lifeline),
                CORES: str(cores[rank % len(cores)]),
            }
            words = [sys.executable, "-m", "experiments.train", *overrides]
            with self._outputs[rank].open("wb") as output:
                self.processes.append(network.start(rank, words, environment, output, (self._lifeline,)))
        os.close(self._lifeline)

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.processes)

    def wait_for(self, step: int, seconds: float) -> None:
        """Waits until a record of this step, or a later one, is there.

        Raises:
            UserError: if a process ends before, or the record does not come in time.
        """
        deadline = time.monotonic() + seconds
        while self.look() < step:
            ended = [rank for rank, process in enumerate(self.processes) if process.poll() is not None]
            if ended:
                raise UserError(f"netlab: rank {ended[0]} ended before step {step}: {self.said(ended[0])}")
            if time.monotonic() > deadline:
                raise UserError(f"netlab: no record of step {step} within {seconds:g} s: {self.folder}")
            time.sleep(_TICK)

    def look(self) -> int:
        """Reads new records; returns the newest step."""
        with suppress(FileNotFoundError), (self.folder / "metrics.jsonl").open("rb") as file:
            file.seek(self._read)
            if new := file.read():
                self._time = time.monotonic()
                self._read += len(new)
                *lines, self._lines = (self._lines + new).split(b"\n")
                for line in lines:
                    self._step = max(self._step, int(json.loads(line)["step"]))
        return self._step

    def next_mark(self, seconds: float) -> Mark:
        """Waits for the next record; returns its moment."""
        self.wait_for(self.look() + 1, seconds)
        step, moment = self._step, self._time
        read = [(self._network.counters(rank), time.monotonic()) for rank in range(self.count)]
        counters, counted = zip(*read, strict=True)
        return Mark(step, moment, counters, counted)

    def said(self, rank: int) -> str:
        """The last line that a process printed."""
        lines = self._outputs[rank].read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "(nothing)"

    def signal(self, rank: int, number: signal.Signals) -> None:
        """Sends a signal to one process."""
        with suppress(OSError):
            self.processes[rank].send_signal(number)

    def wait_all(self, seconds: float) -> list[int | None]:
        """Waits until all processes have ended; returns their exit codes, None for one that did not end in time."""
        deadline = time.monotonic() + seconds
        while None in (codes := [process.poll() for process in self.processes]) and time.monotonic() < deadline:
            time.sleep(_TICK)
        return codes

    def end(self) -> None:
        """Ends all processes: as at SIGTERM, and by force those that do not end."""
        if None in self.wait_all(0):
            for rank in range(self.count):
                self.signal(rank, signal.SIGTERM)
            self.wait_all(_PARTING)
        for process in self.processes:
            with suppress(OSError):
                process.kill()
            process.wait()
        with suppress(OSError):
            os.close(self._held)


@contextmanager
def training(network: Network, overrides: Sequence[str], folder: Path) -> Iterator[Team]:
    """Starts a training, one process a rank; ends it at the end.

    Args:
        network: the lab; its links may be shaped meanwhile.
        overrides: of `experiments.train`, with the run's folder.
        folder: the run's, which does not exist yet.
    """
    team = Team(network, overrides, folder)
    try:
        yield team
    finally:
        team.end()
