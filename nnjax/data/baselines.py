"""Forecasts that people would make without a network, which a network has to beat.

    found = baselines(series)
    found["season_growth"]                   # [holdout] forecasts of the held-out values, from those before them

Each uses the known values alone. `nnjax.training.forecast` adds the two naive forecasts, which only repeat values.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from nnjax.data.smoothing import smoothed
from nnjax.data.time_series import TimeSeries

Values = NDArray[np.float64]

_MOST_NUMBERS = 20_000_000  # of a regression's windows, 160 MB


def baselines(series: TimeSeries) -> dict[str, Values]:
    """Returns forecasts [holdout] of a series' held-out values by method, those that the known values suffice for.

    `season_growth`, `lag_regression`, and `holt_winters_additive` and `holt_winters_multiplicative` where statsmodels is
    installed; in this order.
    """
    known, season, horizon = series.known, series.season, series.holdout
    methods: Mapping[str, Callable[[], Values | None]] = {
        "season_growth": lambda: season_growth(known, season, horizon),
        "lag_regression": lambda: lag_regression(series, horizon),
        "holt_winters_additive": lambda: smoothed(known, season, horizon, "add"),
        "holt_winters_multiplicative": lambda: smoothed(known, season, horizon, "mul"),
    }
    with np.errstate(over="ignore", invalid="ignore"):  # a long growth; what is not finite is left out
        found = {name: forecast() for name, forecast in methods.items()} if horizon else {}
    return {name: ahead for name, ahead in found.items() if ahead is not None and np.isfinite(ahead).all()}


def season_growth(known: Values, season: int, horizon: int) -> Values | None:
    """Forecasts the last season times the mean growth from season to season; None for fewer than two seasons.

    The growth is the geometric mean of the ratios of successive seasons' sums; where a value is not above 0, the mean
    difference of their means is added instead.

    Args:
        known: [n] values.
        season: values until the pattern repeats.
        horizon: number of values to forecast.
    """
    count = len(known) // season
    if count < 2:
        return None
    seasons = known[-count * season :].reshape(count, season)
    ahead = np.arange(horizon) // season + 1
    last = np.resize(seasons[-1], horizon)
    means = seasons.mean(axis=1)
    forecast: Values
    if known.min() > 0:
        forecast = last * (means[-1] / means[0]) ** (ahead / (count - 1))
    else:
        forecast = last + ahead * (means[-1] - means[0]) / (count - 1)
    return forecast


def lag_regression(series: TimeSeries, horizon: int) -> Values | None:
    """Forecasts by a linear regression on the inputs that the network gets: its window, transform and scale.

    Ordinary least squares with an intercept over all known windows, in closed form (the smallest coefficients where several
    fit), then its own forecasts become inputs, as for the network.

    Args:
        series: the training data.
        horizon: number of values to forecast.

    Returns:
        [horizon] forecasts; None without a window.
    """
    window, stop = series.window, len(series.known)
    first = max(series.transform.difference + window, stop - _MOST_NUMBERS // window)
    if first >= stop:
        return None
    inputs, targets = series.windows(range(first, stop))
    design = np.column_stack([inputs[:, :, 0].astype(np.float64), np.ones(len(inputs))])
    weights = np.linalg.lstsq(design, targets[:, 0].astype(np.float64), rcond=None)[0]
    changes = list(series.last_window[:, 0].astype(np.float64))
    for _ in range(horizon):
        with np.errstate(over="ignore", invalid="ignore"):  # an unstable recursion
            changes.append(float(np.dot(changes[-window:], weights[:-1]) + weights[-1]))
    return series.restored(np.array(changes[window:]))
