"""The forecast of the rows after the end of a series, with intervals, and how often such intervals held what came.

    future = forecast_future(experiment, state, series, labels=labels, levels=(0.8, 0.95), paths=1000, seed=0)
    future.values, future.lower[0.8]                     # [12] each, in the unit of the series
    future.coverage[0].inside[0.8], future.coverage[0].count     # 20 of 24 held-out values

A trial's paths add its own one-step errors to its outputs, step by step; the intervals are quantiles over the paths of all
trials, so that they hold the trials' differences, too.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nnjax.config.errors import DataError
from nnjax.data.dataset_spec import DatasetSpec
from nnjax.data.time_series import TimeSeries
from nnjax.training.experiment import Experiment
from nnjax.training.forecast_paths import drawn, one_step_residuals, rolled
from nnjax.training.state import TrainState

Values = NDArray[np.float64]
Source = Literal["unseen", "trained"]

FEWEST = 20
"""Errors of rows that training did not see, from which `auto` takes them rather than those of the rows that it did."""

_ORIGINS = 30  # of a measurement from several origins


@dataclass(frozen=True)
class Coverage:
    """How many true values lay inside the intervals.

    Attributes:
        rows: which rows: `held_out` from the end of the known rows at once, `held_out_rolling` from several origins among them,
            `newer` rows of a file with more of them, `trained` from several origins among the rows of the training.
        first: label of the first origin, the last row that a forecast was made from.
        origins: their number.
        horizon: rows forecast from each.
        source: whose errors made the intervals; `unseen` are the validation rows'.
        residuals: number of errors for each trial.
        count: number of values compared.
        inside: by level, how many lay inside.
        width: by level, the mean width of the intervals, in the unit of the series.
    """

    rows: Literal["held_out", "held_out_rolling", "newer", "trained"]
    first: str
    origins: int
    horizon: int
    source: Source
    residuals: int
    count: int
    inside: Mapping[float, int]
    width: Mapping[float, float]


@dataclass(frozen=True)
class FutureForecast:
    """A forecast of the rows after the known ones.

    Attributes:
        name: of the values.
        labels: [h] the rows' dates.
        values: [h] the mean over the trials.
        lower: by level, [h] the lower ends of the intervals.
        upper: by level, [h] the upper ends.
        trials: [trials, h] each trial's own forecast.
        diverged: trials that are left out, since their forecasts are not finite.
        source: whose one-step errors made the intervals.
        residuals: [trials, n] these errors, scaled as the outputs are.
        coverage: measurements of such intervals.
    """

    name: str
    labels: tuple[str, ...]
    values: Values
    lower: Mapping[float, Values]
    upper: Mapping[float, Values]
    trials: Values
    diverged: tuple[int, ...]
    source: Source
    residuals: Values
    coverage: tuple[Coverage, ...]

    @property
    def spread(self) -> Values:
        """[h] the standard deviation over the trials; 0 for one."""
        kept = np.delete(self.trials, self.diverged, axis=0)
        return kept.std(axis=0, ddof=1) if len(kept) > 1 else np.zeros(kept.shape[1])


def trained_rows(series: TimeSeries, spec: DatasetSpec) -> range:
    """The rows of a run's series whose changes were targets of the training."""
    stop = len(series.known) - spec.num_validation
    return range(stop - spec.num_train, stop)


def validation_rows(series: TimeSeries, spec: DatasetSpec) -> range:
    """The rows of a run's series in the validation split."""
    return range(len(series.known) - spec.num_validation, len(series.known))


def forecast_future(
    experiment: Experiment,
    state: TrainState,
    series: TimeSeries,
    *,
    labels: Sequence[str],
    levels: Sequence[float],
    paths: int,
    seed: int,
    source: Source | Literal["auto"] = "auto",
    newer: int = 0,
) -> FutureForecast:
    """Forecasts the rows after a series' end.

    Args:
        experiment: a run's, with the series that it was trained on.
        state: as placed on the devices.
        series: all of whose values are known (`holdout` is 0), in the run's scale: the run's own, or one with more rows.
        labels: of the rows to forecast.
        levels: of the intervals, such as 0.8.
        paths: number of simulated courses, over all trials.
        seed: of their errors.
        source: whose one-step errors they draw: `unseen`, of validation, held-out and newer rows, or `trained`; `auto` takes
            the first if there are at least `FEWEST`, as errors of the training's own rows are too small where it overfits.
        newer: number of rows at the end of `series` that the run's series does not have.

    Raises:
        DataError: if no trial's forecast is finite, or there are no such errors.
    """
    own, spec, horizon = _own(experiment), experiment.dataset.spec, len(labels)
    end = range(validation_rows(own, spec).start, len(own.values))
    reach = series.transform.difference + series.window
    more = range(max(reach, len(series.values) - newer), len(series.values))
    unseen = _residuals(experiment, state, own, end, series, more)
    known = _residuals(experiment, state, own, trained_rows(own, spec))
    used, residuals = _chosen(source, unseen, known)
    share = -(-paths // len(residuals))  # of each trial
    windows = series.last_window[None]
    noise = drawn(residuals, origins=1, paths=share, horizon=horizon, seed=seed)
    trials = series.restored(rolled(experiment, state, windows, np.zeros((len(residuals), 1, 1, horizon), np.float32))[:, 0, 0])
    good: NDArray[np.bool_] = np.array([bool(np.isfinite(ahead).all()) for ahead in trials])
    if not good.any():
        raise DataError(f"the forecast of {series.name} is not finite; train with a smaller optimizer.learning_rate")
    courses = series.restored(rolled(experiment, state, windows, noise)[good, 0]).reshape(-1, horizon)
    lower, upper = _intervals(courses, levels)
    measured = _Measuring(experiment, state, good, levels, share, seed)
    return FutureForecast(
        series.name,
        tuple(labels),
        trials[good].mean(axis=0),
        lower,
        upper,
        trials,
        tuple(np.flatnonzero(~good).tolist()),
        used,
        residuals,
        tuple(_coverages(measured, own, spec, series, more, source, known, horizon)),
    )


def _own(experiment: Experiment) -> TimeSeries:
    series = experiment.dataset.series
    assert series is not None, "the run's data is no series"
    return series


def _residuals(
    experiment: Experiment,
    state: TrainState,
    own: TimeSeries,
    rows: range,
    series: TimeSeries | None = None,
    more: range = range(0),
) -> Values:
    found = [one_step_residuals(experiment, state, own, rows)]
    if series is not None:
        found.append(one_step_residuals(experiment, state, series, more))
    return np.concatenate(found, axis=1)


def _chosen(source: Source | Literal["auto"], unseen: Values, trained: Values) -> tuple[Source, Values]:
    if source == "auto":
        source = "unseen" if unseen.shape[1] >= FEWEST else "trained"
    residuals = unseen if source == "unseen" else trained
    if not residuals.shape[1]:
        raise DataError(
            f"residuals={source}: there is no such row; choose residuals=trained, or set data.validation in training"
        )
    return source, residuals


def _intervals(courses: Values, levels: Sequence[float]) -> tuple[dict[float, Values], dict[float, Values]]:
    """Lower and upper ends by level: quantiles over the first axis."""
    with np.errstate(invalid="ignore"):  # of paths that run away
        lower = {level: np.quantile(courses, (1 - level) / 2, axis=0) for level in levels}
        upper = {level: np.quantile(courses, (1 + level) / 2, axis=0) for level in levels}
    return lower, upper


# --- coverage ---


@dataclass(frozen=True)
class _Measuring:
    experiment: Experiment
    state: TrainState
    good: NDArray[np.bool_]
    levels: Sequence[float]
    share: int
    seed: int

    def __call__(
        self,
        rows: Literal["held_out", "held_out_rolling", "newer", "trained"],
        series: TimeSeries,
        origins: Sequence[int],
        horizon: int,
        source: Source,
        residuals: Values,
    ) -> Coverage:
        """Compares the intervals from some origins, each the number of values before the forecast, with the true values."""
        windows = np.stack([replace(series, values=series.values[:origin], holdout=0).last_window for origin in origins])
        noise = drawn(residuals, origins=len(origins), paths=self.share, horizon=horizon, seed=self.seed)
        changes = rolled(self.experiment, self.state, windows, noise)[self.good]
        inside, width = dict.fromkeys(self.levels, 0), dict.fromkeys(self.levels, 0.0)
        for place, origin in enumerate(origins):
            courses = series.transform.inverse(changes[:, place], series.values[:origin]).reshape(-1, horizon)
            truth = series.values[origin : origin + horizon]
            lower, upper = _intervals(courses, self.levels)
            for level in self.levels:
                inside[level] += int(np.sum((lower[level] <= truth) & (truth <= upper[level])))
                width[level] += float(np.mean(upper[level] - lower[level])) / len(origins)
        first = series.labels[origins[0] - 1]
        count = horizon * len(origins)
        return Coverage(rows, first, len(origins), horizon, source, residuals.shape[1], count, inside, width)


def _coverages(
    measured: _Measuring,
    own: TimeSeries,
    spec: DatasetSpec,
    series: TimeSeries,
    more: range,
    source: Source | Literal["auto"],
    trained: Values,
    horizon: int,
) -> Iterator[Coverage]:
    """Measures with errors of validation rows and of the training's rows, those that there are."""
    validation = one_step_residuals(measured.experiment, measured.state, own, validation_rows(own, spec))
    pools: list[tuple[Source, Values]] = [("unseen", validation)] if validation.shape[1] else []
    pools.append(("trained", trained))
    if source != "auto":
        pools = [pool for pool in pools if pool[0] == source] or pools
    known, reach = len(own.known), own.transform.difference + own.window
    for name, residuals in pools:
        if own.holdout:
            yield measured("held_out", own, [known], own.holdout, name, residuals)
            short = min(horizon, max(1, own.holdout // 2))
            if own.holdout > short:
                yield measured("held_out_rolling", own, _spaced(known, len(own.values) - short), short, name, residuals)
        if more.start < more.stop and more.start >= reach:
            yield measured("newer", series, [more.start], len(more), name, residuals)
        rows = trained_rows(own, spec)
        ahead = min(horizon, max(1, len(rows) // 2))
        yield measured("trained", own, _spaced(rows.start, rows.stop - ahead), ahead, name, residuals)


def _spaced(first: int, last: int) -> list[int]:
    """At most `_ORIGINS` whole numbers from `first` to `last`, evenly."""
    return sorted({round(place) for place in np.linspace(first, last, min(_ORIGINS, last - first + 1))})
