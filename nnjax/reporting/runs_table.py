"""The tables of `experiments.runs`: the runs that were chosen, and what removing them would move.

console.print(runs_table(rows, ["folder", "status", "test_accuracy"]))
"""

from collections.abc import Mapping, Sequence
from typing import Any

from nnjax.config.diagnostics import show
from nnjax.config.shell import shell_text
from nnjax.reporting.fitted_table import Column, FittedTable, Row
from nnjax.reporting.text import bytes_text, duration_text, metric_text

_BROKEN = ("folder", "name", "notes", "problems", "reason", "error")
_LONGEST = 200
_STYLES = {"completed": "green", "stopped_early": "green", "preempted": "yellow", "unfinished": "yellow", "running": "cyan"}


def runs_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> FittedTable:
    """A row for each run; a fact that a run lacks is an empty cell.

    Args:
        rows: facts by name.
        columns: names of facts.
    """
    numbers = {name for name in columns if any(_is_number(row.get(name)) for row in rows)}
    status = columns.index("status") if "status" in columns else None
    return FittedTable(
        [Column(name, right=name in numbers, breakable=name in _BROKEN, whole=name == "status") for name in columns],
        [
            Row(
                [fact_text(name, row.get(name)) for name in columns],
                styles=() if status is None else ((status, _STYLES.get(str(row.get("status")), "red")),),
            )
            for row in rows
        ],
    )


def removal_table(rows: Sequence[tuple[str, str, int, str]]) -> FittedTable:
    """A row for each run that was asked for.

    Args:
        rows: the folder, the run's status, the bytes, and why it stays where it is; empty if it is moved.
    """
    return FittedTable(
        [Column("folder", breakable=True), Column("status", whole=True), Column("size", right=True), Column("stays, since it")],
        [
            Row([folder, status, bytes_text(size), reason], style="yellow" if reason else "")
            for folder, status, size, reason in rows
        ],
    )


def fact_text(name: str, value: Any) -> str:
    """A fact as a person reads it: percent for accuracies, a duration for seconds, at most six digits else."""
    if value is None:
        return ""
    if _is_number(value):
        if name == "seconds" or name.startswith("seconds_"):
            return duration_text(value) if value >= 1 else f"{value:.2f} s"
        if name.endswith(("_loss", "_accuracy", "_rmse", "_mae")):
            return metric_text(name, value)
        return str(value) if isinstance(value, int) else f"{value:.6g}"
    text = "; ".join(value) if name in ("notes", "problems") else ", ".join(value) if name == "tags" else show(value)
    text = shell_text(" ".join(text.split())) if name != "folder" else str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
