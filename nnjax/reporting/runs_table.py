"""The tables of `experiments.runs`: the runs that were chosen, and what removing them would move.

console.print(runs_table(rows, ["status", "test_accuracy", "folder"]))

A line is as long as it needs to be, and the folder stands at its end: a path that a table breaks cannot be copied.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.cells import cell_len
from rich.text import Text

from nnjax.config.diagnostics import show
from nnjax.config.shell import shell_text
from nnjax.reporting.text import bytes_text, duration_text, is_number, metric_text

_METRICS = ("_loss", "_accuracy", "_rmse", "_mae")
_LONGEST = 200
_GAP = "  "
_STYLES = {"completed": "green", "stopped_early": "green", "preempted": "yellow", "unfinished": "yellow", "running": "cyan"}


def runs_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> Text:
    """A line for each run; a fact that a run lacks is left empty.

    Args:
        rows: facts by name.
        columns: names of facts.
    """
    values = [[row.get(name) for name in columns] for row in rows]
    numbers = {name for place, name in enumerate(columns) if any(is_number(found[place]) for found in values)}
    cells = [[fact_text(name, value) for name, value in zip(columns, found, strict=True)] for found in values]
    styles = [_STYLES.get(str(row.get("status")), "red") for row in rows]
    return _aligned(columns, cells, numbers, {"status": styles})


def removal_table(rows: Sequence[tuple[str, int, str, str]]) -> Text:
    """A line for each run that was asked for.

    Args:
        rows: the run's status, the bytes, why it stays where it is (empty if it is moved), and the folder.
    """
    columns = ["status", "size", *(["stays, since it"] if any(reason for _, _, reason, _ in rows) else []), "folder"]
    cells = [
        [status, bytes_text(size), *([reason] if len(columns) == 4 else []), folder] for status, size, reason, folder in rows
    ]
    styles = {"status": [_STYLES.get(status, "red") for status, *_ in rows], "stays, since it": ["yellow"] * len(rows)}
    return _aligned(columns, cells, {"size"}, styles)


def fact_text(name: str, value: Any) -> str:
    """A fact as a person reads it: percent for accuracies, a duration for seconds, at most six digits else."""
    if value is None:
        return ""
    if is_number(value):
        if name == "seconds" or name.startswith("seconds_"):
            return duration_text(value) if value >= 1 else f"{value:.2f} s"
        if name.endswith(_METRICS):
            return metric_text(name, value)
        return str(value) if isinstance(value, int) else f"{value:.6g}"
    if name == "folder":  # quoted already
        return str(value)
    text = "; ".join(value) if name in ("notes", "problems") else ", ".join(value) if name == "tags" else show(value)
    text = shell_text(" ".join(text.split()))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _aligned(
    names: Sequence[str], rows: Sequence[Sequence[str]], numbers: set[str], styles: Mapping[str, Sequence[str]]
) -> Text:
    """Lines with the columns below each other; numbers stand to the right, and the last column is not padded.

    Args:
        names: of the columns.
        rows: a text for each column.
        numbers: the columns with numbers.
        styles: of single columns, one for each row.
    """
    widths = [max(cell_len(name), *(cell_len(row[place]) for row in rows)) for place, name in enumerate(names)]
    table = Text()
    for number, cells in enumerate([names, *rows]):
        for place, (name, cell) in enumerate(zip(names, cells, strict=True)):
            room = " " * (widths[place] - cell_len(cell))
            is_last = place == len(names) - 1
            text = f"{room}{cell}" if name in numbers else cell if is_last else f"{cell}{room}"
            table.append(text, "bold" if number == 0 else styles[name][number - 1] if name in styles else "")
            table.append("" if is_last else _GAP)
        table.append("" if number == len(rows) else "\n")
    return table
