"""What one run left in its folder, as plain values; of a damaged or unfinished run, what can be read.

    record = read_record(Path("outputs/train/2026-11-23/14-05-09_cnn_digits"))
    record.status                        # "completed"
    record.summary["test"]["accuracy"]   # 0.98
    record.problems                      # ("…/summary.json: is damaged: …",) where something is wrong

A run's folder may come from anywhere. So no link is followed, no file is read whole that is too large, and nothing raises: what
cannot be read is missing, and a line in `problems` gives the reason.
"""

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from nnjax.cli.folder_lock import in_use_elsewhere
from nnjax.cli.runs import CONFIG_FILE
from nnjax.cli.sessions import steps_done
from nnjax.cli.sweep_results import OUTCOME_FILE
from nnjax.config.errors import ConfigError, DataError
from nnjax.config.paths import absence, shown_path, why
from nnjax.config.stored_files import MOST_RESULTS, one_line, read_json
from nnjax.records.labels import Labels, read_labels
from nnjax.records.settings import flat, read_settings
from nnjax.reporting.run_summary import read_summary

RUNNING = "running"
UNFINISHED = "unfinished"
DAMAGED = "damaged"
"""Statuses besides those of `summary.json`: completed, stopped_early, preempted, diverged, failed."""

_MOST_TRIALS = 100_000
_DATE_AND_TIME = re.compile(r"/(\d{4}-\d\d-\d\d)/(\d\d-\d\d-\d\d)(?![^/_])")


@dataclass(frozen=True)
class RunRecord:
    """A run, as its folder shows it.

    Attributes:
        folder: the run's folder, absolute.
        name: the folder's name.
        status: as in `summary.json`: completed, stopped_early, preempted, diverged or failed; `running` while a process holds
            the run's lock; `unfinished` if its process was killed, so that there is no summary, or that of an earlier session;
            `damaged` if the summary cannot be read.
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
    record = stored_record(folder)
    return replace(record, status=status_now(record.folder, record.status, record.summary.get("steps")))


def stored_record(folder: Path) -> RunRecord:
    """As `read_record`, with the status that the files give: that of the last session that ended."""
    folder, problems = folder.absolute(), []
    config, summary, labels, status = {}, {}, Labels(), None
    try:
        config = dict(read_settings(folder / CONFIG_FILE))
    except ConfigError as error:
        problems.append(str(error))
    try:
        summary = read_summary(folder) if _has_entry(folder / "summary.json") else {}
    except DataError as error:
        status = DAMAGED
        problems.append(str(error))
    except OSError as error:
        status = DAMAGED
        problems.append(f"{shown_path(folder)}: cannot be read: {why(error)}")
    try:
        labels = read_labels(folder)
    except ConfigError as error:
        problems.append(str(error))
    if not summary and status is None:
        status, fault = _without_summary(folder, bool(config))
        problems += fault
    data_hash, times = summary.get("data_hash"), summary.get("seconds") or {}
    total = times.get("total")
    return RunRecord(
        folder=folder,
        name=folder.name,
        status=status or str(summary.get("status", "failed")),
        config=config,
        summary=summary,
        data_hash=data_hash if isinstance(data_hash, str) else None,
        seeds=_seeds(config, summary),
        tags=labels.tags,
        notes=labels.notes,
        started=_started(folder),
        seconds=float(total) if isinstance(total, int | float) and 0 <= total < 1e12 else None,
        problems=tuple(problems),
    )


def status_now(folder: Path, status: str, steps: Any) -> str:
    """The status of a run at this moment.

    Args:
        folder: of the run.
        status: what its files say of its last session that ended.
        steps: the steps done then; None if unknown.
    """
    if in_use_elsewhere(folder):
        return RUNNING
    if isinstance(steps, int) and _is_resumed(folder) and steps_done(folder) > steps:
        return UNFINISHED  # a later session was killed
    return status


def settings_of(record: RunRecord) -> dict[str, Any]:
    """The settings by dotted key, such as ``optimizer.learning_rate``; a list is one value."""
    return flat(record.config)


def _has_entry(path: Path) -> bool:
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    return True


def _is_resumed(folder: Path) -> bool:
    """Whether a session began after the summary was written; so it may seem, too, in a copy of a run."""
    try:
        return (folder / CONFIG_FILE).lstat().st_mtime_ns > (folder / "summary.json").lstat().st_mtime_ns
    except OSError:
        return False


def _without_summary(folder: Path, has_config: bool) -> tuple[str, Sequence[str]]:
    """The status of a run without a summary, and what is wrong."""
    with suppress(OSError, ConfigError, TypeError, KeyError):  # of a sweep's job, whose error came before the training
        if error := read_json(folder / OUTCOME_FILE, MOST_RESULTS)["error"]:
            return "failed", [one_line(error)]
    if has_config:
        return UNFINISHED, []
    return DAMAGED, [] if folder.is_dir() else [f"{shown_path(folder)}: {absence(folder)}"]


def _seeds(config: Mapping[str, Any], summary: Mapping[str, Any]) -> tuple[int, ...]:
    """The trials' seeds: from the rows of results, else from the settings."""
    rows = [row.get("seed") for row in summary.get("trials") or ()]
    if rows and all(_is_int(seed) for seed in rows):
        return tuple(rows)
    training, seed = config.get("training"), config.get("seed", summary.get("seed"))
    if not _is_int(seed):
        return ()
    training = training if isinstance(training, Mapping) else {}
    number, vary = training.get("seeds", 1), training.get("vary")
    rates = (vary if isinstance(vary, Mapping) else {}).get("learning_rate")
    number = number if _is_int(number) and 1 <= number <= _MOST_TRIALS else 1
    times = len(rates) if isinstance(rates, Sequence) and 1 <= len(rates) <= _MOST_TRIALS else 1
    return tuple(range(seed, seed + number)) * times  # trials are grouped by learning rate


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _started(folder: Path) -> float | None:
    """When a run began: the time of its log's first line, else that in its path, else that of its first file."""
    with suppress(OSError, ValueError, OverflowError):
        return datetime.strptime(_beginning(folder / "train.log", 19), "%Y-%m-%d %H:%M:%S").timestamp()
    if found := _DATE_AND_TIME.search(str(folder)):
        with suppress(ValueError, OverflowError):
            return datetime.strptime(" ".join(found.groups()), "%Y-%m-%d %H-%M-%S").timestamp()
    with suppress(OSError):
        return (folder / CONFIG_FILE).lstat().st_mtime
    return None


def _beginning(path: Path, length: int) -> str:
    """The first characters of a file; a link is not followed, and a pipe not waited for."""
    number = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    try:
        return os.read(number, length).decode("ascii", "replace")
    finally:
        os.close(number)
