"""A sweep of traffic reports: a table of all jobs, and their steps in one figure.

command.run("traffic", TrafficConfig, traffic, on_sweep_end=show_traffic_sweep)
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nnjax.cli.sweep_results import JobResult
from nnjax.config.shell import shell_text
from nnjax.reporting.console import RunConsole
from nnjax.reporting.fitted_table import Column, FittedTable, Row
from nnjax.reporting.tables import differing_overrides, sweep_errors
from nnjax.reporting.text import bytes_text, numbered, short_names, time_text

_MOST_BARS = 40
_MAX_NAME_LENGTH = 60


def show_traffic_sweep(sweep_dir: Path, results: Sequence[JobResult]) -> None:
    """Prints a table of a sweep's jobs, also to `sweep.log` in the sweep's folder, and draws `traffic.png` there."""
    names = short_names(_names(results), _MAX_NAME_LENGTH)
    with RunConsole(sweep_dir / "sweep.log") as console:
        console.print(traffic_sweep_table(names, results))
        if errors := sweep_errors([{"number": r.number, "status": r.status, "error": r.error} for r in results]):
            console.print(errors)
        counted = "1 job, its folder" if len(results) == 1 else f"{len(results)} jobs, their folders"
        console.print(f"{counted} NUMBER_… in {shell_text(sweep_dir)}")
        done = {name: result.summary for name, result in zip(names, results, strict=True) if result.summary is not None}
        if 2 <= len(done) <= _MOST_BARS:
            from nnjax.reporting.figures.traffic_sweep_figure import draw_traffic_sweep

            draw_traffic_sweep(done, sweep_dir / "traffic.png")
            console.print(f"their steps side by side: {shell_text(sweep_dir / 'traffic.png')}")


def traffic_sweep_table(names: Sequence[str], results: Sequence[JobResult]) -> FittedTable:
    """A row for each job: what it changed, what a device sends in a step, and the predicted step."""
    columns = [Column("job", right=True, whole=True), Column("changed", breakable=True), Column("status")]
    columns += [Column(name, right=True) for name in ("sent a step", "on the wire", "exchange", "waiting", "step", "computing")]
    rows = []
    for name, result in zip(names, results, strict=True):
        summary: Mapping[str, Any] = result.summary or {}
        cells = [str(result.number), name, result.status.replace("_", " ")]
        if summary:
            times = [time_text(_seconds(summary[key])) for key in ("communicating", "exposed", "step_time")]
            sent = [bytes_text(summary["sent_per_step"]), bytes_text(summary["wire_per_step"])]
            cells += [*sent, *times, f"{summary['utilisation']:.1%}"]
        else:
            cells += [""] * 6
        rows.append(Row(cells))
    return FittedTable(columns, rows)


def _seconds(value: float | None) -> float:
    """Seconds of a summary that was written as JSON, in which an infinity is null."""
    return float("inf") if value is None else float(value)


def _names(results: Sequence[JobResult]) -> list[str]:
    """Names the jobs by the overrides in which they differ."""
    settings, differing = differing_overrides([result.overrides for result in results])
    names = [" ".join(f"{key}={setting.get(key, '')}" for key in differing or list(setting)[:1]) for setting in settings]
    return numbered(names, [result.number for result in results])
