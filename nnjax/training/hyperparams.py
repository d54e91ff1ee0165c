"""Hyperparameters: the numbers that compiled programs take as arguments, so that another number needs no other program.

    trials = trial_params(plan.trials)                    # each trial's seed and learning rate
    shared = as_arrays(hyperparams(plan, dataset, kept))  # all other numbers
    recipe = experiment.recipe_of(trial, shared)          # of one trial, inside a compiled function

The structure of a program follows from the config alone: layers, batch sizes, the update rule, and every switch, such as a
momentum of 0. See `nnjax.config.option_numbers`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from nnjax.checks.trials import Trial
from nnjax.data.augment import normalize


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class TrialParams:
    """Per-trial parameters; inside a compiled function, those of one trial.

    Attributes:
        seed: [trials] uint32; [] for a single network.
        learning_rate: [trials] float32; [] for a single network.
    """

    seed: Any
    learning_rate: Any


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Normalization:
    """(inputs − mean) / std.

    Attributes:
        mean: [c] float32, in the inputs' units.
        std: [c] float32, likewise, not 0.
    """

    mean: Any
    std: Any


def normalization_of(mean: NDArray[np.float32], std: NDArray[np.float32]) -> Normalization | None:
    """The normalisation; None where it changes nothing, as with `data.normalize=false`."""
    return Normalization(mean, std) if mean.any() or (std != 1).any() else None


def normalized(inputs: jax.Array, normalization: Normalization | None) -> jax.Array:
    """Inputs as float32, normalised if there is a normalisation."""
    if normalization is None:
        return inputs.astype(jnp.float32)
    return normalize(inputs, normalization.mean, normalization.std)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Hyperparams:
    """Numbers that all trials share: float32 and int32 scalars, except for the normalisation.

    Attributes:
        optimizer: numbers of `config.optimizer`, by path; without the learning rate, which each trial has.
        complements: as from `nnjax.training.optimizers.complements_of`.
        loss: numbers of `config.loss`, by path.
        augment: numbers of `config.data.augment`, by path.
        schedule: of the learning rate's courses, as `nnjax.checks.rates.schedule_numbers` gives them.
        frozen_from: for each parameter group with an end, the first step, counted from 0, that leaves its parameters unchanged.
        kept: by dropout layer, the share of values that it keeps.
        normalization: of the inputs; None for none.
        steps_per_epoch: steps that make an epoch.
        planned_steps: of the training as planned.
        ends: [ends] the steps after which a course of the schedule, or the training, ends.
    """

    optimizer: dict[str, Any]
    complements: dict[str, Any]
    loss: dict[str, Any]
    augment: dict[str, Any]
    schedule: Any
    frozen_from: tuple[Any, ...]
    kept: dict[str, Any]
    normalization: Normalization | None
    steps_per_epoch: Any
    planned_steps: Any
    ends: Any


def trial_params(trials: Sequence[Trial]) -> TrialParams:
    """The parameters of one or several trials, as NumPy arrays."""
    seeds, rates = [trial.seed for trial in trials], [trial.learning_rate for trial in trials]
    several = len(trials) > 1
    return TrialParams(
        seed=_array(seeds if several else seeds[0], np.uint32),
        learning_rate=_array(rates if several else rates[0], np.float32),
    )


def as_arrays(numbers: Any) -> Any:
    """A tree of plain numbers as NumPy scalars of 32 bits; arrays stay as they are."""

    def to_array(number: Any) -> NDArray[Any]:
        if isinstance(number, np.ndarray):
            return number
        return _array(number, np.int32 if isinstance(number, int) else np.float32)

    return jax.tree.map(to_array, numbers)


def _array(numbers: Any, dtype: Any) -> NDArray[Any]:
    with np.errstate(over="ignore"):  # a learning rate of 1e40 is ∞, and training diverges
        return np.array(numbers, dtype)
