"""Checks that a time series is long enough for its windows, held-out values, season and batches, and is not constant.

problems = list(series_problems(config))
"""

import math
from array import array
from collections.abc import Iterator, Sequence
from operator import sub
from pathlib import Path

from nnjax.checks.file_checks import file_problems
from nnjax.config.data_options import SeriesData, SeriesOptions
from nnjax.config.diagnostics import Problem, count
from nnjax.config.errors import DataError
from nnjax.config.paths import shown_path
from nnjax.config.schema import Config
from nnjax.data.series_file import Series, read_series

_CONSTANT = 1e-9  # relative difference up to which values count as equal, since rounding makes it
_LARGEST = 1e100  # squares of such values can be added in float64
_LARGEST_UNSCALED = 1e18  # squares of such values can be added in float32, which the network uses


def series_problems(config: Config) -> Iterator[Problem]:
    """Yields the problems of a series; none for other data.

    Raises:
        DataError: if a person's own file cannot be read, holds too little for the config, a constant, or a huge number.
    """
    data = config.data
    if not isinstance(data, SeriesOptions):
        return
    if data.limit_test is not None:
        yield Problem("data.limit_test", data.limit_test, "has no use for a series; choose null, and data.holdout")
    if too_large := list(file_problems(data, config.parallel.memory_limit)):
        yield from too_large
        return
    series = read_series(data)
    reason = (
        _too_large(data, series)
        or _constant(data, series)
        or _too_short(data, len(series.values), config.training.global_batch_size)
        or _constant_change(data, series)
    )
    if reason:
        if isinstance(data, SeriesData):
            raise DataError(f"data.file={shown_path(Path(data.file))}: {reason}")
        yield Problem("data", data.name, reason)
    elif data.season > (known := len(series.values) - data.holdout):
        yield Problem("data.season", data.season, f"must be at most {known}, the values before the held-out ones")


def _too_large(data: SeriesOptions, series: Series) -> str | None:
    largest = _LARGEST if data.normalize or data.transform == "log" else _LARGEST_UNSCALED
    if max(map(abs, series.values)) <= largest:
        return None
    line, value = next((line, value) for line, value in zip(series.lines, series.values, strict=True) if abs(value) > largest)
    scale = "" if largest == _LARGEST else ", or say data.normalize=true"
    return f"line {line}: {series.name} is {value:g}; must be at most {largest:g}: write it in a larger unit{scale}"


def _constant(data: SeriesOptions, series: Series) -> str | None:
    values = _known(data, series)
    if len(values) < 2 or not _alike(values, values):
        return None
    return f"{series.name} is {values[0]:g} in every row before the held-out ones; there is nothing to learn"


def _too_short(data: SeriesOptions, size: int, batch_size: int) -> str | None:
    parts = {
        "data.window": data.window,
        "data.difference": data.difference,
        "data.holdout": data.holdout,
        "training.global_batch_size": batch_size,
    }
    parts = {key: part for key, part in parts.items() if part}
    needed = sum(parts.values())
    if size >= needed:
        return None
    terms = " + ".join(f"{key}={part}" for key, part in parts.items())
    return f"has {count(size, 'value')}; needs at least {needed}: {terms}; make one of these smaller"


def _constant_change(data: SeriesOptions, series: Series) -> str | None:
    values = _known(data, series)
    if data.transform == "log":
        values = array("d", map(math.log, values))
    if not data.difference or not _alike(array("d", map(sub, values[data.difference :], values)), values):
        return None
    what = f"the change over data.difference={data.difference} is always the same"
    return f"{series.name}: before the held-out values {what}; there is nothing to learn: make data.difference smaller"


def _known(data: SeriesOptions, series: Series) -> Sequence[float]:
    """The values before the held-out ones."""
    return series.values[: max(0, len(series.values) - data.holdout)]


def _alike(numbers: Sequence[float], values: Sequence[float]) -> bool:
    """Whether numbers computed from `values` differ by rounding alone."""
    return max(numbers) - min(numbers) <= _CONSTANT * max(map(abs, values))
