"""Fully connected networks given neuron by neuron: any sizes, weights, biases, and an activation for each layer.

network = neurons(config.model, config.activation, spec, rngs=rngs, dtype=jnp.float32)
network.names                        # ("layer_1", "layer_1_activation", "output", "output_activation")
"""

import math

import numpy as np
from flax import nnx
from jax.nn import initializers
from jax.typing import DTypeLike

from nnjax.config.options import Activation, Neurons
from nnjax.data.dataset_spec import DatasetSpec
from nnjax.models.activations import default_activation
from nnjax.models.layers import Activate, Head, Layer, dense, initializer
from nnjax.models.network import Network


def neurons(model: Neurons, activation: Activation, spec: DatasetSpec, *, rngs: nnx.Rngs, dtype: DTypeLike) -> Network:
    """Builds the network of `model`.

    Args:
        model: the layers; missing weights are drawn (Glorot uniform), missing biases are 0.
        activation: for layers that set none.
        spec: the inputs may be images, sequences or vectors.
        rngs: its `params` stream draws the weights.
        dtype: type of the computation.
    """
    layers: dict[str, Layer] = {"flatten": Head("flatten")} if len(spec.input_shape) > 1 else {}
    num_inputs = math.prod(spec.input_shape)
    for number, layer in enumerate(model.layers, start=1):
        name = "output" if number == len(model.layers) else f"layer_{number}"
        drawn, given = initializer("glorot_uniform"), layer.weights
        layers[name] = dense(
            num_inputs,
            layer.size,
            kernel_init=drawn if given is None else initializers.constant(np.array(given).T),
            bias_init=initializers.zeros if layer.biases is None else initializers.constant(np.array(layer.biases)),
            use_bias=layer.bias,
            learn_bias=model.learn_biases,
            dtype=dtype,
            rngs=rngs,
        )
        layers[f"{name}_activation"] = Activate(default_activation(layer.activation) if layer.activation else activation)
        num_inputs = layer.size
    return Network(layers)
