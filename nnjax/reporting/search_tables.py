"""The tables of a search: a line for each trial as it ends, the best ones at the end, and all of them in `search.csv`.

console.print(trial_line(row, objectives=["error"], best=None))
console.print(best_table(rows, ["error"], ["optimizer.learning_rate"]))
write_rows(rows, run_dir / "search.csv")

A row is a mapping with trial, status, the objectives, the searched keys, and further facts such as seconds and parameters.
"""

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from nnjax.config.diagnostics import count, show
from nnjax.reporting.files import replacing

Row = Mapping[str, Any]

_MOST_ROWS = 10
_LARGE, _LARGEST = 1e3, 1e15  # of whole numbers, such as `parameters`, which Optuna keeps as floating-point numbers


def number_text(value: Any) -> str:
    """A number with four digits, a large whole one with all of its digits, any other value as in an override."""
    if not isinstance(value, float):
        return show(value)
    return f"{value:,.0f}" if value.is_integer() and _LARGE <= abs(value) < _LARGEST else f"{value:.4g}"


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """The last part of each key, as ``learning_rate``; the whole key where two have the same."""
    leaves = Counter(key.rpartition(".")[2] for key in keys)
    return {key: leaf if leaves[leaf] == 1 else key for key in keys for leaf in (key.rpartition(".")[2],)}


def trial_line(row: Row, objectives: Sequence[str], keys: Sequence[str], best: Row | None) -> str:
    """The line of a trial that has ended.

    Args:
        row: of the trial.
        objectives: their names.
        keys: the searched ones.
        best: the row of the best trial so far; None with several objectives, or before the first.
    """
    settings = "  ".join(f"{name}={number_text(row[key])}" for key, name in short_names(keys).items())
    if row["status"] == "completed":
        result = ", ".join(f"{name} {number_text(row[name])}" for name in objectives)
        if best is not None:
            result += " (the best)" if best["trial"] == row["trial"] else f" (best {number_text(best[objectives[0]])})"
    else:
        result = f"{row['status']}: {row['reason']}" if row["reason"] else str(row["status"])
    seconds = f"  {row['seconds']:.1f} s" if isinstance(row.get("seconds"), float) else ""
    return f"trial {row['trial']:>3}  {result}  {settings}{seconds}"


def best_table(best: Sequence[Row], objectives: Sequence[str], keys: Sequence[str]) -> Table:
    """The best trials, the best first; with several objectives, those that no other one beats in all of them."""
    names = [name for name in ("parameters", "seconds") if name not in objectives]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("trial", *objectives, *short_names(keys).values(), *names):
        table.add_column(title.replace("_", " "), justify="right")
    for row in best[:_MOST_ROWS]:
        facts = [f"{row[name]:,}" if isinstance(row.get(name), int) else number_text(row.get(name)) for name in names]
        table.add_row(str(row["trial"]), *(number_text(row[name]) for name in (*objectives, *keys)), *facts)
    if len(best) > _MOST_ROWS:
        table.caption, table.caption_justify = f"… {len(best) - _MOST_ROWS} more in search.csv", "left"
    return table


def counts_line(rows: Sequence[Row]) -> str:
    """How many trials ended how: ``"40 trials: 25 completed, 14 pruned, 1 diverged"``."""
    found = Counter(str(row["status"]) for row in rows)
    return f"{count(len(rows), 'trial')}: {', '.join(f'{number} {status}' for status, number in found.most_common())}"


def importance_table(importances: Mapping[str, float]) -> Table:
    """The share of the objective's variance that each key explains."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("key")
    table.add_column("importance", justify="right")
    table.add_column("")
    for key, share in importances.items():
        table.add_row(key, f"{share:.2f}", "█" * round(20 * share))
    return table


def write_rows(rows: Sequence[Row], path: Path) -> None:
    """Writes the rows atomically as CSV, a column for each name that any row has."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
