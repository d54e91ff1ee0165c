"""A network's summary, layer by layer: connections, shapes, parameters, FLOPs, and the weights that sharing saves.

for layer in summarize(network, spec):
    print(layer.name, layer.kind, layer.connects, layer.output_shape, layer.num_params, layer.weights_saved, layer.flops)

A dense layer has one weight for each pair of input and output. A convolution connects a pixel to its neighbours only, and all
pixels share the same weights; a recurrent layer has the same weights at every step. Saved weights are counted against a full
layer: a dense one between the same inputs and outputs, or a recurrent one with separate weights for each step. Biases count; a
layer without a bias is compared with a full layer without one.
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

# Elementwise operations for each value of a cell's state: activations, gates, and the sums and products between them.
_ELEMENTWISE: dict[Cell, int] = {"simple": 2, "gru": 11, "lstm": 13}


@dataclass(frozen=True)
class LayerSummary:
    """One layer.

    Attributes:
        name: its name in the network.
        kind: its type, for a reader: "conv 3×3", "dense", "relu".
        connects: how outputs depend on inputs: "full", "local 3×3, shared", "shared over 28 steps"; "" where each output
            depends on one value or on a whole channel.
        output_shape: shape of its output, without the batch axis.
        num_params: number of its trainable values.
        weights_saved: number of weights that the full layer would have in addition; 0 for a layer without connecting weights.
        flops: floating-point operations of one example's forward pass, in evaluation.
    """

    name: str
    kind: str
    connects: str
    output_shape: tuple[int, ...]
    num_params: int
    weights_saved: int
    flops: int


def summarize(network: Network, spec: DatasetSpec) -> tuple[LayerSummary, ...]:
    """Summarises each layer, in order, without computing or compiling anything.

    Multiplications and additions count one each. A dense layer takes 2 · inputs · outputs, plus one for each output's bias; a
    convolution takes 2 · k² · channels · features for each pixel, including the products with padded zeros. An elementwise
    function counts one for each value, whatever its cost; normalisation counts three (subtract the mean, multiply, add), and
    LayerNorm four more for its statistics. A recurrent layer counts its cell's equations at each step.

    Args:
        network: any network, or its shapes from `nnx.eval_shape`; its mode does not change.
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
    """Operations of one layer with `num_outputs` output values."""
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
