"""Measures a training in the lab: the time of a step, the bytes of a step, and how long the others live after a fault.

measured = measure(team, seconds=4)
measured.step_time, measured.sent_bytes             # seconds, and bytes a step by rank
fault = break_training(team, network, "killed", victim=1, peer_timeout=6)
"""

import signal
import time
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Literal, get_args

from nnjax.interconnect.netlab.lab_network import Network
from nnjax.interconnect.netlab.ranks import Mark, Team
from nnjax.interconnect.netlab.shaping import LinkConditions

Fault = Literal["killed", "frozen", "cut"]
FAULTS: tuple[Fault, ...] = get_args(Fault)

_LONGEST = 120.0  # seconds for one record
_SLACK = 30.0  # seconds beyond `peer_timeout` after which a survivor counts as hanging


@dataclass(frozen=True)
class Measured:
    """Some hundred steps, or a few where they are slow.

    Attributes:
        steps: how many.
        step_time: seconds, the mean.
        median_time: seconds of a step, the median of the records' means.
        sent_bytes: by rank, of a step, as its interface counts.
        sent_packets: by rank, of a step.
    """

    steps: int
    step_time: float
    median_time: float
    sent_bytes: tuple[float, ...]
    sent_packets: tuple[float, ...]


@dataclass(frozen=True)
class Ended:
    """The end of a training after a fault.

    Attributes:
        fault: what happened to one process.
        victim: its rank.
        codes: exit codes by rank; None for one that did not end by itself.
        seconds: by rank, from the fault to its end; None likewise.
        line: the last line of the first survivor.
    """

    fault: Fault
    victim: int
    codes: tuple[int | None, ...]
    seconds: tuple[float | None, ...]
    line: str

    @property
    def survivors(self) -> tuple[int, ...]:
        """The ranks that must end by themselves; behind a cut link that is the victim, too."""
        return tuple(rank for rank in range(len(self.codes)) if rank != self.victim or self.fault == "cut")

    @property
    def longest(self) -> float | None:
        """Seconds until the last of them had ended; None if one hung."""
        times = [self.seconds[rank] for rank in self.survivors]
        return None if None in times else max(moment for moment in times if moment is not None)


def measure(team: Team, seconds: float) -> Measured:
    """Measures whole records, for at least so long. The first two after a change of the links are left out."""
    team.next_mark(_LONGEST)
    marks = [team.next_mark(_LONGEST)]
    while marks[-1].time - marks[0].time < seconds:
        marks.append(team.next_mark(_LONGEST))
    return summarized(marks)


def summarized(marks: list[Mark]) -> Measured:
    """The means between the first and the last of several moments.

    Counters go on after a record, until they are read. So a step's share of them is that of its time in the time between their
    readings.
    """
    first, last = marks[0], marks[-1]
    steps = last.step - first.step
    times = [(b.time - a.time) / (b.step - a.step) for a, b in pairwise(marks)]
    step_time = (last.time - first.time) / steps
    counted = [now.since(before) for now, before in zip(last.counters, first.counters, strict=True)]
    shares = [step_time / (now - before) for now, before in zip(last.counted, first.counted, strict=True)]
    return Measured(
        steps,
        step_time,
        median(times),
        tuple(found.sent_bytes * share for found, share in zip(counted, shares, strict=True)),
        tuple(found.sent_packets * share for found, share in zip(counted, shares, strict=True)),
    )


def break_training(team: Team, network: Network, fault: Fault, victim: int, peer_timeout: float) -> Ended:
    """Does something to one process or its link, and watches the others end.

    Args:
        team: a training that runs.
        network: its lab.
        fault: what to do.
        victim: the rank that it is done to.
        peer_timeout: `parallel.peer_timeout` of the training.
    """
    began = time.monotonic()
    if fault == "cut":
        network.shape({victim: LinkConditions(cut=True)})
    else:
        team.signal(victim, signal.SIGKILL if fault == "killed" else signal.SIGSTOP)
    seconds: list[float | None] = [None] * team.count
    waited = [rank for rank in range(team.count) if rank != victim or fault != "frozen"]
    while time.monotonic() - began < peer_timeout + _SLACK and any(seconds[rank] is None for rank in waited):
        for rank in waited:
            if seconds[rank] is None and team.processes[rank].poll() is not None:
                seconds[rank] = time.monotonic() - began
        time.sleep(0.01)
    codes = tuple(process.poll() for process in team.processes)
    first = next(rank for rank in range(team.count) if rank != victim)
    return Ended(fault, victim, codes, tuple(seconds), team.said(first))
