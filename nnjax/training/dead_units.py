"""Counts dead units of a trained network: relu with a slope of 0 for every example, so that nothing reaches their weights.

    summary |= dead_units(experiment, state)
    summary["dead_units"]["layers"]     # [{"layer": "hidden_1", "dead": 3, "units": 256, "share": 0.0117}]

A unit is a neuron, or a channel of a convolution with all its places.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np
from flax import nnx
from numpy.typing import NDArray

from nnjax.models.activations import activation, has_flat_side
from nnjax.models.layers import Activate
from nnjax.models.network import Network
from nnjax.training.experiment import Experiment
from nnjax.training.hyperparams import Normalization, normalized
from nnjax.training.kept_program import KeptFunction
from nnjax.training.program_use import ProgramUse
from nnjax.training.state import Pytree, SplitNetwork, TrainState

MOST_EXAMPLES = 512
"""The first examples of the training split, at most this many, decide."""

MOST_TRIALS = 8
"""The first trials whose parameters are finite, at most this many, are examined."""

_SUFFIX = "_activation"
_AT_ONCE = 64  # examples, so that the feature maps of a large network need little memory


def dead_units(experiment: Experiment, state: TrainState) -> dict[str, Any]:
    """Examines the layers of a network whose activation has a flat side.

    Args:
        experiment: with its dataset.
        state: the trained network's, on the devices; every process calls this.

    Returns:
        Empty where no unit is dead. Else `dead_units`: `layers`, a list of the layers with dead units, each with `layer`, its
        name; `dead`, the number of dead units, of several trials all together; `units`, of one network; and `share`; further
        `examples` and `train_examples`, how many were examined and of how many, and of several trials `trials`, the numbers of
        those that were examined, and `num_trials`.
    """
    network, placement = experiment.recipe.network, experiment.placement
    flat_layers = _flat_layers(network, state)
    if not flat_layers:
        return {}
    params, model_state = placement.get((state.params, state.model_state))
    num_trials = len(experiment.plan.trials)
    trials: list[int] = []
    counts: dict[str, list[int]] = {}
    inputs = experiment.dataset.train.inputs[:MOST_EXAMPLES]
    device = next(device for device in placement.devices if device.process_index == jax.process_index())
    config, spec = experiment.config, experiment.dataset.spec
    purpose = "dead units", config.training.precision
    use = ProgramUse(config, spec, network, [device], purpose, parts=("model", "activation"))
    is_flat = KeptFunction(_is_flat, use, dict.fromkeys(flat_layers, 0), network)
    for trial in range(num_trials):
        own = placement.one_of((params, model_state), trial)
        if len(trials) == MOST_TRIALS or not _is_finite(own):
            continue
        trials.append(trial)
        with jax.default_device(device):
            for name, dead in _dead(is_flat, own, experiment.recipe.normalization, inputs).items():
                found = counts.setdefault(name, [0, len(dead)])
                found[0] += int(dead.sum())
    layers = [
        {"layer": name, "dead": dead, "units": units, "share": dead / (units * len(trials))}
        for name, (dead, units) in counts.items()
        if dead
    ]
    if not layers:
        return {}
    of_trials = {"trials": trials, "num_trials": num_trials} if placement.many else {}
    examined = {"examples": len(inputs), "train_examples": len(experiment.dataset.train), **of_trials}
    return {"dead_units": {"layers": layers, **examined}}


def _flat_layers(network: SplitNetwork, state: TrainState) -> list[str]:
    """The names of the layers whose activation has a flat side."""
    merged: Network = nnx.merge(network.eval_graph, state.params, state.model_state)
    return [
        name.removesuffix(_SUFFIX)
        for name, layer in merged.layers()
        if isinstance(layer, Activate) and has_flat_side(layer.config)
    ]


def _dead(
    is_flat: Callable[..., Any], own: tuple[Pytree, Pytree], normalization: Normalization | None, inputs: NDArray[Any]
) -> dict[str, NDArray[np.bool_]]:
    """By layer, whether each unit's slope is 0 for all inputs."""
    found: dict[str, NDArray[np.bool_]] = {}
    size = min(_AT_ONCE, len(inputs))
    for first in range(0, len(inputs), size):
        part = np.resize(inputs[first : first + size], (size, *inputs.shape[1:]))  # one shape, one program
        flat = jax.device_get(is_flat(*own, normalization, part))
        found = {name: found.get(name, np.True_) & values for name, values in flat.items()}
        if not any(values.any() for values in found.values()):
            break
    return found


@partial(jax.jit, static_argnums=0)
def _is_flat(
    network: SplitNetwork, params: Pytree, model_state: Pytree, normalization: Normalization | None, inputs: jax.Array
) -> dict[str, jax.Array]:
    merged: Network = nnx.merge(network.eval_graph, params, model_state, copy=True)
    layers, found = dict(merged.layers()), {}
    z = normalized(inputs, normalization)
    for name, values in merged.layer_outputs(z):
        layer = layers[name]
        if isinstance(layer, Activate) and has_flat_side(layer.config):
            function = activation(layer.config)
            slope = jax.grad(lambda z, function=function: function(z).sum())(z)
            found[name.removesuffix(_SUFFIX)] = (slope == 0).reshape(-1, slope.shape[-1]).all(axis=0)
        z = values
    return found


def _is_finite(tree: Pytree) -> bool:
    return all(bool(np.isfinite(leaf).all()) for leaf in jax.tree.leaves(tree))
