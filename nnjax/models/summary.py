"""What a network consists of, layer by layer, in plain numbers.

for layer in summarize(network, spec):
    print(layer.name, layer.kind, layer.output_shape, layer.num_params, layer.flops)
"""

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from nnjax.config.dataset_spec import DatasetSpec
from nnjax.models.layers import Activate, Conv, Dropout, Head, Layer, Pool
from nnjax.models.network import Network


@dataclass(frozen=True)
class LayerSummary:
    """One layer.

    Attributes:
        name: its name in the network.
        kind: what it is, for a reader: "conv 3×3", "dense", "relu".
        output_shape: shape of its output, without the batch.
        num_params: number of its trainable values.
        flops: floating-point operations for one example, forward, in evaluation.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    num_params: int
    flops: int


def summarize(network: Network, spec: DatasetSpec) -> tuple[LayerSummary, ...]:
    """A summary of each layer, in order; nothing is computed or compiled.

    A multiplication and an addition count one each, so a dense layer takes 2 · inputs · outputs, and the outputs once more for
    its bias; a convolution takes 2 · k² · channels · features for each pixel, those of the zero border included. An elementwise
    function counts one for each value, whatever it costs; normalising three (subtract the mean, multiply, add), and for
    LayerNorm four more for its statistics.

    Args:
        network: any network, or its shapes from `nnx.eval_shape`; its mode is left as it is.
        spec: shape of the inputs.
    """
    evaluated = nnx.view(network, deterministic=True, use_running_average=True, raise_if_not_found=False)
    inputs = jax.ShapeDtypeStruct((1, *spec.input_shape), jnp.float32)
    outputs = nnx.eval_shape(lambda network, inputs: dict(network.layer_outputs(inputs)), evaluated, inputs)
    shapes = [spec.input_shape, *(outputs[name].shape[1:] for name in network.names)]
    return tuple(
        LayerSummary(
            name=name,
            kind=_kind(layer),
            output_shape=after,
            num_params=num_params(nnx.state(layer, nnx.Param)) if isinstance(layer, nnx.Module) else 0,
            flops=_flops(layer, math.prod(before), math.prod(after)),
        )
        for (name, layer), before, after in zip(network.layers(), shapes[:-1], shapes[1:], strict=True)
    )


def num_params(params: Any) -> int:
    """Number of values in a tree of arrays (or of their shapes)."""
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))


def _kind(layer: Layer) -> str:
    match layer:
        case nnx.Linear():
            return "dense"
        case Conv():
            return f"conv {layer.kernel.shape[0]}×{layer.kernel.shape[1]}"
        case nnx.BatchNorm():
            return "batch norm"
        case nnx.LayerNorm():
            return "layer norm"
        case Dropout():
            return f"dropout {layer.rate:g}"
        case Activate():
            return layer.config.name
        case Pool():
            return f"{layer.kind} pool {layer.size}×{layer.size}"
        case Head():
            return layer.kind if layer.kind == "flatten" else f"global {layer.kind} pool"


def _flops(layer: Layer, num_inputs: int, num_outputs: int) -> int:
    """Operations of one layer that makes `num_outputs` values of `num_inputs`."""
    match layer:
        case nnx.Linear() | Conv():
            *window, _ = layer.kernel.shape
            return num_outputs * (2 * math.prod(window) + (layer.bias is not None))
        case nnx.BatchNorm():
            return 3 * num_outputs
        case nnx.LayerNorm():
            return 7 * num_outputs
        case Activate():
            return 0 if layer.config.name == "identity" else num_outputs
        case Pool():
            return num_outputs * layer.size**2
        case Head():
            return 0 if layer.kind == "flatten" else num_inputs
        case Dropout():
            return 0
