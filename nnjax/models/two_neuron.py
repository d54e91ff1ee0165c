"""The textbook's network: neuron a takes the inputs, neuron b takes neuron a's output.

    z_a = Σ w_a · x + w_a0,  y_a = f(z_a);   z_b = w_b1 · y_a + w_b0,  y_b = g(z_b)

With the textbook's weights and inputs (0.2, 0.1, 0.4), and relu for f and g, z_a = 0.76 and y_b = 0.804.
"""

import numpy as np
from flax import nnx
from jax.nn import initializers
from jax.typing import DTypeLike

from nnjax.config.options import Activation, Neuron, TwoNeuron
from nnjax.data.dataset_spec import DatasetSpec
from nnjax.models.activations import default_activation
from nnjax.models.layers import Activate, Head, Layer, dense
from nnjax.models.network import Network


def two_neuron(model: TwoNeuron, activation: Activation, spec: DatasetSpec, *, rngs: nnx.Rngs, dtype: DTypeLike) -> Network:
    """Builds the network of `model` with the config's weights.

    Args:
        model: the weights, as many for neuron a as there are inputs, one for neuron b; and the output activation g.
        activation: f, of the hidden neuron.
        spec: vectors in, one value out.
        rngs: unused.
        dtype: type of the computation.
    """
    flatten: dict[str, Layer] = {"flatten": Head("flatten")} if len(spec.input_shape) > 1 else {}
    return Network(
        flatten
        | {
            "neuron_a": _neuron(model.neuron_a, model.learn_biases, rngs, dtype),
            "neuron_a_activation": Activate(activation),
            "neuron_b": _neuron(model.neuron_b, model.learn_biases, rngs, dtype),
            "neuron_b_activation": Activate(default_activation(model.output_activation)),
        }
    )


def _neuron(neuron: Neuron, learn_bias: bool, rngs: nnx.Rngs, dtype: DTypeLike) -> nnx.Linear:
    return dense(
        len(neuron.weights),
        1,
        kernel_init=initializers.constant(np.array(neuron.weights)[:, None]),
        bias_init=initializers.constant(neuron.bias),
        learn_bias=learn_bias,
        dtype=dtype,
        rngs=rngs,
    )
