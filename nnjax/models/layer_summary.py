"""What a network consists of, layer by layer, in plain numbers: how each layer connects, and what that saves.

for layer in summarize(network, spec):
    print(layer.name, layer.kind, layer.connects, layer.output_shape, layer.num_params, layer.weights_saved, layer.flops)

A dense layer connects each output to each input, by a weight of its own. A convolution connects a place to its neighbours
only, and all places share the same weights; a recurrent layer has the same weights at every step. What that saves is counted
against the full layer: the dense one from the same inputs to the same outputs, or a recurrent layer with weights of its own for
each step. Bias weights count; a layer without a bias is set against a full one without.
"""

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from nnjax.config.diagnostics import count
from nnjax.data.dataset_spec import DatasetSpec
from nnjax.models.layers import Activate, Conv, Dropout, Head, Layer, Pool, Rows, Scale
from nnjax.models.network import Network
from nnjax.models.recurrent import Cell, Recurrent
from nnjax.models.whitening import Whitening

# Of a cell and each value of its state: activations, gates, and the sums and products that join them.
_ELEMENTWISE: dict[Cell, int] = {"simple": 2, "gru": 11, "lstm": 13}


@dataclass(frozen=True)
class LayerSummary:
    """One layer.

    Attributes:
        name: its name in the network.
        kind: what it is, for a reader: "conv 3×3", "dense", "relu".
        connects: how outputs hang on inputs: "full", "local 3×3, shared", "shared over 28 steps"; "" where each output is made
            of one value, or of a whole channel.
        output_shape: shape of its output, without the batch.
        num_params: number of its trainable values.
        weights_saved: weights that the full layer would have more; 0 for a layer without connecting weights.
        flops: floating-point operations for one example, forward, in evaluation.
    """

    name: str
    kind: str
    connects: str
    output_shape: tuple[int, ...]
    num_params: int
    weights_saved: int
    flops: int


def summarize(network: Network, spec: DatasetSpec) -> tuple[LayerSummary, ...]:
    """A summary of each layer, in order; nothing is computed or compiled.

    A multiplication and an addition count one each, so a dense layer takes 2 · inputs · outputs, and the outputs once more for
    its bias; a convolution takes 2 · k² · channels · features for each pixel, those of the zero border included. An elementwise
    function counts one for each value, whatever it costs; normalising three (subtract the mean, multiply, add), and for
    LayerNorm four more for its statistics. A recurrent layer takes at each step what its cell's equations say.

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
            connects=_connects(layer, before),
            output_shape=after,
            num_params=num_params(nnx.state(layer, nnx.Param)) if isinstance(layer, nnx.Module) else 0,
            weights_saved=_weights_saved(layer, before, after),
            flops=_flops(layer, before, math.prod(after)),
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
        case Whitening():
            return f"whitening {layer.kernel.shape[0]}×{layer.kernel.shape[1]}"
        case Recurrent():
            return "simple rnn" if layer.kind == "simple" else layer.kind
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
        case Rows():
            return "rows"
        case Scale():
            return f"× {layer.factor:.4g}"
        case _:  # a registered model's own
            return type(layer).__name__


def _connects(layer: Layer, input_shape: tuple[int, ...]) -> str:
    match layer:
        case nnx.Linear():
            return "full"
        case Conv() | Whitening():
            return f"local {layer.kernel.shape[0]}×{layer.kernel.shape[1]}, shared"
        case Pool():
            return f"local {layer.size}×{layer.size}"
        case Recurrent():
            return f"shared over {count(input_shape[0], 'step')}"
        case _:
            return ""


def _weights_saved(layer: Layer, input_shape: tuple[int, ...], output_shape: tuple[int, ...]) -> int:
    match layer:
        case nnx.Linear() | Conv() | Whitening():
            fan_in = math.prod(input_shape) + (1 if layer.bias is not None else 0)
            return fan_in * math.prod(output_shape) - num_params(nnx.state(layer))
        case Recurrent():
            return (input_shape[0] - 1) * num_params(nnx.state(layer))
        case _:
            return 0


def _flops(layer: Layer, input_shape: tuple[int, ...], num_outputs: int) -> int:
    """Operations of one layer that makes `num_outputs` values."""
    match layer:
        case nnx.Linear() | Conv() | Whitening():
            *window, _ = layer.kernel.shape
            return num_outputs * (2 * math.prod(window) + (layer.bias is not None))
        case Recurrent():
            weights: list[Array] = jax.tree.leaves(nnx.state(layer))
            sums = sum(math.prod(w.shape) * (2 if len(w.shape) > 1 else 1) for w in weights)
            return input_shape[0] * (sums + _ELEMENTWISE[layer.kind] * layer.size)
        case nnx.BatchNorm():
            return (2 + (layer.scale is not None)) * num_outputs
        case nnx.LayerNorm():
            return 7 * num_outputs
        case Scale():
            return num_outputs
        case Activate():
            return 0 if layer.config.name == "identity" else num_outputs
        case Pool():
            return num_outputs * layer.size**2
        case Head():
            return 0 if layer.kind == "flatten" else math.prod(input_shape)
        case _:  # Dropout, Rows; nothing is known of a registered model's own layers
            return 0
