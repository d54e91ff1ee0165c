"""What one run left in its folder, as plain values; of a damaged or unfinished run, what can be read.

    record = read_record(Path("outputs/train/2026-11-23/14-05-09_cnn_digits"))
    record.status                        # "completed"
    record.summary["test"]["accuracy"]   # 0.98
    record.problems                      # ("…/summary.json: is damaged: …",) where something is wrong

A run's folder may come from anywhere. So no link is followed, no file is read whole that is too large, and nothing raises: what
cannot be read is missing, and a line in `problems` gives the reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RUNNING = "running"
UNFINISHED = "unfinished"
DAMAGED = "damaged"
"""Statuses besides those of `summary.json`: completed, stopped_early, preempted, diverged, failed."""


@dataclass(frozen=True)
class RunRecord:
    """A run, as its folder shows it.

    Attributes:
        folder: the run's folder, absolute.
        name: the folder's name.
        status: as in `summary.json`: completed, stopped_early, preempted, diverged or failed; `running` while a process holds
            the run's lock; `unfinished` for a run without a summary, whose process was killed; `damaged` if the summary cannot be
            read.
        config: the settings, as plain nested mappings; empty if they cannot be read. Keys may be missing that a newer version
            has.
        summary: the content of `summary.json`; empty without one.
        data_hash: hash of the data's content; None if the run did not record it.
        seeds: one for each trial; empty if unknown.
        tags: the words that a person gave to the run.
        notes: what a person wrote about the run.
        started: when the run began, in seconds since 1970; None if unknown.
        seconds: the time that it took, with all its sessions; None if unknown.
        problems: what is wrong with the folder's files, a line each.
    """

    folder: Path
    name: str
    status: str
    config: Mapping[str, Any]
    summary: Mapping[str, Any]
    data_hash: str | None
    seeds: tuple[int, ...]
    tags: tuple[str, ...]
    notes: tuple[str, ...]
    started: float | None
    seconds: float | None
    problems: tuple[str, ...] = ()

    @property
    def trials(self) -> tuple[Mapping[str, Any], ...]:
        """A row for each trial of a run with several: trial, seed, learning_rate, steps, diverged, SPLIT_METRIC; else empty."""
        return tuple(self.summary.get("trials") or ())


def read_record(folder: Path) -> RunRecord:
    """Reads a run's folder.

    Args:
        folder: of the run; it need not hold one.

    Returns:
        The record; of a folder without a run, one that is `damaged`, with a problem.
    """
    raise NotImplementedError


def settings_of(record: RunRecord) -> dict[str, Any]:
    """The settings by dotted key, such as ``optimizer.learning_rate``; a list is one value."""
    raise NotImplementedError
