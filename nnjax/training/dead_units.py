"""Counts dead units of a trained network: relu with a slope of 0 for every example, so that nothing reaches their weights.

    dead_units = DeadUnits(experiment, state)              # of the beginning
    summary |= dead_units(state)
    summary["dead_units"]["layers"]     # [{"layer": "hidden_1", "dead": 3, "units": 256, "share": 0.0117}]

A unit is a neuron, or a channel of a convolution with all its places.
"""

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
from nnjax.training.kept_program import KeptFunction, ProgramUse
from nnjax.training.state import Pytree, SplitNetwork, TrainState

MOST_EXAMPLES = 512
"""The first examples of the training split, at most this many, decide."""

MOST_TRIALS = 8
"""The first trials whose parameters are finite, at most this many, are examined."""

_SUFFIX = "_activation"
_AT_ONCE = 64  # examples, so that the feature maps of a large network need little memory


class DeadUnits:
    """Examines the layers of a network whose activation has a flat side.

    Args:
        experiment: with its dataset.
        state: of its network, as NumPy arrays, on one device, or their shapes; which only count.
    """

    def __init__(self, experiment: Experiment, state: TrainState) -> None:
        self._experiment = experiment
        network, spec, placement = experiment.recipe.network, experiment.dataset.spec, experiment.placement
        self._device = next(device for device in placement.devices if device.process_index == jax.process_index())
        self._inputs = experiment.dataset.train.inputs[:MOST_EXAMPLES]
        first = 1 if placement.many else 0
        self._shapes = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(np.shape(x)[first:], x.dtype), (state.params, state.model_state)
        )
        self._layers = _flat_layers(network, *self._shapes)
        use = ProgramUse(experiment.config, spec, network, [self._device], "dead units")
        self._is_flat = KeptFunction(_is_flat, use, dict.fromkeys(self._layers, 0), network)

    def prepare(self) -> None:
        """Compiles the program ahead of the first call, if there will be one, and programs are kept."""
        if self._layers:
            with jax.default_device(self._device):
                self._is_flat.prepare(*self._shapes, *self._arguments(0))

    def __call__(self, state: TrainState) -> dict[str, Any]:
        """Counts.

        Args:
            state: the trained network's, on the devices; every process calls this.

        Returns:
            Empty where no unit is dead. Else `dead_units`: `layers`, a list of the layers with dead units, each with `layer`,
            its name; `dead`, the number of dead units, of several trials all together; `units`, of one network; and `share`;
            further `examples` and `train_examples`, how many were examined and of how many, and of several trials `trials`, the
            numbers of those that were examined, and `num_trials`.
        """
        experiment, placement = self._experiment, self._experiment.placement
        if not self._layers:
            return {}
        params, model_state = placement.get((state.params, state.model_state))
        num_trials = len(experiment.plan.trials)
        trials: list[int] = []
        counts: dict[str, list[int]] = {}
        for trial in range(num_trials):
            own = placement.one_of((params, model_state), trial)
            if len(trials) == MOST_TRIALS or not _is_finite(own):
                continue
            trials.append(trial)
            with jax.default_device(self._device):
                for name, dead in self._dead(own).items():
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
        examined = {"examples": len(self._inputs), "train_examples": len(experiment.dataset.train), **of_trials}
        return {"dead_units": {"layers": layers, **examined}}

    def _dead(self, own: tuple[Pytree, Pytree]) -> dict[str, NDArray[np.bool_]]:
        """By layer, whether each unit's slope is 0 for all inputs."""
        found: dict[str, NDArray[np.bool_]] = {}
        for first in range(0, len(self._inputs), _AT_ONCE):
            flat = jax.device_get(self._is_flat(*own, *self._arguments(first)))
            found = {name: found.get(name, np.True_) & values for name, values in flat.items()}
            if not any(values.any() for values in found.values()):
                break
        return found

    def _arguments(self, first: int) -> tuple[Normalization | None, NDArray[Any]]:
        """The program's arguments behind the network's, for some inputs: of one shape, so that one program does."""
        size = min(_AT_ONCE, len(self._inputs))
        part = np.resize(self._inputs[first : first + size], (size, *self._inputs.shape[1:]))
        return self._experiment.recipe.normalization, part


def _flat_layers(network: SplitNetwork, params: Pytree, model_state: Pytree) -> list[str]:
    """The names of the layers whose activation has a flat side."""
    merged: Network = nnx.merge(network.eval_graph, params, model_state)
    return [
        name.removesuffix(_SUFFIX)
        for name, layer in merged.layers()
        if isinstance(layer, Activate) and has_flat_side(layer.config)
    ]


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
