"""Rolls a network forward from windows of a series, with and without random errors: the paths that intervals are made of.

    errors = one_step_residuals(experiment, state, series, range(96, 120))       # [trials, 24], scaled as the outputs are
    noise = drawn(errors, origins=1, paths=1000, horizon=12, seed=0)             # [trials, 1, 1000, 12]
    changes = rolled(experiment, state, windows, noise)                          # the same shape

Each step's output, plus an error, becomes the input of the next step (Hyndman and Athanasopoulos, Forecasting: Principles and
Practice, section 5.5: bootstrapped residuals).
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from numpy.typing import NDArray

from nnjax.data.dataset import Split
from nnjax.data.time_series import TimeSeries
from nnjax.training.experiment import Experiment
from nnjax.training.state import Pytree, TrainState

Values = NDArray[np.float64]
Roll = Callable[[NDArray[np.float32], NDArray[np.float32]], Values]

_MOST_INPUTS = 20_000_000  # numbers in the windows of one call, for each trial


def one_step_residuals(experiment: Experiment, state: TrainState, series: TimeSeries, rows: range) -> NDArray[np.float64]:
    """Returns targets minus outputs [trials, n] of some rows, each from the true values before it, scaled as outputs are.

    Args:
        experiment: the network and the devices.
        state: as placed on the devices.
        series: all values that the rows' windows need.
        rows: rows of the series; each needs a window before it.
    """
    trials = len(experiment.plan.trials)
    if not rows:
        return np.zeros((trials, 0))
    inputs, targets = series.windows(rows)
    outputs = experiment.evaluate(state, Split(inputs, targets)).outputs.reshape(trials, len(rows))
    return targets[:, 0].astype(np.float64) - outputs.astype(np.float64)


def drawn(residuals: NDArray[np.float64], *, origins: int, paths: int, horizon: int, seed: int) -> NDArray[np.float32]:
    """Draws errors [trials, origins, paths, horizon] with replacement from each trial's residuals, less their mean.

    Without its mean, the errors scatter around the network's own forecast.

    Args:
        residuals: [trials, n].
        origins: number of windows that are rolled forward.
        paths: number of paths of a trial from each origin.
        horizon: steps of a path.
        seed: of the draws.
    """
    centred = (residuals - residuals.mean(axis=1, keepdims=True)).astype(np.float32)
    chosen = np.random.default_rng(seed).integers(residuals.shape[1], size=(len(residuals), origins, paths, horizon))
    return np.take_along_axis(centred, chosen.reshape(len(residuals), -1), axis=1).reshape(chosen.shape)


def intervals(courses: Values, levels: Sequence[float]) -> tuple[dict[float, Values], dict[float, Values], int]:
    """Returns lower and upper ends [h] by level, and the number of courses that are left out.

    A course that runs away to infinity is left out as a whole: a single one would make a quantile that is no number. The ends
    are no numbers where no course is left.

    Args:
        courses: [n, h].
        levels: the shares of courses between the ends.
    """
    kept = courses[np.isfinite(courses).all(axis=1)]
    if not len(kept):
        kept = np.full((1, courses.shape[1]), np.nan)
    lower = {level: np.quantile(kept, (1 - level) / 2, axis=0) for level in levels}
    upper = {level: np.quantile(kept, (1 + level) / 2, axis=0) for level in levels}
    return lower, upper, int(len(courses) - np.isfinite(kept).all(axis=1).sum())


def rolled(experiment: Experiment, state: TrainState, windows: NDArray[np.float32], noise: NDArray[np.float32]) -> Values:
    """Returns scaled changes [trials, origins, paths, horizon] of the rows after each window.

    Args:
        experiment: the network and the devices.
        state: as placed on the devices.
        windows: [origins, window, 1] inputs of the first step.
        noise: [trials, origins, paths, horizon], added to the outputs.
    """
    return roller(experiment, state)(windows, noise)


def roller(experiment: Experiment, state: TrainState) -> Roll:
    """Returns `rolled` of a network as a function of windows and noise, compiled once for each of their shapes."""
    placement, network = experiment.placement, experiment.recipe.network

    def roll(params: Pytree, model_state: Pytree, windows: jax.Array, noise: jax.Array) -> jax.Array:
        origins, paths, horizon = noise.shape

        def step(window: jax.Array, errors: jax.Array) -> tuple[jax.Array, jax.Array]:
            outputs, _ = network.apply(params, model_state, window, train=False)
            changes = outputs + errors[:, None]
            return jnp.concatenate([window[:, 1:], changes[:, None]], axis=1), changes[:, 0]

        start = jnp.repeat(windows, paths, axis=0)
        changes = lax.scan(step, start, noise.reshape(origins * paths, horizon).T)[1]
        return changes.T.reshape(noise.shape)

    def roll_all(params: Pytree, model_state: Pytree, windows: jax.Array, noise: jax.Array) -> jax.Array:
        result: jax.Array = placement.map(lambda own: roll(own[0], own[1], windows, own[2]), (params, model_state, noise))
        return result

    compiled = placement.compile(roll_all)

    def run(windows: NDArray[np.float32], noise: NDArray[np.float32]) -> Values:
        trials, origins, paths, _ = noise.shape
        at_once = max(1, _MOST_INPUTS // (paths * windows.shape[1]))
        parts = []
        for first in range(0, origins, at_once):
            part = slice(first, first + at_once)
            own = noise[:, part] if placement.many else noise[0, part]
            results = compiled(state.params, state.model_state, placement.replicate(windows[part]), placement.put(own))
            parts.append(placement.get(results).reshape(trials, -1, *noise.shape[2:]))
        return np.concatenate(parts, axis=1).astype(np.float64)

    return run
