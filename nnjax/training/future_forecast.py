"""The forecast of the rows after the end of a series, with intervals, and how often such intervals held what came.

    future = forecast_future(experiment, state, series, labels=labels, levels=(0.8, 0.95), paths=1000, seed=0)
    future.values, future.lower[0.8]                     # [12] each, in the unit of the series
    future.coverage[0].inside[0.8], future.coverage[0].count     # 20 of 24 held-out values

A trial's paths add its own one-step errors to its outputs, step by step; the intervals are quantiles over the paths of all
trials, so that they hold the trials' differences, too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nnjax.config.errors import DataError
from nnjax.data.dataset_spec import DatasetSpec
from nnjax.data.time_series import TimeSeries
from nnjax.training.answering_trials import answering_trials
from nnjax.training.experiment import Experiment
from nnjax.training.forecast_coverage import FEWEST_ERRORS, Coverage, Measuring, Source, coverages
from nnjax.training.forecast_paths import drawn, intervals, one_step_residuals, roller
from nnjax.training.state import TrainState

Values = NDArray[np.float64]

FEWEST = 20
"""Errors of rows that training did not see, from which `auto` takes them rather than those of the rows that it did."""


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
        used: the trials that answer: those of one learning rate whose forecasts are finite.
        diverged: trials that are left out, since their forecasts are not finite.
        learning_rate: of the trials that answer, where it varies.
        courses: number of simulated courses.
        lost: how many of them are left out, since they are not finite.
        largest: the largest known value, without its sign.
        unseen: number of rows that training did not see.
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
    used: tuple[int, ...]
    diverged: tuple[int, ...]
    learning_rate: float | None
    courses: int
    lost: int
    largest: float
    unseen: int
    source: Source
    residuals: Values
    coverage: tuple[Coverage, ...]

    @property
    def spread(self) -> Values:
        """[h] the standard deviation over the trials; 0 for one."""
        kept = self.trials[list(self.used)]
        return kept.std(axis=0, ddof=1) if len(kept) > 1 else np.zeros(kept.shape[1])

    @property
    def bias(self) -> tuple[float, float]:
        """The mean of the answering trials' errors, and its standard error, scaled as the outputs are.

        The rows' errors are averaged over the trials, and taken as independent.
        """
        errors = self.residuals[list(self.used)].mean(axis=0)
        return float(errors.mean()), float(errors.std(ddof=1) / np.sqrt(len(errors)))


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
        DataError: if no trial's forecast is finite, or there are fewer than two such errors.
    """
    own, spec, horizon = _own(experiment), experiment.dataset.spec, len(labels)
    end = range(validation_rows(own, spec).start, len(own.values))
    reach = series.transform.difference + series.window
    more = range(max(reach, len(series.values) - newer), len(series.values)) if newer else range(0)
    unseen = one_step_residuals(experiment, state, own, end)
    later = one_step_residuals(experiment, state, series, more)
    known = one_step_residuals(experiment, state, own, trained_rows(own, spec))
    used, residuals = _chosen(source, np.concatenate([unseen, later], axis=1), known)
    roll, windows = roller(experiment, state), series.last_window[None]
    trials = series.restored(roll(windows, np.zeros((len(residuals), 1, 1, horizon), np.float32))[:, 0, 0])
    good: NDArray[np.bool_] = np.array([bool(np.isfinite(ahead).all()) for ahead in trials])
    if not good.any():
        raise DataError(f"the forecast of {series.name} is not finite; train with a smaller optimizer.learning_rate")
    rate, answering = answering_trials(experiment, state, np.flatnonzero(good))
    share = -(-paths // len(answering))  # of each trial
    noise = drawn(residuals, origins=1, paths=share, horizon=horizon, seed=seed)
    courses = series.restored(roll(windows, noise)[answering, 0]).reshape(-1, horizon)
    lower, upper, lost = intervals(courses, levels)
    if lost == len(courses):
        raise DataError(f"no simulated course of {series.name} is finite; train with a smaller optimizer.learning_rate")
    measured = Measuring(experiment, state, answering, levels, share, seed)
    only: Source | None = None if source == "auto" else source
    return FutureForecast(
        series.name,
        tuple(labels),
        trials[answering].mean(axis=0),
        lower,
        upper,
        trials,
        tuple(answering.tolist()),
        tuple(np.flatnonzero(~good).tolist()),
        rate,
        len(courses),
        lost,
        float(np.abs(series.values).max()),
        unseen.shape[1] + later.shape[1],
        used,
        residuals,
        tuple(coverages(measured, own, spec, series, more, only, unseen, known, horizon)),
    )


def _own(experiment: Experiment) -> TimeSeries:
    series = experiment.dataset.series
    assert series is not None, "the run's data is no series"
    return series


def _chosen(source: Source | Literal["auto"], unseen: Values, trained: Values) -> tuple[Source, Values]:
    if source == "auto":
        source = "unseen" if unseen.shape[1] >= min(FEWEST, trained.shape[1] + 1) else "trained"
    residuals = unseen if source == "unseen" else trained
    if (found := residuals.shape[1]) < FEWEST_ERRORS:
        there = "there is no such row" if not found else "there is one such row, whose error alone gives intervals no width"
        raise DataError(f"residuals={source}: {there}; choose residuals=trained, or set data.validation in training")
    return source, residuals
