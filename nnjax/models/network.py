"""A network: named layers in sequence.

network = Network({"flatten": Head("flatten"), "output": dense(784, 10, …)})
network(inputs)                                  # [b, 28, 28, 1] → [b, 10] float32
graphdef, params, rest = nnx.split(network, nnx.Param, ...)
params["output"]["kernel"]                       # [784, 10]; `rest` holds BatchNorm's statistics and nothing else
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from types import MappingProxyType

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from nnjax.models.activations import is_nondecreasing
from nnjax.models.batch_norm import BatchNorm
from nnjax.models.layers import Activate, Conv, Dropout, Layer, Pool

_Step = Layer | Callable[[Array], Array]


class Network(nnx.Module):
    """Layers in order; a layer's name is its attribute, and its path among the parameters.

    `train()` and `eval()` switch BatchNorm and dropout. A new network is in training mode: BatchNorm and dropout then need the
    mapped axis `layers.BATCH_AXIS`, and dropout needs `rngs` at the call.

    Args:
        layers: by name, in the order in which they are applied.
    """

    def __init__(self, layers: Mapping[str, Layer]):
        self.names = tuple(layers)
        for name, layer in layers.items():
            setattr(self, name, layer)

    def __call__(
        self, inputs: Array, *, rngs: nnx.Rngs | None = None, kept: Mapping[str, Array] = MappingProxyType({})
    ) -> Array:
        """The network's outputs.

        Args:
            inputs: [b, *input_shape] float32, normalised.
            rngs: its `dropout` stream draws the dropout masks, equal on every device; unused in evaluation and by networks
                without dropout.
            kept: by dropout layer, the share of values that it keeps, in place of the layer's own.

        Returns:
            [b, num_outputs] float32, whatever the layers' dtype.
        """
        *_, (_, outputs) = _outputs(_pool_early(list(self.layers())), inputs, rngs, kept)
        return outputs.astype(jnp.float32)

    def layer_outputs(self, inputs: Array, *, rngs: nnx.Rngs | None = None) -> Iterator[tuple[str, Array]]:
        """Yields each layer's name and output, in order; arguments as for `__call__`."""
        return _outputs(self.layers(), inputs, rngs, {})

    def kept(self) -> dict[str, float]:
        """By dropout layer, the share of values that it keeps in training."""
        return {name: 1 - layer.rate for name, layer in self.layers() if isinstance(layer, Dropout)}

    def layers(self) -> Iterator[tuple[str, Layer]]:
        """Yields each layer's name and the layer, in order."""
        return ((name, getattr(self, name)) for name in self.names)


def _outputs(
    layers: Iterable[tuple[str, _Step]], values: Array, rngs: nnx.Rngs | None, kept: Mapping[str, Array]
) -> Iterator[tuple[str, Array]]:
    for name, layer in layers:
        with jax.named_scope(name):
            values = layer(values, rngs, kept.get(name)) if isinstance(layer, Dropout) else layer(values)
        yield name, values


def _pool_early(layers: list[tuple[str, Layer]]) -> list[tuple[str, _Step]]:
    """Moves each max pooling ahead of a nondecreasing activation and a convolution's bias, and into a BatchNorm before them.

    The largest activation is the activation of the largest value, so the outputs are the same, with less to compute.
    """
    steps: list[tuple[str, _Step]] = []
    for name, layer in layers:
        place = len(steps)
        if isinstance(layer, Pool) and layer.kind == "max":
            while place and _commutes_with_max(steps[place - 1][1]):
                place -= 1
            before, norm = steps[place - 1] if place else ("", None)
            if type(norm) is BatchNorm:  # of a class made from it, the call may do more
                steps[place - 1] = before, partial(_normalize_and_pool, norm, layer)
                continue
        steps.insert(place, (name, layer))
        if isinstance(layer, Conv):
            steps[place:] = (name, layer.convolve), (name, layer.add_bias)
    return steps


def _commutes_with_max(step: _Step) -> bool:
    """Whether a step is elementwise and nondecreasing within each channel."""
    if isinstance(step, Activate):
        return is_nondecreasing(step.config)
    return getattr(step, "__func__", None) is Conv.add_bias


def _normalize_and_pool(norm: BatchNorm, pool: Pool, inputs: Array) -> Array:
    _, h, w, _ = inputs.shape
    if h % pool.size or w % pool.size:
        return pool(norm(inputs))  # the statistics include the rows and columns that pooling drops
    return norm.max_pool(inputs, pool.size)
