"""Exponential smoothing by statsmodels, where it is installed.

ahead = smoothed(known, season=12, horizon=24, kind="mul")
"""

import importlib.util
import warnings
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

_LONGEST = 2_000  # values: a fit takes a second for each thousand


def smoothed(known: Values, season: int, horizon: int, kind: Literal["add", "mul"]) -> Values | None:
    """Forecasts by exponential smoothing with a trend and a season (Winters, 1960).

    Args:
        known: [n] values.
        season: values until the pattern repeats.
        horizon: number of values to forecast.
        kind: whether trend and season are added, or multiply, which needs values above 0.

    Returns:
        [horizon] forecasts; None where statsmodels is not installed, or for fewer than two seasons, no season, or more values
        than it fits within seconds.
    """
    fits = season >= 2 and 2 * season < len(known) <= _LONGEST and (kind == "add" or known.min() > 0)
    if not fits or not has_statsmodels():
        return None
    return np.array(_fitted(tuple(known.tolist()), season, horizon, kind))


@lru_cache(maxsize=16)  # jobs of a sweep ask for the same
def _fitted(known: tuple[float, ...], season: int, horizon: int, kind: Literal["add", "mul"]) -> tuple[float, ...]:
    smoothing = _import_smoothing()
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # a fit that does not converge forecasts worse
        model = smoothing(
            np.array(known), trend=kind, seasonal=kind, seasonal_periods=season, initialization_method="estimated"
        )
        ahead = model.fit().forecast(horizon)
    return tuple(map(float, ahead))


def has_statsmodels() -> bool:
    """Whether Holt-Winters can be fitted; imports nothing."""
    return importlib.util.find_spec("statsmodels") is not None


def preload_smoothing() -> None:
    """Imports statsmodels where it is installed, which takes a second; call it in a thread while the devices compute."""
    if has_statsmodels():
        _import_smoothing()


def _import_smoothing() -> Any:
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    return ExponentialSmoothing
