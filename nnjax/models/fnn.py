"""Feed-forward networks, and the dense layers that end other networks.

flatten → (dense → normalisation → activation → dropout) × hidden layers → dense → output activation
"""

import math
from collections.abc import Sequence
from itertools import pairwise

from flax import nnx
from jax.typing import DTypeLike

from nnjax.config.options import FNN, Activation, ActivationName, Initializer, Normalization
from nnjax.data.dataset_spec import DatasetSpec
from nnjax.models.activations import default_activation
from nnjax.models.layers import Activate, Dropout, Head, Layer, batch_norm, dense, initializer, layer_norm
from nnjax.models.network import Network


def fnn(model: FNN, activation: Activation, spec: DatasetSpec, *, rngs: nnx.Rngs, dtype: DTypeLike) -> Network:
    """Builds a feed-forward network for the input and output shapes in `spec`.

    Args:
        model: widths, normalisation, dropout, initializer and output activation.
        activation: the hidden layers' activation.
        spec: the inputs may be images or vectors.
        rngs: its `params` stream draws the weights.
        dtype: type of the computation.
    """
    layers: dict[str, Layer] = {"flatten": Head("flatten")} if len(spec.input_shape) > 1 else {}
    layers |= dense_layers(
        (math.prod(spec.input_shape), *model.hidden, spec.num_outputs),
        activation=activation,
        normalization=model.normalization,
        dropout=model.dropout,
        initializer_name=model.initializer,
        output_activation=model.output_activation,
        rngs=rngs,
        dtype=dtype,
    )
    return Network(layers)


def dense_layers(
    widths: Sequence[int],
    *,
    activation: Activation,
    normalization: Normalization,
    dropout: float,
    initializer_name: Initializer,
    output_activation: ActivationName,
    rngs: nnx.Rngs,
    dtype: DTypeLike,
) -> dict[str, Layer]:
    """Builds layers `dense_1`, `dense_2`, … and `output`, each followed by its `dense_1_norm`, `dense_1_activation`, etc.

    The output kernel always uses lecun_normal, variance 1/fan-in: he's double variance suits a relu, which seldom follows the
    output, and would make the first loss larger.

    Args:
        widths: number of inputs, of each hidden layer's outputs, and of outputs.
        activation: the hidden layers' activation.
        normalization: normalization of hidden pre-activations; a layer before BatchNorm has no bias.
        dropout: share of hidden activations zeroed in training.
        initializer_name: the hidden kernels' initializer; biases start at 0.
        output_activation: the last layer's activation.
        rngs: its `params` stream draws the weights.
        dtype: type of the computation.
    """
    layers: dict[str, Layer] = {}
    *hidden, (num_features, num_outputs) = pairwise(widths)
    for number, (num_inputs, width) in enumerate(hidden, start=1):
        name = f"dense_{number}"
        layers[name] = dense(
            num_inputs,
            width,
            use_bias=normalization != "batch",
            kernel_init=initializer(initializer_name),
            dtype=dtype,
            rngs=rngs,
        )
        if normalization == "batch":
            layers[f"{name}_norm"] = batch_norm(width, dtype=dtype, rngs=rngs)
        elif normalization == "layer":
            layers[f"{name}_norm"] = layer_norm(width, dtype=dtype, rngs=rngs)
        layers[f"{name}_activation"] = Activate(activation)
        if dropout:
            layers[f"{name}_dropout"] = Dropout(dropout)
    layers["output"] = dense(num_features, num_outputs, kernel_init=initializer("lecun_normal"), dtype=dtype, rngs=rngs)
    if output_activation != "identity":
        layers["output_activation"] = Activate(default_activation(output_activation))
    return layers
