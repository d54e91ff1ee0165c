"""What a sweep leaves in its folder besides the runs: a table of all jobs, and their losses in one figure.

command.run("train", TrainConfig, train, on_sweep_end=show_sweep)
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nnjax.config.errors import DataError
from nnjax.config.shell import shell_text
from nnjax.config.sweep import JobResult
from nnjax.reporting.console import RunConsole
from nnjax.reporting.metrics import read_metrics
from nnjax.reporting.tables import sweep_table

_MOST_LINES = 12  # more cannot be told apart


def show_sweep(sweep_dir: Path, results: Sequence[JobResult]) -> None:
    """Prints a table of a sweep's jobs, and writes it to `sweep.log` in the sweep's folder; draws `losses.png` beside it.

    The figure is left out where fewer than two jobs have something to show, or more than can be told apart.
    """
    with RunConsole(sweep_dir / "sweep.log") as console:
        console.print(sweep_table([_row(result) for result in results]))
        console.print(f"{len(results)} jobs, their folders NUMBER_… in {shell_text(sweep_dir)}")
        curves = {name: records for name, result in _named(results).items() if (records := _records(result))}
        if 2 <= len(curves) <= _MOST_LINES:
            from nnjax.reporting.figures.sweep import draw_sweep

            draw_sweep(curves, sweep_dir / "losses.png")
            console.print(f"their losses side by side: {shell_text(sweep_dir / 'losses.png')}")


def _row(result: JobResult) -> dict[str, Any]:
    summary: Mapping[str, Any] = result.summary or {}
    return {
        "number": result.number,
        "overrides": result.overrides,
        "status": summary.get("status", "failed"),
        "test": summary.get("test"),
        "forecast": summary.get("forecast"),
        "seconds": summary.get("seconds", {}).get("total"),
        "error": result.error,
    }


def _named(results: Sequence[JobResult]) -> dict[str, JobResult]:
    """The jobs by what sets them apart: `relu`, or `activation=relu seed=1` where that is more than one thing."""
    settings = [dict(override.partition("=")[::2] for override in result.overrides) for result in results]
    keys = list(dict.fromkeys(key for setting in settings for key in setting))
    differing = [key for key in keys if len({setting.get(key) for setting in settings}) > 1]
    names: dict[str, JobResult] = {}
    for result, setting in zip(results, settings, strict=True):
        words = [setting.get(key, "") if len(differing) == 1 else f"{key}={setting.get(key, '')}" for key in differing]
        names[" ".join(words) or str(result.number)] = result
    return names


def _records(result: JobResult) -> list[dict[str, Any]]:
    """What a job recorded of its training; nothing if it never came to that."""
    if result.run_dir is None:
        return []
    try:
        records = read_metrics(result.run_dir)
    except DataError:
        return []
    return [record for record in records if record["split"] == "train"]
