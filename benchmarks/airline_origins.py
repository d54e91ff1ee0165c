"""Forecasts of the airline passengers from many earlier months: `python benchmarks/airline_origins.py`.

Twenty-four held-out months are one course. Here every method forecasts 24 months from each of 37 earlier rows, 60 to 96, which
uses nothing of the held-out months, from every third of these (13), and then from the row before the held-out months.
`experiment=airline_linear` is a ridge regression, since with full batches its training ends there: it is solved in closed form.
`experiment=airline_fnn` is trained, from the 13 rows. A minute for each of that and Holt-Winters (`pip install -e
'.[statistics]'`).
"""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

import nnjax
from nnjax.data.baselines import season_growth
from nnjax.data.series_file import AIRLINE_FILE
from nnjax.data.smoothing import smoothed
from nnjax.data.time_series import Transform

Values = NDArray[np.float64]
ORIGINS = range(60, 97)
HORIZON, SEASON = 24, 12


def ridge(known: Values, window: int = 13, difference: int = 12, decay: float = 1.0, limit: int | None = None) -> Values:
    """The forecast of `experiment=airline_linear`: least squares on the newest windows plus decay / 2 · Σ weight²."""
    changes = Transform(True, difference)(known)
    count = min(limit or len(known), len(changes) - window)
    seen = changes[-count - window :]
    transform = Transform(True, difference, float(seen.mean()), float(seen.std()))
    scaled = transform(known)
    inputs = np.lib.stride_tricks.sliding_window_view(scaled, window)[-count - 1 : -1]
    design = np.column_stack([inputs, np.ones(count)])
    penalty = np.diag([decay / 2] * window + [0.0])
    weights = np.linalg.solve(design.T @ design / count + penalty, design.T @ scaled[-count:] / count)
    for _ in range(HORIZON):
        scaled = np.append(scaled, scaled[-window:] @ weights[:-1] + weights[-1])
    return transform.inverse(scaled[-HORIZON:], known)


METHODS: dict[str, Callable[[Values], Values | None]] = {
    "airline_linear (13 changes over 12 months, decay 1.0)": ridge,
    "  without decay": lambda known: ridge(known, decay=0.0),
    "  18 changes over 6 months, decay 0.2": lambda known: ridge(known, 18, 6, 0.2),
    "  the newest 48 windows alone": lambda known: ridge(known, limit=48),
    "last year × mean growth": lambda known: season_growth(known, SEASON, HORIZON),
    "Holt-Winters, multiplied": lambda known: smoothed(known, SEASON, HORIZON, "mul"),
    "Holt-Winters, added": lambda known: smoothed(known, SEASON, HORIZON, "add"),
    "the last year, repeated": lambda known: np.resize(known[-SEASON:], HORIZON),
}


def trained(known: Values, truth: Values) -> float:
    """The RMSE of the mean forecast by the eight networks of `experiment=airline_fnn`, trained on these values."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "airline.csv"
        file.write_text("\n".join(["passengers", *map(repr, np.concatenate([known, truth]).tolist())]) + "\n")
        rules = {"file": file, "window": 13, "difference": 12, "season": 12, "transform": "log", "holdout": len(truth)}
        data = ["data=series", *(f"data.{key}={value}" for key, value in rules.items())]
        result = nnjax.fit(nnjax.compose("experiment=airline_fnn", *data, "parallel.devices=1", "report.figures=false"))
    return float(result.summary["forecast"]["together"]["rmse"])


def main() -> None:
    """Prints a table."""
    values = np.loadtxt(AIRLINE_FILE, delimiter=",", skiprows=1, usecols=1)
    print(f"{'RMSE':<54}{'37 origins: mean':>18}{'largest':>9}{'13: mean':>10}{'held-out months':>17}")
    for name, forecast in METHODS.items():
        errors = []
        for origin in (*ORIGINS, len(values) - HORIZON):
            ahead = forecast(values[:origin])
            truth = values[origin : origin + HORIZON]
            errors.append(np.nan if ahead is None else float(np.sqrt(np.mean((ahead - truth) ** 2))))
        mean, few, held_out = np.mean(errors[:-1]), np.mean(errors[:-1:3]), errors[-1]
        print(f"{name:<54}{mean:>18.1f}{np.max(errors[:-1]):>9.1f}{few:>10.1f}{held_out:>17.2f}")
    errors = [trained(values[:origin], values[origin : origin + HORIZON]) for origin in (*ORIGINS[::3], len(values) - HORIZON)]
    print(f"{'airline_fnn (eight networks, their mean forecast)':<54}{np.mean(errors[:-1]):>37.1f}{errors[-1]:>17.2f}")


if __name__ == "__main__":
    main()
