"""Checks of a time series against what is cut from it: windows, held-out values, a season, a batch.

problems = list(series_problems(config))
"""

import math
from collections.abc import Iterator
from pathlib import Path

from nnjax.config.data_options import SeriesData, SeriesOptions
from nnjax.config.errors import DataError
from nnjax.config.problems import Problem
from nnjax.config.provenance import shown_path
from nnjax.config.schema import Config
from nnjax.config.series_file import Series, read_series

_CONSTANT = 1e-9  # differences of values that lie closer than this share of them are rounding


def series_problems(config: Config) -> Iterator[Problem]:
    """What does not go together in a series; nothing for other data.

    Raises:
        DataError: if a person's own file cannot be read, holds too little for the config, or a constant.
    """
    data = config.data
    if not isinstance(data, SeriesOptions):
        return
    series = read_series(data)
    if reason := _too_short(data, len(series.values), config.training.global_batch_size) or _constant(data, series):
        if isinstance(data, SeriesData):
            raise DataError(f"data.file={shown_path(Path(data.file))}: {reason}")
        yield Problem("data", data.name, reason)
    elif data.season > (known := len(series.values) - data.holdout):
        yield Problem("data.season", data.season, f"must be at most {known}, the values before the held-out ones")


def _too_short(data: SeriesOptions, count: int, batch_size: int) -> str | None:
    parts = {
        "data.window": data.window,
        "data.difference": data.difference,
        "data.holdout": data.holdout,
        "training.global_batch_size": batch_size,
    }
    parts = {key: size for key, size in parts.items() if size}
    needed = sum(parts.values())
    if count >= needed:
        return None
    terms = " + ".join(f"{key}={size}" for key, size in parts.items())
    return f"has {count} values; needs at least {needed}: {terms}; make one of these smaller"


def _constant(data: SeriesOptions, series: Series) -> str | None:
    values = series.values[: len(series.values) - data.holdout]
    if data.transform == "log":
        values = tuple(math.log(value) for value in values)
    changes = [after - before for before, after in zip(values, values[data.difference :], strict=False)]
    seen = changes if data.difference else values
    if max(seen) - min(seen) > _CONSTANT * max(map(abs, values)):
        return None
    if data.difference:
        what = f"the change over data.difference={data.difference} is always the same"
        return f"{series.name}: before the held-out values {what}; there is nothing to learn: make data.difference smaller"
    return f"{series.name} is {series.values[0]:g} in every row before the held-out ones; there is nothing to learn"
