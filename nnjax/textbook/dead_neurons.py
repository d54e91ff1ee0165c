"""Finds dead neurons: relu with a weighted sum of at most 0 for every example, so that its slope is 0 and nothing is learnt.

    watch = DeadNeurons(layers, network, config, dataset)
    dead = watch.names(params, model_state)              # ["a", "b"]
    watch.remarks(number, dead, dead_after_the_step)     # ["The step kills neurons a and b: …"]

Call it under `jax.enable_x64`, as `passes`.
"""

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from nnjax.config.schema import Config
from nnjax.data.dataset import Dataset
from nnjax.models.activations import has_flat_side
from nnjax.textbook.examples import trace_inputs
from nnjax.textbook.passes import forward, slope_of
from nnjax.textbook.rows import TracedLayer
from nnjax.training.state import Pytree, SplitNetwork

MOST_EXAMPLES = 1000
"""A neuron is called dead by the first examples of the training split, at most this many."""


class DeadNeurons:
    """The neurons of a traced network that are dead on the training examples.

    Args:
        layers: from the first to the output layer.
        network: from `traced_network`.
        config: the trace's.
        dataset: with the training examples, of which at most `MOST_EXAMPLES` are examined.
    """

    def __init__(self, layers: Sequence[TracedLayer], network: SplitNetwork, config: Config, dataset: Dataset) -> None:
        self._layers = tuple(layer for layer in layers if has_flat_side(layer.activation))
        self._outputs = layers[-1].neurons
        self._network, total = network, len(dataset.train)
        self._inputs = trace_inputs(config, dataset, np.arange(min(total, MOST_EXAMPLES)))
        is_all = total <= MOST_EXAMPLES
        self._examples = "every example" if is_all else f"each of the first {MOST_EXAMPLES:,} of {total:,} examples"
        self._mentioned: set[str] = set()

    def names(self, params: Pytree, model_state: Pytree) -> list[str]:
        """The names of the dead neurons, in the network's order."""
        if not self._layers:
            return []
        flat = _is_flat(self._network, self._layers, params, model_state, self._inputs)
        found = zip(self._layers, jax.device_get(flat), strict=True)
        return [name for layer, dead in found for name, is_dead in zip(layer.neurons, dead, strict=True) if is_dead]

    def remarks(self, number: int, before: Sequence[str], after: Sequence[str]) -> list[str]:
        """Remarks on neurons that are found dead for the first time.

        Args:
            number: the iteration's, from 1.
            before: names of the neurons dead before the iteration's step.
            after: of those dead after it.
        """
        found = [name for name in before if name not in self._mentioned]
        killed = [name for name in after if name not in before]
        remarks = []
        if found:
            one, several = ("starts", "start") if number == 1 else ("is", "are")
            said = f"{_named(found)} {one if len(found) == 1 else several} dead"
            remarks.append(f"{said[0].upper()}{said[1:]}: {self._why(found, before)}.")
        if killed:
            remarks.append(f"The step kills {_named(killed)}: from here on {self._why(killed, after)}.")
        self._mentioned = {*before, *after}  # one that learns again and dies again is worth another remark
        return remarks

    def _why(self, names: Sequence[str], dead: Sequence[str]) -> str:
        sums = " and ".join(f"z_{name} ≤ 0" for name in names) if len(names) < 3 else "z ≤ 0"
        kinds = " and ".join(sorted({layer.activation.name for layer in self._layers if {*layer.neurons} & {*names}}))
        result = f"{'its' if len(names) == 1 else 'their'} weights get no error term"
        if {*self._outputs} <= {*dead}:
            result = "no weight of the network changes any more"
        return f"{sums} for {self._examples}, where {kinds} has the slope 0, so {result}"


def _named(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"neuron {names[0]}"
    if len(names) > 8:
        return f"{len(names)} neurons ({', '.join(names[:3])}, … {names[-1]})"
    return f"neurons {', '.join(names[:-1])} and {names[-1]}"


@partial(jax.jit, static_argnums=(0, 1))
def _is_flat(
    network: SplitNetwork, layers: tuple[TracedLayer, ...], params: Pytree, model_state: Pytree, inputs: Array
) -> list[Array]:
    zs, _ = forward(network, params, model_state, inputs)
    return [jnp.all(slope_of(layer.activation, zs[layer.name]) == 0, axis=0) for layer in layers]
