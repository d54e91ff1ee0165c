"""Tables of a run with several trials: the trials, and the learning rates if these vary.

console.print(trials_table(summary["trials"]))
console.print(learning_rates_table(summary["learning_rates"]))
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from nnjax.reporting.console import RunConsole
from nnjax.reporting.text import metric_text, short_name, spread_text
from nnjax.reporting.trial_results import results_of, seeds_make_no_difference

_MAX_ROWS = 12
_EXTREMES = 3  # best and worst trials to show if there are more


def show_trials(console: RunConsole, summary: Mapping[str, Any]) -> None:
    """Prints the trials' results, and warns of diverged trials and of seeds without effect."""
    rows = summary["trials"]
    console.print(trials_table(rows))
    if "learning_rates" in summary:
        console.print(learning_rates_table(summary["learning_rates"]))
    if lost := [row for row in rows if row["diverged"]]:
        console.warn(f"{len(lost)} of {len(rows)} trials diverged; means and spreads are of the others")
    if seeds_make_no_difference(rows):
        console.warn("all trials of a learning rate are equal: nothing in this experiment depends on the seed")


def trials_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """A row for each trial; for more than twelve, the three best and the three worst.

    `trials.csv` has all trials and more columns. The best trial has the lowest forecast RMSE; without a forecast, the highest
    test accuracy; without an accuracy, the lowest test loss; without a test, the lowest training loss.

    Args:
        rows: from `nnjax.reporting.trial_results.rows_of`.
    """
    names = [name for name in results_of(rows[0]) if name == "train_loss" or name.startswith(("test_", "forecast_"))]
    varied = len({row["learning_rate"] for row in rows}) > 1
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ["trial", "seed", *(["learning rate"] if varied else [])]:
        table.add_column(name, justify="right", no_wrap=True)
    for name in names:
        split, _, metric = name.partition("_")
        table.add_column(f"{split} {short_name(metric)}", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    diverged = any(row["diverged"] for row in rows)
    for row, remark in _shown(rows):
        if row is None:
            table.add_row("…", *[""] * (len(table.columns) - 2), remark)
            continue
        table.add_row(
            str(row["trial"]),
            str(row["seed"]),
            *([f"{row['learning_rate']:g}"] if varied else []),
            *(metric_text(name, row[name]) for name in names),
            Text(f"diverged at step {row['diverged']}", style="red") if diverged and row["diverged"] else remark,
        )
    return table


def learning_rates_table(groups: Sequence[Mapping[str, Any]]) -> Table:
    """A row for each learning rate: mean ± standard deviation [95 % interval] of the test metrics over its trials.

    Args:
        groups: mappings with the keys learning_rate and `spread` (by result).
    """
    names = [name for name in groups[0]["spread"] if name.startswith(("test_", "forecast_"))]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("learning rate", justify="right", no_wrap=True)
    for name in names:
        split, _, metric = name.partition("_")
        table.add_column(f"{split} {short_name(metric)}", justify="right")
    table.add_column("trials", justify="right")
    for group in groups:
        spreads = [group["spread"][name] for name in names]
        finite = min((spread["n"] for spread in spreads), default=0)
        table.add_row(
            f"{group['learning_rate']:g}",
            *(spread_text(name, spread) for name, spread in zip(names, spreads, strict=True)),
            str(finite),
        )
    return table


def _shown(rows: Sequence[Mapping[str, Any]]) -> Iterable[tuple[Mapping[str, Any] | None, str]]:
    """The rows to show, each with a remark; None marks omitted rows."""
    if len(rows) <= _MAX_ROWS:
        return [(row, "") for row in rows]
    name, sign = next(
        (name, sign)
        for name, sign in (("forecast_rmse", 1), ("test_accuracy", -1), ("test_loss", 1), ("train_loss", 1))
        if name in rows[0]
    )
    # Results that are not finite come last.
    ordered = sorted(rows, key=lambda row: (not abs(row[name]) < float("inf"), sign * row[name]))
    best, worst = ordered[:_EXTREMES], ordered[-_EXTREMES:]
    left_out = f"{len(rows) - 2 * _EXTREMES} more in trials.csv"
    return [
        *((row, "best" if row is best[0] else "") for row in best),
        (None, left_out),
        *((row, "worst" if row is worst[-1] else "") for row in worst),
    ]
