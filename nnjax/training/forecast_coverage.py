"""How often intervals held the values that came: forecasts from earlier rows, compared with the rows after them.

    measured = Measuring(experiment, state, used, levels=(0.8, 0.95), share=1000, seed=0)
    measured("held_out", series, [120], 24, "trained", errors).inside[0.8]       # 20 of 24

The errors that make the intervals are never those of the rows that are compared.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nnjax.data.dataset_spec import DatasetSpec
from nnjax.data.time_series import TimeSeries
from nnjax.training.experiment import Experiment
from nnjax.training.forecast_paths import Roll, drawn, intervals, roller
from nnjax.training.state import TrainState

Values = NDArray[np.float64]
Rows = Literal["held_out", "held_out_rolling", "held_out_halves", "newer", "trained"]
Source = Literal["unseen", "trained"]
Pool = tuple[Source, Values]

FEWEST_ERRORS = 2
"""One error, less its mean, is 0: its intervals would have no width."""

_ORIGINS = 30  # of a measurement from several origins
_MOST_AT_ONCE = 4_000_000  # values of all courses from some origins


@dataclass(frozen=True)
class Coverage:
    """How many true values lay inside the intervals.

    Attributes:
        rows: which rows: `held_out` from the end of the known rows at once (of very many the first), `held_out_rolling` from
            several origins among them, `held_out_halves` from several origins in their second half, with the errors of the
            first, `newer` rows of a file with more of them, at once as well, `trained` from several origins among the rows of
            the training.
        first: label of the first origin, the last row that a forecast was made from.
        origins: their number.
        horizon: rows forecast from each.
        source: whose errors made the intervals; `unseen` are rows before those compared that training did not see.
        residuals: number of errors for each trial.
        count: number of values compared; a row that several origins forecast counts for each.
        distinct: number of rows compared.
        inside: by level, how many lay inside.
        width: by level, the mean width of the intervals that are finite, in the unit of the series.
    """

    rows: Rows
    first: str
    origins: int
    horizon: int
    source: Source
    residuals: int
    count: int
    distinct: int
    inside: Mapping[float, int]
    width: Mapping[float, float]


@dataclass(frozen=True)
class Measuring:
    """Compares intervals with the values that came.

    Attributes:
        experiment: the network and the devices.
        state: as placed on the devices.
        used: the trials that answer.
        levels: of the intervals.
        share: number of courses of a trial from each origin.
        seed: of the errors.
    """

    experiment: Experiment
    state: TrainState
    used: NDArray[np.intp]
    levels: Sequence[float]
    share: int
    seed: int

    @property
    def longest(self) -> int:
        """Rows of a course that there is memory for."""
        return max(1, _MOST_AT_ONCE // (len(self.experiment.plan.trials) * self.share))

    @cached_property
    def roll(self) -> Roll:
        """The network, compiled."""
        return roller(self.experiment, self.state)

    def __call__(
        self, rows: Rows, series: TimeSeries, origins: Sequence[int], horizon: int, source: Source, residuals: Values
    ) -> Coverage:
        """Compares the intervals from some origins, each the number of values before the forecast, with the true values."""
        inside = dict.fromkeys(self.levels, 0)
        widths: dict[float, list[Values]] = {level: [] for level in self.levels}
        at_once = max(1, _MOST_AT_ONCE // (len(residuals) * self.share * horizon))
        for start in range(0, len(origins), at_once):
            some = origins[start : start + at_once]
            windows = np.stack([replace(series, values=series.values[:origin], holdout=0).last_window for origin in some])
            noise = drawn(residuals, origins=len(some), paths=self.share, horizon=horizon, seed=self.seed + start)
            changes = self.roll(windows, noise)[self.used]
            for place, origin in enumerate(some):
                courses = series.transform.inverse(changes[:, place], series.values[:origin]).reshape(-1, horizon)
                truth = series.values[origin : origin + horizon]
                lower, upper, _ = intervals(courses, self.levels)
                for level in self.levels:
                    inside[level] += int(np.sum((lower[level] <= truth) & (truth <= upper[level])))
                    widths[level].append(upper[level] - lower[level])
        distinct = len({row for origin in origins for row in range(origin, origin + horizon)})
        return Coverage(
            rows,
            series.labels[origins[0] - 1],
            len(origins),
            horizon,
            source,
            residuals.shape[1],
            horizon * len(origins),
            distinct,
            inside,
            {level: _finite_mean(np.concatenate(widths[level])) for level in self.levels},
        )


def coverages(
    measured: Measuring,
    own: TimeSeries,
    spec: DatasetSpec,
    series: TimeSeries,
    newer: range,
    only: Source | None,
    unseen: Values,
    trained: Values,
    horizon: int,
) -> Iterator[Coverage]:
    """Measures with errors of rows that training did not see, before those compared, and of the training's rows.

    Args:
        measured: compares.
        own: the run's series.
        spec: the run's data.
        series: what is forecast from.
        newer: its rows that the run's series does not have.
        only: the errors to measure with, where there are such.
        unseen: [trials, n] errors of the validation and the held-out rows.
        trained: [trials, n] errors of the training's rows.
        horizon: of the forecast.
    """
    known, validation = len(own.known), unseen[:, : spec.num_validation]
    end = len(own.values)
    rows = range(known - spec.num_validation - spec.num_train, known - spec.num_validation)
    for name, residuals in _pools(only, validation, trained):
        if own.holdout:
            yield measured("held_out", own, [known], min(own.holdout, measured.longest), name, residuals)
            short = min(horizon, max(1, own.holdout // 2))
            if own.holdout > short:
                yield measured("held_out_rolling", own, _spaced(known, end - short), short, name, residuals)
        ahead = min(horizon, max(1, len(rows) // 2))
        yield measured("trained", own, _spaced(rows.start, rows.stop - ahead), ahead, name, residuals)
    half = own.holdout // 2
    if half >= FEWEST_ERRORS and validation.shape[1] < FEWEST_ERRORS and only != "trained":
        short = min(horizon, max(1, half // 2))
        first_half = unseen[:, -own.holdout :][:, : own.holdout - half]
        yield measured("held_out_halves", own, _spaced(end - half, end - short), short, "unseen", first_half)
    if newer:
        for name, residuals in _pools(only, unseen, trained):
            yield measured("newer", series, [newer.start], min(len(newer), measured.longest), name, residuals)


def _pools(only: Source | None, unseen: Values, trained: Values) -> list[Pool]:
    pools: list[Pool] = [("unseen", unseen), ("trained", trained)]
    pools = [pool for pool in pools if pool[1].shape[1] >= FEWEST_ERRORS]
    return [pool for pool in pools if pool[0] == only] or pools


def _finite_mean(values: Values) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else float("inf")


def _spaced(first: int, last: int) -> list[int]:
    """At most `_ORIGINS` whole numbers from `first` to `last`, evenly."""
    return sorted({round(place) for place in np.linspace(first, last, min(_ORIGINS, last - first + 1))})
