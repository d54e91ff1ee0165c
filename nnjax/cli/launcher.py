"""`parallel.processes=4`: the command starts itself four times on this machine, and ends with one exit code.

    code = launch(config, automatic=False)          # in the process that the user started
    begin_rank()                                    # in each process that it started

The first process has the terminal and the run's folder. SIGTERM and Ctrl-C are passed on to all, which agree on the step after
which they stop. If one fails, the others end by themselves (see `nnjax.parallel.peers`), and are ended if they do not. If the
launcher is killed, a pipe closes, and they stop as at SIGTERM. `parallel.supervise=true` starts a failed job again.
"""

import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from nnjax.cli.hydra_runner import quoted
from nnjax.cli.plugins import plugin_arguments
from nnjax.cli.process import complain
from nnjax.cli.worker import part_of
from nnjax.config import leaving
from nnjax.config.errors import ConfigError, UserError
from nnjax.config.invocation import verb_words
from nnjax.config.paths import why
from nnjax.config.processes import COORDINATOR, CORES, COUNT, LIFELINE, LOCAL_RANK, RANK, TOKEN
from nnjax.config.schema import TrainConfig

_FOLDER = "NNJAX_FOLDER"
_TICK = 0.05
_GRACE = 20.0  # seconds, besides `peer_timeout`, in which process 0 ends after the first failure
_LAST = 10.0  # seconds in which the last ones end, and a process ends after SIGTERM
_RESTARTED = frozenset({1})  # exit codes after which a job is started again: not those of a wrong config, data, or divergence


def launch(config: TrainConfig, gpus: Sequence[str] = (), *, automatic: bool) -> int:
    """Starts the processes, and waits for them; returns the exit code of the job.

    Args:
        config: with `parallel.processes` a number.
        gpus: as CUDA_VISIBLE_DEVICES names them; each process gets its part.
        automatic: whether the command's own words resume the run, as with `resume=auto`.
    """
    assert isinstance(config.parallel.processes, int)
    if gpus and config.parallel.processes > len(gpus):
        raise ConfigError(
            f"parallel.processes={config.parallel.processes}: each process needs a GPU of its own, and this machine "
            f"has {len(gpus)}; choose at most {len(gpus)}, or parallel.platform=cpu"
        )
    count, words, restarts = config.parallel.processes, sys.orig_argv[1:], 0
    while True:
        team = _Team(count, words, config.parallel.peer_timeout, gpus)
        code = team.wait()
        folder = team.folder
        if not config.parallel.supervise or code not in _RESTARTED or team.stopped or folder is None:
            return code
        if restarts == config.parallel.max_restarts:
            complain(f"the job failed {restarts + 1} times (parallel.max_restarts={restarts}): it is not started again")
            return code
        restarts += 1
        if config.parallel.elastic:
            count = _fitting(config, max(1, count - len(team.killed)))
        if not automatic:
            timeout = f"parallel.start_timeout={config.parallel.start_timeout}"
            words = [*verb_words(), *plugin_arguments(), quoted("resume", folder), timeout]
        words = [word for word in words if not word.startswith("parallel.processes=")] + [f"parallel.processes={count}"]
        processes = "1 process" if count == 1 else f"{count} processes"
        complain(
            f"restart {restarts} of {config.parallel.max_restarts}, with {processes}, from the last checkpoint in {folder}"
        )


def begin_rank() -> None:
    """Prepares a process that a launcher started: its cores, and its end when the launcher is gone. Does nothing in another."""
    if LIFELINE not in os.environ:
        return
    if hasattr(os, "sched_setaffinity") and (cores := os.environ.pop(CORES, "")):
        with suppress(OSError, ValueError):
            os.sched_setaffinity(0, [int(core) for core in cores.split(",")])
    threading.Thread(target=_watch_launcher, args=(int(os.environ.pop(LIFELINE)),), name="launcher", daemon=True).start()


def say_folder(run_dir: Path) -> None:
    """Tells the launcher, if there is one, where the run is."""
    if (number := os.environ.pop(_FOLDER, "")) and os.environ.get(RANK) == "0":
        with suppress(OSError, ValueError):
            os.write(int(number), os.fsencode(run_dir))
            os.close(int(number))


class _Team:
    """The processes of one attempt.

    Attributes:
        folder: the run's; None if it was not made.
        killed: ranks that a signal ended.
        stopped: whether a person or a scheduler asked for the end.
    """

    def __init__(self, count: int, words: Sequence[str], peer_timeout: float, gpus: Sequence[str] = ()) -> None:
        self.folder: Path | None = None
        self.killed: list[int] = []
        self.stopped = False
        self._limit = peer_timeout + _GRACE
        self._lifeline, writer = os.pipe()
        self._held = writer  # closed by the system, however this process ends
        self._said, said = os.pipe()
        address, token = f"127.0.0.1:{_free_port()}", secrets.token_hex()
        shares = _shares(count)
        self._processes = []
        for rank in range(count):
            own = part_of(gpus, rank, count)
            environment = {
                **os.environ,
                **({"CUDA_VISIBLE_DEVICES": ",".join(own)} if gpus else {}),
                RANK: str(rank),
                COUNT: str(count),
                LOCAL_RANK: str(rank),
                COORDINATOR: address,
                TOKEN: token,
                LIFELINE: str(self._lifeline),
                _FOLDER: str(said),
                CORES: shares[rank],
            }
            try:
                process = subprocess.Popen(
                    [sys.executable, *words],
                    env=environment,
                    pass_fds=(self._lifeline, said),
                    stdin=None if rank == 0 else subprocess.DEVNULL,
                    stdout=None if rank == 0 else subprocess.DEVNULL,
                    process_group=0,  # the terminal's Ctrl-C reaches the launcher only, which passes it on
                )
            except OSError as error:
                self._send(signal.SIGKILL)
                raise UserError(f"parallel.processes={count}: process {rank} cannot be started: {why(error)}") from error
            self._processes.append(process)
        os.close(self._lifeline)
        os.close(said)
        leaving.receive(self._forward)
        leaving.at_end(lambda code, message, name: self._send(signal.SIGKILL))

    def wait(self) -> int:
        """Waits for all processes; returns the exit code of the job: 0, or that of the first process that failed."""
        failed: float | None = None
        last_since: float | None = None
        asked: float | None = None
        codes: list[int | None] = []  # of those that ended by themselves
        while None in [process.poll() for process in self._processes]:
            time.sleep(_TICK)
            now = time.monotonic()
            if failed is None and any(process.returncode for process in self._processes):
                failed = now
                self._name_killed()
            first, *others = [process.returncode for process in self._processes]
            # Once all others have ended by themselves, process 0 is about to end, too.
            are_done = bool(others) and all(code is not None and code >= 0 for code in others)
            if last_since is None and (first is not None or are_done):
                last_since = now
                self._end_frozen()
            late = (failed is not None and now - failed > self._limit) or (last_since is not None and now - last_since > _LAST)
            if late and asked is None:
                asked, codes = now, [process.returncode for process in self._processes]
                self._send(signal.SIGTERM)
            elif asked is not None and now - asked > _LAST:
                self._send(signal.SIGKILL)
        if asked is None:
            self._name_killed()
        leaving.at_end(None)
        leaving.receive(None)
        os.close(self._held)
        said = os.read(self._said, 2**16)
        os.close(self._said)
        self.folder = Path(os.fsdecode(said)) if said else None
        codes = codes or [process.returncode for process in self._processes]
        first = codes[0]
        if first is not None and (first > 0 or (first == 0 and asked is not None)):
            return first
        return max((1 if code < 0 else code for code in codes if code is not None), default=1)

    def _end_frozen(self) -> None:
        """Ends the processes that are stopped (SIGSTOP), which no other signal would reach; Linux only."""
        for process in self._processes:
            with suppress(OSError, IndexError):
                if Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T":
                    process.kill()

    def _name_killed(self) -> None:
        for rank, process in enumerate(self._processes):
            if process.returncode is not None and process.returncode < 0 and rank not in self.killed:
                self.killed.append(rank)
                if not self.stopped:
                    complain(f"process {rank} of {len(self._processes)} was ended by {_name(-process.returncode)}")

    def _forward(self, name: str) -> None:
        self.stopped = True
        self._send(signal.Signals[name])

    def _send(self, number: int) -> None:
        for process in self._processes:
            with suppress(OSError):
                process.send_signal(number)


def _watch_launcher(lifeline: int) -> None:
    """Waits for the launcher's end; this process then stops as at SIGTERM, or is ended if it does not."""
    with suppress(OSError):
        os.read(lifeline, 1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE)
    os.kill(os.getpid(), signal.SIGKILL)


def _shares(count: int) -> list[str]:
    """Each process's cores, in equal parts; with more processes than cores, one core each, in turn."""
    if not hasattr(os, "sched_getaffinity"):
        return [""] * count
    cores = sorted(os.sched_getaffinity(0))
    equal = cores[: len(cores) // count * count] or cores
    return [",".join(map(str, part_of(equal, rank, count))) for rank in range(count)]


def _fitting(config: TrainConfig, most: int) -> int:
    """The largest number of processes, up to `most`, that share batches and devices equally."""
    training, devices = config.training, config.parallel.devices
    sizes = [training.global_batch_size, training.eval_batch_size, *([devices] if isinstance(devices, int) else [])]
    return next(count for count in range(most, 0, -1) if all(size % count == 0 for size in sizes))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
