"""A worker process of a sweep (joblib, submitit): takes its share of the machine, and stops when it is told to.

    share = Share(SWEEP, at_a_time=4, locks="…/.workers", gpus=("0", "1"))           # in the process of the sweep
    run_in_worker(share, run_job, skip_job)                                          # in a worker, before JAX starts

Two jobs at a time on four cores get two cores each, and two of four GPUs. More jobs than GPUs share them, and JAX then takes
memory as it needs it, not three quarters of a GPU at its start. The cores are set by the process's affinity, which JAX follows.
"""

import os
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO, TypeVar

if sys.platform != "win32":
    import fcntl

T = TypeVar("T")

SWEEP = uuid.uuid4().hex
"""Tells this process from the workers, which are sent it. Workers of a cluster may have the sweep's process number."""


@dataclass(frozen=True)
class Share:
    """A sweep's division of one machine, which is sent to its workers.

    Attributes:
        sweep: `SWEEP` of the sweep's process.
        at_a_time: how many jobs run at the same time on one machine; 1 leaves all of it to each.
        locks: a folder; each of several workers holds one of the files 0, 1, … in it, whose number is its place.
        gpus: the GPUs for all jobs, as CUDA_VISIBLE_DEVICES names them.
        stops_with_parent: whether a worker ends after the sweep's process has.
    """

    sweep: str
    at_a_time: int
    locks: str = ""
    gpus: tuple[str, ...] = ()
    stops_with_parent: bool = True


class _StoppedError(SystemExit):
    """A signal came while a job was not training: a training handles signals itself."""


@dataclass
class _Worker:
    """The state of this process as a worker.

    Attributes:
        stopping: whether it has been told to stop.
        busy: whether a job runs.
        ready: whether it has taken its share.
        place: the lock file that it holds.
    """

    ready: bool = False
    stopping: bool = False
    busy: bool = False
    place: IO[str] | None = None


_worker = _Worker()


def run_in_worker(share: Share, job: Callable[[], None], skip: Callable[[], None]) -> None:
    """Runs a job with this process's share of the machine; calls `skip` instead once the process has been told to stop.

    A job that a signal ended does not end the process: joblib would end all other workers, which may be saving.

    Args:
        share: as from the sweep's process.
        job: raises SystemExit if it was told to stop.
        skip: notes that the job was not started.
    """
    if not _worker.ready:
        _prepare(share)
    if _worker.stopping:
        skip()
        return
    _worker.busy = True
    try:
        job()
    except (SystemExit, KeyboardInterrupt):
        _worker.stopping = True
    finally:
        _worker.busy = False


def is_restarted() -> bool:
    """Whether Slurm has started this process's job before: after a preemption, it starts the same job again."""
    return os.environ.get("SLURM_RESTART_COUNT", "0") not in ("", "0")


def part_of(things: Sequence[T], place: int, count: int) -> Sequence[T]:
    """The part of `things` for one of `count` places: neighbours, none twice; one, shared, if there are fewer than places."""
    if len(things) < count:
        return things[place % len(things) :][:1] if things else things
    return things[place * len(things) // count : (place + 1) * len(things) // count]


def take_part(share: Share, place: int) -> None:
    """Confines this process, in which JAX has not started yet, to its part of the cores and GPUs."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, part_of(sorted(os.sched_getaffinity(0)), place, share.at_a_time))
    if share.gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(part_of(share.gpus, place, share.at_a_time))
        if share.at_a_time > len(share.gpus):
            os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")


def _prepare(share: Share) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    if hasattr(signal, "SIGUSR2"):  # submitit says so that the job's time is nearly over, and would end it without saving
        signal.signal(signal.SIGUSR2, lambda number, frame: os.kill(os.getpid(), signal.SIGTERM))
    if share.stops_with_parent:
        threading.Thread(target=_watch, args=(os.getppid(),), daemon=True).start()
    if share.at_a_time > 1:
        place, _worker.place = _free_place(share)
        take_part(share, place % share.at_a_time)
    _worker.ready = True


def _free_place(share: Share) -> tuple[int, IO[str]]:
    """The first place that no living process holds; a lock ends with its process, however that ends."""
    number = 0
    while True:
        file = Path(share.locks, str(number)).open("w")  # noqa: SIM115  (held to the end of the process)
        try:
            if sys.platform != "win32":
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return number, file
        except BlockingIOError:
            file.close()
            number += 1
        except OSError:  # a file system without locks
            return os.getpid(), file


def _stop(number: int, frame: FrameType | None) -> None:
    _worker.stopping = True
    if _worker.busy:
        raise _StoppedError


def _watch(parent: int) -> None:
    """Tells this process to stop once its parent has ended, which would otherwise go unnoticed until the job is done."""
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)
    while _worker.busy:
        time.sleep(0.1)
    os._exit(1)
