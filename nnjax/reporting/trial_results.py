"""The results of several trials: means, spreads, a row for each trial, and `trials.csv`.

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
"""A single network's number, or a list with one for each trial."""

_ABOUT = ("trial", "seed", "learning_rate", "steps", "diverged")  # a row's columns that are not results


@dataclass(frozen=True)
class Spread:
    """A result's mean and spread over the trials with a finite value.

    Attributes:
        mean: the mean.
        std: sample standard deviation; NaN for fewer than two trials.
        low: lower end of the mean's 95 % interval by Student's t; NaN for fewer than two trials.
        high: its upper end.
        n: number of trials with a finite value.
    """

    mean: float
    std: float
    low: float
    high: float
    n: int


def spread(values: Sequence[float]) -> Spread:
    """Mean, standard deviation and the mean's 95 % interval, mean ± t · std / √n, with t for n − 1 degrees of freedom.

    Args:
        values: one for each trial; values of diverged trials, which are not finite, are left out.
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
    """Each metric's mean over the trials with a finite value; a single network's metrics unchanged."""
    return {name: spread(values).mean if isinstance(values, list) else values for name, values in metrics.items()}


def with_spread(metrics: Mapping[str, Numbers]) -> dict[str, float]:
    """A record's metrics; for several trials with NAME_std, NAME_low, NAME_high and the number of finite `trials`."""
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
        splits: metrics by split (train, validation, test, forecast); each metric lists one number for each trial.
        steps: number of training steps.
        diverged: by trial number, the step at which its loss stopped being finite in the training. A trial with another loss
            here that is not finite, as that of the test after the last step, diverged after `steps`.

    Returns:
        Trial (counted from 0), seed, learning_rate, steps, diverged (a step, or None) and SPLIT_METRIC.
    """
    losses = [metrics["loss"] for metrics in splits.values() if isinstance(metrics.get("loss"), list)]
    lost = np.flatnonzero(~np.isfinite(np.array(losses)).all(axis=0)).tolist()
    diverged = dict.fromkeys(lost, steps) | dict(diverged)
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
    """Entries of `summary.json`: `trials`, the rows; `spread` by result, such as test_loss; and `learning_rates`, if they vary.

    Args:
        rows: from `rows_of`.
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
    """RMSE and MAE of each trial's forecast, from the forecasts' summaries."""
    return {name: [forecast[name] for forecast in forecasts] for name in ("rmse", "mae")}


def mean_forecast(forecasts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A forecast's summary with the errors' means over the trials."""
    return {**forecasts[0], **means(forecast_errors(forecasts))}


def results_of(row: Mapping[str, Any]) -> list[str]:
    """The names of a row's results, such as test_loss, in order."""
    return [name for name in row if name not in _ABOUT]


def seeds_make_no_difference(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether trials that differ only in the seed have equal results, as in an experiment without randomness."""
    names = results_of(rows[0])
    results = {
        row["learning_rate"]: {
            repr([other[name] for name in names]) for other in rows if other["learning_rate"] == row["learning_rate"]
        }
        for row in rows
    }
    return len(results) < len(rows) and all(len(different) == 1 for different in results.values())


def write_trials(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Writes the rows atomically as CSV; `diverged` is empty for a trial that did not.

    The file's name before 0.2, `copies.csv`, is removed: a resumed run would keep it with outdated numbers.
    """
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    path.with_name("copies.csv").unlink(missing_ok=True)


def _spreads(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    return {name: asdict(spread([row[name] for row in rows])) for name in results_of(rows[0])}
