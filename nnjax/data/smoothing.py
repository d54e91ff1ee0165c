"""Exponential smoothing by statsmodels, where it is installed; a forecast once made is kept in the cache.

    ahead = smoothed(known, season=12, horizon=24, kind="mul")

Importing statsmodels and fitting take two seconds, as long as a small training; with the forecast in `cache_directory()`, later
runs on the same values, such as a sweep's, read it in a millisecond.
"""

import hashlib
import json
import warnings
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nnjax.config.paths import cache_directory
from nnjax.config.stored_files import write_text

Values = NDArray[np.float64]
Kind = Literal["add", "mul"]

_LONGEST = 2_000  # values: a fit takes a second for each thousand
_MOST_BYTES = 1_000_000  # of an entry of the cache


def smoothed(known: Values, season: int, horizon: int, kind: Kind) -> Values | None:
    """Forecasts by exponential smoothing with a trend and a season (Winters, 1960).

    Args:
        known: [n] values.
        season: values until the pattern repeats.
        horizon: number of values to forecast.
        kind: whether trend and season are added, or multiply, which needs values above 0.

    Returns:
        [horizon] forecasts; None where statsmodels is not installed, or for fewer than two seasons, no season, or more values
        than it fits within seconds; None with a warning where statsmodels fails.
    """
    if (entry := _entry(known, season, horizon, kind)) is None:
        return None
    found = _read(entry, horizon)
    if found is None:
        try:
            found = _fitted(known, season, horizon, kind)
        except Exception as error:  # a comparison must not end a training: of a damaged installation, or of a fit
            _warn(f"no forecast by Holt-Winters to compare with: statsmodels fails: {type(error).__name__}: {error}")
            return None
        _write(entry, found)
    return np.array(found)


@cache
def _warn(text: str) -> None:
    """Warns once in a process, not for each kind of fit."""
    warnings.warn(text, RuntimeWarning, stacklevel=3)


def statsmodels_version() -> str | None:
    """The installed version; None without statsmodels. Imports nothing."""
    with suppress(metadata.PackageNotFoundError):
        return metadata.version("statsmodels")
    return None


def preload_smoothing(known: Values, season: int, horizon: int) -> None:
    """Imports statsmodels where forecasts of these values will need it; call it in a thread while the devices compute."""
    kinds: tuple[Kind, ...] = ("add", "mul")
    entries = [_entry(known, season, horizon, kind) for kind in kinds]
    if any(entry is not None and not entry.exists() for entry in entries):
        import statsmodels.tsa.holtwinters  # noqa: F401


def _fitted(known: Values, season: int, horizon: int, kind: Kind) -> list[float]:
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # a fit that does not converge forecasts worse
        model = ExponentialSmoothing(
            known, trend=kind, seasonal=kind, seasonal_periods=season, initialization_method="estimated"
        )
        return list(map(float, model.fit().forecast(horizon)))


# --- cache ---


def _entry(known: Values, season: int, horizon: int, kind: Kind) -> Path | None:
    """The file of a forecast, named after all that it depends on; None where there is no forecast."""
    fits = season >= 2 and 2 * season < len(known) <= _LONGEST and (kind == "add" or known.min() > 0)
    version = statsmodels_version() if fits else None
    if version is None:
        return None
    about = json.dumps([version, np.__version__, season, horizon, kind, known.tolist()])
    return cache_directory() / f"smoothing-{hashlib.sha256(about.encode()).hexdigest()[:32]}.json"


def _read(entry: Path, horizon: int) -> list[float] | None:
    """A forecast from its file; None where that is missing or damaged."""
    with suppress(OSError, ValueError, TypeError, KeyError):
        if entry.stat().st_size <= _MOST_BYTES:
            stored = json.loads(entry.read_text(encoding="utf-8"))
            ahead = [float(value) for value in stored["forecast"]]
            if len(ahead) == horizon and stored["checksum"] == _checksum(ahead):
                return ahead
    return None


def _write(entry: Path, ahead: Sequence[float]) -> None:
    with suppress(OSError):  # no place for a cache
        entry.parent.mkdir(parents=True, exist_ok=True)
        write_text(entry, json.dumps({"forecast": list(ahead), "checksum": _checksum(ahead)}))


def _checksum(ahead: Sequence[float]) -> str:
    return hashlib.sha256(json.dumps(list(ahead)).encode()).hexdigest()
