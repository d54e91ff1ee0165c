import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.nn import initializers

from nnjax.config.options import ELU, LeakyReLU, PlainActivation
from nnjax.models.layers import Activate, Conv, Head, Pool
from nnjax.models.network import Network

ACTIVATIONS = [
    *(PlainActivation(name) for name in ("relu", "tanh", "sigmoid", "gelu", "silu", "softplus", "identity")),
    LeakyReLU("leaky_relu", 0.1),
    LeakyReLU("leaky_relu", -0.5),
    ELU("elu", 1.0),
    ELU("elu", -1.0),
]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["max", "average"])
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
def test_pooling_before_the_activation_changes_neither_outputs_nor_gradients(activation, kind):
    rngs = nnx.Rngs(0)
    conv = Conv(2, 3, 3, use_bias=True, kernel_init=initializers.he_normal(), dtype=jnp.float32, rngs=rngs)
    conv.bias[...] = jnp.array([0.5, -1.0, 2.0])
    network = Network({"conv": conv, "activation": Activate(activation), "pool": Pool(kind, 2), "head": Head("flatten")})
    inputs = jax.random.normal(jax.random.key(0), (3, 6, 8, 2))
    graph, params = nnx.split(network)

    def in_order(params):
        *_, (_, outputs) = nnx.merge(graph, params).layer_outputs(inputs)
        return outputs

    weights = jax.random.normal(jax.random.key(1), (3, 36))
    outputs, pullback = jax.vjp(lambda params: nnx.merge(graph, params)(inputs), params)
    expected, expected_pullback = jax.vjp(in_order, params)
    np.testing.assert_allclose(outputs, expected, rtol=1e-6)
    for ours, theirs in zip(*(jax.tree.leaves(pull(weights)) for pull in (pullback, expected_pullback)), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
