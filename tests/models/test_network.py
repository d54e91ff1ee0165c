import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.nn import initializers

from nnjax.config.options import ELU, LeakyReLU, PlainActivation
from nnjax.models.batch_norm import BatchNorm
from nnjax.models.layers import Activate, Conv, Head, Pool
from nnjax.models.network import Network

ACTIVATIONS = [
    *(PlainActivation(name) for name in ("relu", "tanh", "sigmoid", "gelu", "silu", "softplus", "identity")),
    LeakyReLU("leaky_relu", 0.1),
    LeakyReLU("leaky_relu", -0.5),
    ELU("elu", 1.0),
    ELU("elu", -1.0),
]


def compare(network, shape, **exactness):
    """Asserts that a call gives the outputs, gradients and statistics of the layers in order."""
    inputs = jax.random.normal(jax.random.key(0), shape)
    graph, params, rest = nnx.split(network, nnx.Param, ...)

    def apply(params, layers):
        merged = nnx.merge(graph, params, rest, copy=True)
        return layers(merged), nnx.to_pure_dict(nnx.state(merged, nnx.BatchStat))

    def in_order(merged):
        *_, (_, outputs) = merged.layer_outputs(inputs)
        return outputs

    outputs, pullback, statistics = jax.vjp(lambda params: apply(params, lambda merged: merged(inputs)), params, has_aux=True)
    expected, expected_pullback, expected_statistics = jax.vjp(lambda params: apply(params, in_order), params, has_aux=True)
    np.testing.assert_allclose(outputs, expected, **{"rtol": 1e-6, **exactness})
    jax.tree.map(np.testing.assert_array_equal, statistics, expected_statistics)
    weights = jax.random.normal(jax.random.key(1), outputs.shape)
    for ours, theirs in zip(*(jax.tree.leaves(pull(weights)) for pull in (pullback, expected_pullback)), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["max", "average"])
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
def test_pooling_before_the_activation_changes_neither_outputs_nor_gradients(activation, kind):
    conv = Conv(2, 3, 3, use_bias=True, kernel_init=initializers.he_normal(), dtype=jnp.float32, rngs=nnx.Rngs(0))
    conv.bias[...] = jnp.array([0.5, -1.0, 2.0])
    layers = {"conv": conv, "activation": Activate(activation), "pool": Pool(kind, 2), "head": Head("flatten")}
    compare(Network(layers), (3, 6, 8, 2))


@pytest.mark.slow
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize(("height", "kernel", "channels"), [(6, 3, 2), (7, 3, 2), (6, 1, 1)])
@pytest.mark.parametrize(
    "activation", [PlainActivation("relu"), PlainActivation("gelu"), LeakyReLU("leaky_relu", 0.1)], ids=str
)
def test_pooling_inside_batch_norm_changes_neither_outputs_nor_gradients_nor_statistics(
    activation, height, kernel, channels, training
):
    rngs = nnx.Rngs(0)
    conv = Conv(channels, 3, kernel, use_bias=False, kernel_init=initializers.he_normal(), dtype=jnp.float32, rngs=rngs)
    norm = BatchNorm(3, axis_name=None, dtype=jnp.float32, use_running_average=not training, rngs=rngs)
    norm.scale[...], norm.bias[...] = jnp.array([-0.5, 1.0, 2.0]), jnp.array([0.1, -0.2, 0.3])
    norm.mean[...], norm.var[...] = jnp.array([0.2, -0.1, 0.3]), jnp.array([0.5, 2.0, 1.0])
    layers = {"conv": conv, "norm": norm, "activation": Activate(activation), "pool": Pool("max", 2), "head": Head("flatten")}
    compare(Network(layers), (3, height, 8, channels), rtol=1e-5, atol=1e-6)  # two programs round the statistics apart


class Doubled(BatchNorm):
    def __call__(self, inputs):
        return 2 * super().__call__(inputs)


def test_a_layer_made_from_batch_norm_is_called():
    norm = Doubled(2, axis_name=None, dtype=jnp.float32, rngs=nnx.Rngs(0))
    compare(Network({"norm": norm, "pool": Pool("max", 2), "head": Head("flatten")}), (3, 4, 4, 2))
