"""The machine of a benchmark: its description, whether it is idle, and the cores that all contestants share.

refuse_if_busy(anyway=False)                   # exits with a message if others use the machine
meter = LoadMeter()
with meter.watch(pids): ...                    # measures the use by others
meter.is_busy, describe()
"""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from importlib import metadata
from statistics import mean
from typing import Any

import psutil

from nnjax.reporting.run_summary import environment

# Cores that others may use; the housekeeping of an idle machine takes a few hundredths of one.
BUSY = 0.15
_BUSY_TURNS = 0.1  # share of the turns in which others may use more
_SECONDS = 3.0
_MORE_PACKAGES = ("torch", "keras", "psutil", "tensorstore")


def use_cores(wanted: int) -> int:
    """Pins this process and its children to `wanted` of its cores, if the system can; returns their number."""
    if not hasattr(os, "sched_setaffinity"):
        return min(wanted, os.cpu_count() or 1)
    cores = sorted(os.sched_getaffinity(0))[:wanted]
    os.sched_setaffinity(0, cores)
    return len(cores)


def describe() -> dict[str, Any]:
    """Returns machine, versions, commit and date for the results."""
    about = environment()
    for package in _MORE_PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            about["versions"][package] = metadata.version(package)
    memory = round(psutil.virtual_memory().total / 2**30)
    host = {**about["host"], "memory_gib": memory, "cores_of_machine": psutil.cpu_count()}
    return {**about, "host": host, "date": datetime.now().astimezone().isoformat(timespec="seconds")}


def refuse_if_busy(*, anyway: bool) -> None:
    """Measures the load for some seconds; exits if others use the machine, except with `anyway`."""
    meter = LoadMeter()
    with meter.watch(()):
        time.sleep(_SECONDS)
    if not meter.is_busy:
        return
    said = f"the machine is busy: others use {meter.others:.1f} of its cores, and at most {BUSY} may be in use"
    if not anyway:
        sys.exit(f"{said}; wait until it is idle, or measure all the same with --anyway, which marks the results")
    print(f"WARNING: {said}; the results will be marked", file=sys.stderr)


class LoadMeter:
    """Measures how many cores the rest of the machine uses while something is watched."""

    def __init__(self) -> None:
        self._shares: list[float] = []

    @property
    def others(self) -> float:
        """Mean number of cores in use by others while watching; 0 if nothing was watched."""
        return mean(self._shares) if self._shares else 0.0

    @property
    def is_busy(self) -> bool:
        """Whether others used more than an idle machine's housekeeping, in more than a few turns."""
        return sum(share > BUSY for share in self._shares) > _BUSY_TURNS * len(self._shares)

    @contextmanager
    def watch(self, pids: Sequence[int]) -> Iterator[None]:
        """Measures the use by others inside the context: all processes but this one, `pids` and their children."""
        before = _used(pids), time.perf_counter()
        yield
        after = _used(pids), time.perf_counter()
        self._shares.append(max(0.0, (after[0] - before[0]) / (after[1] - before[1])))


def _used(pids: Sequence[int]) -> float:
    """Core-seconds used by others since the machine started, those stolen by a hypervisor included."""
    times = psutil.cpu_times()
    used = times.user + times.system + sum(getattr(times, kind, 0.0) for kind in ("nice", "irq", "softirq", "steal"))
    for pid in (os.getpid(), *pids):
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            for one in (process, *process.children(recursive=True)) if pid != os.getpid() else (process,):
                with suppress(psutil.NoSuchProcess):
                    own = one.cpu_times()
                    used -= own.user + own.system
                    used -= getattr(own, "children_user", 0.0) + getattr(own, "children_system", 0.0)  # ended processes
    return float(used)
