"""What several trials of a network come to: means, spreads, a row for each, and `trials.csv`.

spread([0.97, 0.98, 0.96])                         # Spread(mean=0.97, std=0.01, low=0.945, high=0.995, n=3)
summary |= trials_summary(rows_of(trials, {"test": {"loss": [0.1, 0.2], "accuracy": [0.97, 0.95]}}, steps=600, diverged={}))
"""

import csv
import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nnjax.checks.trials import Trial
from nnjax.reporting.files import replacing

Numbers = float | list[float]
"""A number of one network, or a list of one for each trial."""

_ABOUT = ("trial", "seed", "learning_rate", "steps", "diverged")  # of a row, what is no result


@dataclass(frozen=True)
class Spread:
    """Of a number over the trials.

    Attributes:
        mean: over the trials whose number is finite.
        std: their sample standard deviation; NaN for fewer than two.
        low: lower end of the 95 % interval of the mean by Student's t; NaN likewise.
        high: its upper end.
        n: how many trials that are.
    """

    mean: float
    std: float
    low: float
    high: float
    n: int


def spread(values: Sequence[float]) -> Spread:
    """Mean, standard deviation and 95 % interval of the mean, mean ± t · std / √n, with t of n − 1 degrees of freedom.

    Args:
        values: one a trial; those that are not finite, of trials that diverged, are left out.
    """
    numbers = np.asarray(values, np.float64)
    finite = numbers[np.isfinite(numbers)]
    if len(finite) < 2:
        return Spread(float(finite[0]) if len(finite) else math.nan, math.nan, math.nan, math.nan, len(finite))
    mean, std = float(finite.mean()), float(finite.std(ddof=1))
    half = _student_t(len(finite) - 1) * std / math.sqrt(len(finite))
    return Spread(mean, std, mean - half, mean + half, len(finite))


@functools.cache
def _student_t(degrees: int) -> float:
    """The 97.5 % quantile of Student's t."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, 0.975))


def means(metrics: Mapping[str, Numbers]) -> dict[str, float]:
    """Each metric's mean over the trials whose number is finite; of one network its numbers."""
    return {name: spread(values).mean if isinstance(values, list) else values for name, values in metrics.items()}


def with_spread(metrics: Mapping[str, Numbers]) -> dict[str, float]:
    """The metrics of a record: of trials also NAME_std, NAME_low and NAME_high, and how many `trials` they are of."""
    record: dict[str, float] = {}
    for name, values in metrics.items():
        if isinstance(values, list):
            found = spread(values)
            record |= {name: found.mean, f"{name}_std": found.std, f"{name}_low": found.low, f"{name}_high": found.high}
            record["trials"] = found.n
        else:
            record[name] = values
    return record


def rows_of(
    trials: Sequence[Trial],
    splits: Mapping[str, Mapping[str, Numbers]],
    *,
    steps: int,
    diverged: Mapping[int, int],
) -> list[dict[str, Any]]:
    """A row for each trial.

    Args:
        trials: in order.
        splits: from train, validation, test and forecast to their metrics, lists of one number for each trial.
        steps: that each was trained.
        diverged: from the number of a trial to the step at which its loss stopped being finite.

    Returns:
        Trial (counted from 0), seed, learning_rate, steps, diverged (a step, or None) and SPLIT_METRIC.
    """
    return [
        {
            "trial": index,
            "seed": trial.seed,
            "learning_rate": trial.learning_rate,
            "steps": steps,
            "diverged": diverged.get(index),
            **{
                f"{split}_{name}": values[index]
                for split, metrics in splits.items()
                for name, values in metrics.items()
                if isinstance(values, list)
            },
        }
        for index, trial in enumerate(trials)
    ]


def trials_summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """For `summary.json`: `trials`, the rows; `spread` by result, such as test_loss; and, where they vary, `learning_rates`.

    Args:
        rows: as `rows_of` makes them.
    """
    rates = list(dict.fromkeys(row["learning_rate"] for row in rows))
    groups = [[row for row in rows if row["learning_rate"] == rate] for rate in rates]
    summary: dict[str, Any] = {"trials": list(rows), "spread": _spreads(rows)}
    if len(rates) > 1:
        summary["learning_rates"] = [
            {"learning_rate": rate, "spread": _spreads(group)} for rate, group in zip(rates, groups, strict=True)
        ]
    return summary


def forecast_errors(forecasts: Sequence[Mapping[str, Any]]) -> dict[str, Numbers]:
    """RMSE and MAE of each trial's forecast, from their summaries."""
    return {name: [forecast[name] for forecast in forecasts] for name in ("rmse", "mae")}


def mean_forecast(forecasts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The summary of a forecast, its errors the means over the trials'."""
    return {**forecasts[0], **means(forecast_errors(forecasts))}


def results_of(row: Mapping[str, Any]) -> list[str]:
    """The names of a row's results, such as test_loss."""
    return [name for name in row if name not in _ABOUT]


def seeds_make_no_difference(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether trials of one learning rate and several seeds came to the same numbers, as where an experiment draws nothing."""
    names = results_of(rows[0])
    results = {
        row["learning_rate"]: {
            repr([other[name] for name in names]) for other in rows if other["learning_rate"] == row["learning_rate"]
        }
        for row in rows
    }
    return len(results) < len(rows) and all(len(different) == 1 for different in results.values())


def write_trials(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Writes the rows as CSV, whole or not at all; nothing stands where a trial did not diverge."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _spreads(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    return {name: asdict(spread([row[name] for row in rows])) for name in results_of(rows[0])}
