"""Decides whether a run that is to be resumed has a step left to do: a finished run is never written again.

    if line := finished(config, run_dir):
        print(line)        # "outputs/train/…: complete: 400 steps, test loss 0.0712, accuracy 0.9806; see …/summary.json"

A run has finished if its summary says so and the values now asked for lead no further. More of `training.duration` does; other
figures or devices do not. Where stop rules were changed, `check_unfinished` decides from the restored progress.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from nnjax.cli.runs import read_config
from nnjax.cli.sessions import read_sessions, steps_done
from nnjax.config.diagnostics import count
from nnjax.config.errors import ConfigError, RunFinishedError
from nnjax.config.paths import shown_path
from nnjax.config.schema import TrainConfig
from nnjax.config.stored_files import MOST_RESULTS, one_line, read_json

_FINISHED = ("completed", "stopped_early")
_RESULTS = ("train", "validation", "test", "forecast")


def finished(config: TrainConfig, run_dir: Path) -> str | None:
    """Returns a line about a run that has no step left to do; None for any other.

    Args:
        config: the values now asked for.
        run_dir: the run's folder.

    Raises:
        ConfigError: if its config is damaged.
    """
    summary = finished_summary(run_dir)
    if not summary:
        return None
    steps = summary["steps"]
    if steps_done(run_dir) > steps:  # a later session was killed
        return None
    if summary["status"] == "completed":
        is_over = _total(config, summary) == steps
    else:
        # A session that began where the summary ends has not ended.
        began = [session.from_step for session in read_sessions(run_dir)][-1:]
        is_over = config.training.stop == read_config(TrainConfig, run_dir).training.stop and began < [steps]
    return finished_line(config, run_dir, summary) if is_over else None


def check_unfinished(config: TrainConfig, run_dir: Path, step: int, ending: str | None) -> None:
    """Refuses to write a finished run again, once its progress is known.

    Args:
        config: the values now asked for.
        run_dir: the run's folder.
        step: of the restored checkpoint.
        ending: how the training would end there at once; None if it would go on.

    Raises:
        RunFinishedError: if the run has no step left to do.
    """
    if config.resume is None or ending not in _FINISHED:
        return
    summary = finished_summary(run_dir)
    if summary and summary["steps"] == step:
        raise RunFinishedError(finished_line(config, run_dir, summary))


def finished_summary(run_dir: Path) -> Mapping[str, Any]:
    """Returns the summary of a run that was tested at the end of its training; empty for any other."""
    with suppress(OSError, ConfigError, ValueError):
        summary = read_json(run_dir / "summary.json", MOST_RESULTS)
        check_summary(summary)
        has_ended = summary.get("test") or summary.get("test_examples") == 0  # of a series, nothing may be held out
        if summary.get("status") in _FINISHED and has_ended and summary.get("steps"):
            return summary  # type: ignore[no-any-return]
    return {}


def check_summary(summary: object) -> None:
    """Checks the form of the entries of a summary that are read back.

    Raises:
        ValueError: with a reason.
    """
    if not isinstance(summary, dict):
        raise ValueError("it holds no entries by name")
    if not isinstance(summary.get("status", ""), str):
        raise ValueError("status must be a word")
    for key in ("steps", "tested_step"):
        value = summary.get(key, 0)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
            raise ValueError(f"{key} must be a number of steps")
    for key in _RESULTS:
        results = summary.get(key)
        if not isinstance(results, dict | None):
            raise ValueError(f"{key} must hold results by name")
        numbers = [] if key == "forecast" else (results or {}).values()
        if not all(isinstance(value, float | None) or (isinstance(value, int) and abs(value) < 2**63) for value in numbers):
            raise ValueError(f"{key} must hold numbers")
    for key in ("trials", "copies"):
        rows = summary.get(key, [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ValueError(f"{key} must be a list of rows")
    if not isinstance(summary.get("seconds"), dict | None):
        raise ValueError("seconds must hold numbers by phase")


def finished_line(config: TrainConfig, run_dir: Path, summary: Mapping[str, Any]) -> str:
    """Returns the line that says that a run is complete."""
    ended = "complete" if summary["status"] == "completed" else f"complete, since {one_line(summary.get('reason'))}"
    results = summary.get("test") or {}
    test = ", ".join(f"{one_line(name)} {value:.4g}" for name, value in results.items() if isinstance(value, int | float))
    tested = f"test {test}" if results else "nothing held out"
    line = f"{shown_path(run_dir)}: {ended}: {count(summary['steps'], 'step')}, {tested}"
    missing = "; its figures are missing" if config.report.figures and not summary.get("figures") else ""
    return f"{line}; see {shown_path(run_dir / 'summary.json')}{missing}"


def _total(config: TrainConfig, summary: Mapping[str, Any]) -> int | None:
    """The steps of the training now asked for, by the length of an epoch that the run had; the data is not read."""
    steps, epochs = summary["steps"], summary.get("epochs")
    if not isinstance(epochs, int | float) or epochs <= 0:
        return None
    with suppress(ValueError, OverflowError):
        duration = config.training.duration.in_steps(max(1, round(steps / epochs)), config.training.global_batch_size)
        return duration if config.debug.max_steps is None else min(duration, config.debug.max_steps)
    return None
