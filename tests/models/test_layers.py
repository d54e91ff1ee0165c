import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax
from jax.nn import initializers

from nnjax.config.options import PlainActivation
from nnjax.models.layers import BATCH_AXIS, Activate, Conv, Head, Pool, batch_norm, initializer, layer_norm


@pytest.mark.parametrize(("kind", "reduce"), [("max", np.max), ("average", np.mean)])
@pytest.mark.parametrize(("h", "w", "size"), [(4, 6, 2), (5, 7, 2), (8, 7, 3), (4, 4, 4)])
def test_pool_takes_whole_windows_from_the_top_left(kind, reduce, h, w, size):
    inputs = np.random.default_rng(0).normal(size=(2, h, w, 3)).astype(np.float32)
    windows = [
        [reduce(inputs[:, y : y + size, x : x + size], (1, 2)) for x in range(0, w - size + 1, size)]
        for y in range(0, h - size + 1, size)
    ]
    np.testing.assert_allclose(Pool(kind, size)(inputs), np.moveaxis(windows, 2, 0), rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_max_pool_gradient_without_ties_goes_to_the_largest():
    inputs = jax.random.permutation(jax.random.key(0), jnp.arange(2 * 6 * 6 * 3.0)).reshape(2, 6, 6, 3)
    weights = jax.random.normal(jax.random.key(1), (2, 3, 3, 3))

    def reduce_window(inputs):
        return lax.reduce_window(inputs, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")

    ours, theirs = (jax.grad(lambda x, f=f: jnp.sum(weights * f(x)))(inputs) for f in (Pool("max", 2), reduce_window))
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
def test_max_pool_gradient_is_split_among_ties_and_none_is_lost():
    inputs = jnp.array([[1.0, 1.0, 0.0], [0.0, 1.0, 9.0], [9.0, 9.0, 9.0]]).reshape(1, 3, 3, 1)
    gradient = jax.grad(lambda x: 6 * Pool("max", 2)(x).sum())(inputs)
    np.testing.assert_allclose(gradient[0, :, :, 0], [[2, 2, 0], [0, 2, 0], [0, 0, 0]], rtol=1e-6)


@given(seed=st.integers(0, 100))
@settings(max_examples=20)
def test_max_pool_conserves_the_gradient_whatever_ties(seed):
    inputs = jax.random.randint(jax.random.key(seed), (2, 4, 6, 3), 0, 3).astype(jnp.float32)
    gradient = jax.grad(lambda x: Pool("max", 2)(x).sum())(inputs)
    np.testing.assert_allclose(gradient.sum(), 2 * 2 * 3 * 3, rtol=1e-6)


def test_heads():
    inputs = jax.random.normal(jax.random.key(0), (2, 3, 4, 5))
    np.testing.assert_array_equal(Head("flatten")(inputs), np.reshape(inputs, (2, 60)))
    np.testing.assert_allclose(Head("average")(inputs), np.mean(inputs, (1, 2)), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(Head("max")(inputs), np.max(inputs, (1, 2)))


@pytest.mark.parametrize("use_bias", [True, False])
def test_conv_adds_its_bias_to_each_channel(use_bias):
    conv = Conv(2, 3, 3, use_bias=use_bias, kernel_init=initializers.zeros, dtype=jnp.float32, rngs=nnx.Rngs(0))
    if use_bias:
        conv.bias[...] = jnp.array([1.0, 2.0, 3.0])
    expected = np.broadcast_to([1.0, 2.0, 3.0] if use_bias else [0.0] * 3, (2, 4, 4, 3))
    np.testing.assert_array_equal(conv(jnp.ones((2, 4, 4, 2))), expected)


def test_activate():
    np.testing.assert_array_equal(Activate(PlainActivation("relu"))(jnp.array([-1.0, 0.0, 2.0])), [0.0, 0.0, 2.0])


@pytest.mark.parametrize(
    ("name", "variance"),
    [
        ("he_normal", 2 / 100),
        ("he_uniform", 2 / 100),
        ("lecun_normal", 1 / 100),
        ("lecun_uniform", 1 / 100),
        ("glorot_normal", 2 / 400),
        ("glorot_uniform", 2 / 400),
    ],
)
def test_initializer_has_its_variance(name, variance):
    kernel = initializer(name)(jax.random.key(0), (100, 300), jnp.float32)
    np.testing.assert_allclose(kernel.var(), variance, rtol=0.03)
    np.testing.assert_allclose(kernel.mean(), 0, atol=4 * (variance / kernel.size) ** 0.5)
    assert (jnp.abs(kernel).max() <= (3 * variance) ** 0.5 + 1e-6) == name.endswith("uniform")


def normalized_over_devices(num_devices, inputs):
    """Outputs and running statistics of one training call of BatchNorm, the batch spread over devices."""
    graphdef, state = nnx.split(batch_norm(3, dtype=jnp.float32, rngs=nnx.Rngs(0)))

    def call(state, inputs):
        layer = nnx.merge(graphdef, state)
        outputs = layer(inputs)
        return outputs, nnx.state(layer, nnx.BatchStat)

    shards = inputs.reshape(num_devices, -1, *inputs.shape[1:])
    outputs, statistics = jax.pmap(call, axis_name=BATCH_AXIS, in_axes=(None, 0))(state, shards)
    return np.reshape(outputs, inputs.shape), nnx.to_pure_dict(statistics)


def test_batch_norm_takes_its_statistics_over_all_devices():
    # Examples differ between the shards, so that statistics of one shard alone would be far off.
    inputs = jax.random.normal(jax.random.key(0), (16, 5, 5, 3)) + jnp.arange(16.0).reshape(16, 1, 1, 1)
    outputs, statistics = normalized_over_devices(4, inputs)
    mean, variance = np.mean(inputs, (0, 1, 2)), np.var(inputs, (0, 1, 2))
    np.testing.assert_allclose(outputs, (inputs - mean) / np.sqrt(variance + 1e-5), atol=1e-4)
    for device in range(4):
        np.testing.assert_allclose(statistics["mean"][device], 0.1 * mean, rtol=1e-5)
        np.testing.assert_allclose(statistics["var"][device], 0.9 + 0.1 * variance, rtol=1e-4)
    np.testing.assert_allclose(outputs, normalized_over_devices(1, inputs)[0], atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("make", [batch_norm, layer_norm])
def test_normalisation_computes_in_float32_and_returns_bfloat16(make):
    # In bfloat16 these values, 512 to 515, would be rounded to multiples of 4.
    inputs = jnp.array([[512.0], [513.0], [514.0], [515.0]]) * jnp.ones(2) + jnp.array([0.0, 1.0])
    layer = make(2, dtype=jnp.bfloat16, rngs=nnx.Rngs(0))
    graphdef, state = nnx.split(layer)
    call = jax.vmap(lambda inputs: nnx.merge(graphdef, state, copy=True)(inputs), axis_name=BATCH_AXIS)
    outputs = call(inputs[None])[0]
    axis = 0 if make is batch_norm else -1
    expected = (inputs - inputs.mean(axis, keepdims=True)) / inputs.std(axis, keepdims=True)
    assert outputs.dtype == jnp.bfloat16
    np.testing.assert_allclose(outputs.astype(jnp.float32), expected, atol=0.02)
