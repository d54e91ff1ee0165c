"""The forecast of the held-out end of a series from its beginning, and the naive forecasts that it has to beat.

    forecast, *_ = make_forecasts(experiment, state, dataset.series)
    forecast.errors["network"]               # {"rmse": 14.9, "mae": 11.7}, in the unit of the series

The network gets the last known window and then its own forecasts, one after another: it sees no held-out value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from numpy.typing import NDArray

from nnjax.checks.trials import Trial
from nnjax.data.baselines import baselines
from nnjax.data.time_series import TimeSeries
from nnjax.training.answering_trials import differ_in_rate
from nnjax.training.experiment import Experiment
from nnjax.training.state import Pytree, TrainState


@dataclass(frozen=True)
class Forecast:
    """Forecasts of the end of a series.

    Attributes:
        name: the name of the values.
        labels: each value's date, or its number where the file has no dates.
        values: [n] all true values.
        season: values until the pattern repeats.
        methods: [holdout] forecasts of the last values. `network`, and `last_season`, which repeats the last known season,
            use the same values; `season_before`, the true value of one season earlier, uses later ones where holdout > season.
        baselines: [holdout] forecasts by further methods, from `nnjax.data.baselines`.
    """

    name: str
    labels: tuple[str, ...]
    values: NDArray[np.float64]
    season: int
    methods: Mapping[str, NDArray[np.float64]]
    baselines: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    @property
    def errors(self) -> dict[str, dict[str, float]]:
        """Root mean squared error and mean absolute error of each of `methods`, in the unit of the series."""
        return self._errors(self.methods)

    def _errors(self, methods: Mapping[str, NDArray[np.float64]]) -> dict[str, dict[str, float]]:
        off = {name: ahead - self.values[-len(ahead) :] for name, ahead in methods.items()}
        with np.errstate(over="ignore", invalid="ignore"):  # a network that learned nothing may forecast anything
            return {
                name: {"rmse": float(np.sqrt(np.mean(error**2))), "mae": float(np.mean(np.abs(error)))}
                for name, error in off.items()
            }

    @property
    def summary(self) -> dict[str, Any]:
        """The part of `summary.json`: rows, the network's errors, the naive methods', and those of `baselines`, if any."""
        labels = self.labels[-len(self.methods["network"]) :]
        naive = self.errors
        network = naive.pop("network")
        rows = {"of": self.name, "first": labels[0], "last": labels[-1], "count": len(labels)}
        others = {"baselines": self._errors(self.baselines)} if self.baselines else {}
        return {**rows, **network, "naive": naive, **others}


def make_forecasts(experiment: Experiment, state: TrainState, series: TimeSeries) -> list[Forecast]:
    """Forecasts the held-out values, once for each trial.

    Args:
        experiment: the network and the devices.
        state: as placed on the devices.
        series: the training data.
    """

    def roll(params: Pytree, model_state: Pytree, window: jax.Array) -> jax.Array:
        def step(window: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
            outputs, _ = experiment.recipe.network.apply(params, model_state, window[None], train=False)
            return jnp.concatenate([window[1:], outputs]), outputs[0, 0]

        return lax.scan(step, window, length=series.holdout)[1]

    def roll_all(params: Pytree, model_state: Pytree, window: jax.Array) -> Any:
        return placement.map(lambda own: roll(own[0], own[1], window), (params, model_state))

    placement, known = experiment.placement, series.known
    window = placement.replicate(series.last_window)
    outputs = placement.get(placement.compile(roll_all)(state.params, state.model_state, window))
    first = len(known) - series.season
    naive = {
        "last_season": np.resize(known[first:], series.holdout),
        "season_before": series.values[first : first + series.holdout],
    }
    others = baselines(series)
    return [
        Forecast(series.name, series.labels, series.values, series.season, {"network": series.restored(ahead), **naive}, others)
        for ahead in outputs.reshape(len(experiment.plan.trials), -1)
    ]


def errors_together(forecasts: Sequence[Forecast], trials: Sequence[Trial]) -> dict[str, dict[str, float]]:
    """The errors of several trials' mean forecast, as `together`; empty for one, and for trials of several learning rates.

    Forecasts that are not finite are left out.

    Args:
        forecasts: one for each trial.
        trials: what they differ in.
    """
    if differ_in_rate(trials):
        return {}
    ahead = [forecast.methods["network"] for forecast in forecasts]
    finite = [values for values in ahead if np.isfinite(values).all()]
    if len(forecasts) < 2 or not finite:
        return {}
    one = replace(forecasts[0], methods={"network": np.mean(finite, axis=0)})
    return {"together": one.errors["network"]}
