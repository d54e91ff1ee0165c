from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given
from hypothesis import strategies as st

from nnjax.models.batch_norm import BatchNorm, normalize_batch
from nnjax.models.pooling import max_pool
from nnjax.parallel.placement import AXIS, Placement

EXAMPLES, SIDE, CHANNELS = 8, 5, 3
KINDS = (nnx.BatchNorm, BatchNorm)
OPTIONS = {"momentum": 0.8, "epsilon": 1e-3, "dtype": jnp.float32}


def arrays():
    draw = np.random.default_rng(0)
    shape = (EXAMPLES, SIDE, SIDE, CHANNELS)
    inputs = draw.normal(size=shape) * [0.5, 2.0, 10.0] + [1.0, 0.0, -5.0]
    return inputs.astype(np.float32), draw.normal(size=shape).astype(np.float32)


def with_weights(layer):
    if layer.scale is not None:
        layer.scale[...] = jnp.array([-0.5, 1.0, 2.0])
    if layer.bias is not None:
        layer.bias[...] = jnp.array([0.1, -0.2, 0.3])
    return layer


def call(layer, inputs, weights, apply=lambda layer, inputs: layer(inputs)):
    """The outputs and new running statistics; the gradients of Σ weights · outputs by the parameters; those by the inputs."""
    graph, params, rest = nnx.split(layer, nnx.Param, ...)

    def objective(params, inputs):
        merged = nnx.merge(graph, params, rest, copy=True)
        outputs = apply(merged, inputs)
        return jnp.sum(weights * outputs), (outputs, nnx.to_pure_dict(nnx.state(merged, nnx.BatchStat)))

    (_, results), gradients = jax.value_and_grad(objective, (0, 1), has_aux=True)(params, inputs)
    return results, nnx.to_pure_dict(gradients[0]), gradients[1]


@pytest.mark.slow
@pytest.mark.parametrize(("sharding", "num_devices"), [("pmap", 1), ("pmap", 2), ("pmap", 4), ("shard_map", 2)])
@pytest.mark.parametrize("options", [{}, {"use_scale": False}, {"use_bias": False}])
def test_equals_flax_own_whose_batch_is_on_one_device(options, sharding, num_devices):
    inputs, weights = arrays()
    reference = with_weights(nnx.BatchNorm(CHANNELS, rngs=nnx.Rngs(0), **OPTIONS, **options))
    (outputs, statistics), by_params, by_inputs = call(reference, inputs, weights)

    ours = with_weights(BatchNorm(CHANNELS, axis_name=AXIS, rngs=nnx.Rngs(0), **OPTIONS, **options))
    parallel = Placement(sharding, jax.devices()[:num_devices])
    parts = parallel.compile(lambda *batch: call(ours, *batch))(parallel.split(inputs), parallel.split(weights))
    (our_outputs, our_statistics), our_by_params, our_by_inputs = parts
    np.testing.assert_allclose(parallel.join(our_outputs), outputs, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(parallel.join(our_by_inputs), by_inputs, rtol=1e-4, atol=1e-5)
    for device in range(num_devices):
        mine = jax.tree.map(lambda x: np.asarray(x)[device], our_statistics)  # noqa: B023
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5), mine, statistics)
    sums = jax.tree.map(lambda x: np.asarray(x).sum(0), our_by_params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), sums, by_params)


@pytest.mark.slow
def test_without_an_axis_it_equals_flax_own():
    inputs, weights = arrays()
    results = [call(with_weights(kind(CHANNELS, rngs=nnx.Rngs(0), **OPTIONS)), inputs, weights) for kind in KINDS]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), *results)


def test_bfloat16_images_are_normalised_in_float32():
    inputs, weights = arrays()
    rounded = inputs.astype(jnp.bfloat16)
    layer = with_weights(BatchNorm(CHANNELS, rngs=nnx.Rngs(0), **{**OPTIONS, "dtype": jnp.bfloat16}))
    (outputs, statistics), _, by_inputs = call(layer, rounded, weights)
    assert outputs.dtype == by_inputs.dtype == jnp.bfloat16
    assert statistics["mean"].dtype == jnp.float32
    exact = with_weights(BatchNorm(CHANNELS, rngs=nnx.Rngs(0), **OPTIONS))
    (expected, _), _, expected_by_inputs = call(exact, rounded.astype(np.float32), weights)
    np.testing.assert_allclose(outputs.astype(np.float32), expected, rtol=0.01, atol=0.01)
    np.testing.assert_allclose(by_inputs.astype(np.float32), expected_by_inputs, rtol=0.03, atol=0.03)


def test_evaluation_uses_the_running_statistics_as_flax_does():
    inputs, _ = arrays()
    layers = [with_weights(kind(CHANNELS, rngs=nnx.Rngs(0), **OPTIONS)) for kind in KINDS]
    for layer in layers:
        layer.mean[...], layer.var[...] = jnp.array([1.0, 2.0, 3.0]), jnp.array([0.5, 4.0, 9.0])
        layer.eval()
    np.testing.assert_array_equal(layers[1](inputs), layers[0](inputs))
    np.testing.assert_array_equal(layers[1].mean[...], [1.0, 2.0, 3.0])


def pooled(layer, inputs, size):
    """Normalised, then pooled: what `max_pool` shall give."""
    return max_pool(layer(inputs), size)


def test_bfloat16_images_are_pooled_in_their_own_type_and_normalised_in_float32():
    inputs, weights = arrays()
    rounded, weights = inputs[:, :4, :4].astype(jnp.bfloat16), weights[:, :2, :2]  # many ties
    layer = with_weights(BatchNorm(CHANNELS, rngs=nnx.Rngs(0), **{**OPTIONS, "dtype": jnp.bfloat16}))
    (outputs, statistics), _, by_inputs = jax.jit(lambda x: call(layer, x, weights, lambda layer, x: layer.max_pool(x, 2)))(
        rounded
    )
    assert outputs.dtype == by_inputs.dtype == jnp.bfloat16
    assert statistics["mean"].dtype == jnp.float32
    exact = with_weights(BatchNorm(CHANNELS, rngs=nnx.Rngs(0), **OPTIONS))
    (expected, _), _, expected_by_inputs = call(
        exact, rounded.astype(np.float32), weights, lambda layer, x: pooled(layer, x, 2)
    )
    np.testing.assert_allclose(outputs.astype(np.float32), expected, rtol=0.01, atol=0.01)
    np.testing.assert_allclose(by_inputs.astype(np.float32), expected_by_inputs, rtol=0.03, atol=0.03)


def test_each_seed_of_several_is_pooled_by_the_signs_of_its_own_scales():
    inputs, _ = arrays()
    images = inputs[:, :4, :4]

    def outputs(scale):
        layer = BatchNorm(CHANNELS, rngs=nnx.Rngs(0), **OPTIONS)
        layer.scale[...] = scale
        return layer.max_pool(images, 2), pooled(layer, images, 2)

    ours, expected = jax.vmap(outputs)(jnp.array([[-1.0, 2.0, 0.5], [1.0, -2.0, -0.5]]))
    np.testing.assert_allclose(ours, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("num_devices", [1, 2])
@pytest.mark.parametrize("options", [{}, {"use_scale": False}, {"dtype": jnp.bfloat16}])
@pytest.mark.parametrize(("offset", "size"), [(0, 2), (1000, 2), (0, 3)], ids=["one pass", "careful", "windows of 3"])
def test_the_largest_normalised_value_of_each_window_is_that_of_flax_own(options, num_devices, offset, size):
    images = np.random.default_rng(0).normal(size=(EXAMPLES, 2 * size, 3 * size, CHANNELS)) * [0.5, 2.0, 10.0] + offset
    images = np.round(images, 2).astype(np.float32)
    weights = np.random.default_rng(1).normal(size=(EXAMPLES, 2, 3, CHANNELS)).astype(np.float32)
    reference = with_weights(nnx.BatchNorm(CHANNELS, rngs=nnx.Rngs(0), **OPTIONS | options | {"dtype": jnp.float32}))
    # Flax squares before it subtracts, which costs digits far from 0; there the images about their mean stand in.
    (outputs, statistics), by_params, by_inputs = call(
        reference, images - np.float32(offset), weights, lambda layer, x: pooled(layer, x, size)
    )
    statistics["mean"] += np.float32((1 - OPTIONS["momentum"]) * offset)

    ours = with_weights(BatchNorm(CHANNELS, axis_name=AXIS, rngs=nnx.Rngs(0), **OPTIONS | options))
    parallel = Placement("pmap", jax.devices()[:num_devices])
    compiled = parallel.compile(lambda *batch: call(ours, *batch, lambda layer, inputs: layer.max_pool(inputs, size)))
    parts = compiled(parallel.split(images), parallel.split(weights))
    (our_outputs, our_statistics), our_by_params, our_by_inputs = parts
    exactness = {"rtol": 0.02, "atol": 0.02} if "dtype" in options else {"rtol": 1e-3, "atol": 1e-3}
    assert our_outputs.dtype == options.get("dtype", jnp.float32)
    np.testing.assert_allclose(parallel.join(our_outputs).astype(np.float32), outputs, **exactness)
    np.testing.assert_allclose(parallel.join(our_by_inputs), by_inputs, **exactness)
    for device in range(num_devices):
        mine = jax.tree.map(lambda x: np.asarray(x)[device], our_statistics)  # noqa: B023
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), mine, statistics)
    sums = jax.tree.map(lambda x: np.asarray(x).sum(0), our_by_params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **exactness), sums, by_params)


SCALE, BIAS, EPSILON = np.array([-0.5, 1.0, 2.0]), np.array([0.1, -0.2, 0.3]), 1e-5


@cache
def normalizer(sharding, num_devices):
    """`exact` as a compiled function of inputs and output gradients; statistics and parameter gradients are per device."""
    parallel = Placement(sharding, jax.devices()[:num_devices])

    def on_one_device(inputs, gradients):
        scale, bias = jnp.asarray(SCALE, jnp.float32), jnp.asarray(BIAS, jnp.float32)
        (outputs, mean, variance), backwards = jax.vjp(lambda *args: normalize_batch(*args, EPSILON, AXIS), inputs, scale, bias)
        return outputs, mean, variance, *backwards((gradients, jnp.zeros(CHANNELS), jnp.zeros(CHANNELS)))

    compiled = parallel.compile(on_one_device)

    def call(inputs, gradients):
        outputs, *statistics, by_inputs, by_scale, by_bias = compiled(parallel.split(inputs), parallel.split(gradients))
        of_all = [np.asarray(x) for x in (*statistics, by_scale, by_bias)]
        return parallel.join(outputs), parallel.join(by_inputs), *of_all

    return call


def exact(inputs, gradients):
    """Outputs, mean, variance, and the gradients by inputs, scale and bias, in float64."""
    x, grads, axes = inputs.astype(np.float64), gradients.astype(np.float64), tuple(range(inputs.ndim - 1))
    mean = x.mean(axes)
    variance = np.square(x - mean).mean(axes)
    inverse = 1 / np.sqrt(variance + EPSILON)
    normalized, by_normalized = (x - mean) * inverse, grads * SCALE
    by_inputs = inverse * (
        by_normalized - by_normalized.mean(axes) - normalized * (by_normalized * normalized).mean(axes)
    )  # fmt: skip
    by_scale, by_bias = (grads * normalized).sum(axes), grads.sum(axes)
    return normalized * SCALE + BIAS, mean, variance, by_inputs, by_scale, by_bias


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(8, CHANNELS), (16, 6, 6, CHANNELS)], ids=["vectors", "images"])
@pytest.mark.parametrize(("sharding", "num_devices"), [("pmap", 1), ("pmap", 2), ("shard_map", 2), ("pmap", 8)])
@given(
    offsets=st.lists(st.floats(-1e6, 1e6), min_size=CHANNELS, max_size=CHANNELS),
    scale=st.sampled_from([1e-3, 1.0, 1e6]),
    outlier=st.sampled_from([0.0, 1e3, 1e6]),
    apart=st.sampled_from([0.0, 100.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_statistics_outputs_and_gradients_are_true_however_far_from_zero_the_values_lie(
    sharding, num_devices, shape, offsets, scale, outlier, apart, seed
):
    draw = np.random.default_rng(seed)
    values = draw.normal(size=shape) + offsets
    values[0] += outlier  # in the first example, from which an implementation may take its shift
    values += apart * np.arange(len(values)).reshape(-1, *[1] * (values.ndim - 1))  # so that the devices' means differ
    inputs, gradients = (values * scale).astype(np.float32), draw.normal(size=shape).astype(np.float32)
    outputs, by_inputs, mean, variance, by_scale, by_bias = normalizer(sharding, num_devices)(inputs, gradients)
    wanted, true_mean, true_variance, true_by_inputs, true_by_scale, true_by_bias = exact(inputs, gradients)
    for own in (mean, variance):
        np.testing.assert_array_equal(own, np.broadcast_to(own[0], own.shape))  # the state is equal on every device
    deviation, count = np.sqrt(true_variance + EPSILON), inputs.size / CHANNELS
    np.testing.assert_allclose(mean[0], true_mean, rtol=1e-6, atol=1e-4 * deviation.max())
    np.testing.assert_allclose(variance[0] / true_variance, 1, atol=1e-3)
    np.testing.assert_allclose(outputs, wanted, rtol=1e-3, atol=2e-3)
    np.testing.assert_allclose(by_inputs * deviation, true_by_inputs * deviation, atol=5e-3)
    np.testing.assert_allclose(by_scale.sum(0) / count, true_by_scale / count, atol=1e-3)
    np.testing.assert_allclose(by_bias.sum(0) / count, true_by_bias / count, atol=1e-4)


def test_bfloat16_far_from_zero():
    draw = np.random.default_rng(0)
    shape = (16, 6, 6, CHANNELS)
    inputs = jnp.asarray(draw.normal(size=shape) * 4 + 500, jnp.bfloat16)  # bfloat16's spacing at 500 is 2
    gradients = draw.normal(size=shape).astype(np.float32)
    outputs, by_inputs, _, variance, *_ = normalizer("pmap", 2)(np.asarray(inputs), gradients)
    wanted, _, true_variance, true_by_inputs, *_ = exact(np.asarray(inputs), gradients)
    np.testing.assert_allclose(variance[0], true_variance, rtol=1e-5)
    np.testing.assert_allclose(outputs, wanted, atol=1e-4)
    np.testing.assert_allclose(by_inputs.astype(np.float64), true_by_inputs, rtol=0.01, atol=1e-3)


def test_a_channel_of_one_value_becomes_its_bias():
    inputs = np.full((16, 6, 6, CHANNELS), [0.1, -12345.678, 1e7], np.float32)
    outputs, by_inputs, mean, variance, *_ = normalizer("pmap", 2)(inputs, np.ones_like(inputs))
    np.testing.assert_allclose(mean[0], inputs[0, 0, 0], rtol=1e-6)
    np.testing.assert_allclose(variance[0], 0, atol=1e-11)
    np.testing.assert_allclose(outputs, np.broadcast_to(BIAS, outputs.shape), atol=1e-3)
    np.testing.assert_allclose(by_inputs, 0, atol=1e-2)


@pytest.mark.slow
def test_trials_side_by_side_are_normalised_as_one_alone():
    """`vmap` computes both branches and selects one for each trial."""
    draw = np.random.default_rng(0)
    inputs = np.stack([draw.normal(size=(8, CHANNELS)), draw.normal(size=(8, CHANNELS)) + 1e5]).astype(np.float32)
    scale, bias = jnp.asarray(SCALE, jnp.float32), jnp.asarray(BIAS, jnp.float32)
    outputs, _, variance = jax.vmap(lambda x: normalize_batch(x, scale, bias, EPSILON, None))(inputs)
    for trial in range(2):
        wanted, _, true_variance, *_ = exact(inputs[trial], inputs[trial])
        np.testing.assert_allclose(variance[trial], true_variance, rtol=1e-5)
        np.testing.assert_allclose(outputs[trial], wanted, atol=1e-5)


def test_a_layer_of_one_input_learns_from_the_very_numbers_that_were_normalised():
    """XLA turns the layer into a product that it may recompute anywhere, fused with the operations that follow."""
    draw = np.random.default_rng(0)
    inputs = (1e4 + np.arange(4.0)[:, None]).astype(np.float32)
    kernel, weights = draw.normal(size=(1, CHANNELS)).astype(np.float32), draw.normal(size=(4, CHANNELS)).astype(np.float32)
    scale, bias = jnp.asarray(SCALE, jnp.float32), jnp.asarray(BIAS, jnp.float32)

    def objective(kernel):
        outputs, *statistics = normalize_batch(inputs @ kernel, scale, bias, EPSILON, None)
        return jnp.sum(weights * jnp.tanh(outputs)), statistics

    (_, _), gradient = jax.jit(jax.value_and_grad(objective, has_aux=True))(kernel)
    # Scaling the kernel changes no output, up to ε: the whole gradient is rounding, of δ times 10⁴.
    np.testing.assert_allclose(gradient, 0, atol=0.02)


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_an_accelerator_gets_no_branch_to_wait_for(platform):
    layer = BatchNorm(CHANNELS, rngs=nnx.Rngs(0), **OPTIONS)
    traced = jax.jit(lambda *batch: call(layer, *batch)).trace(*arrays())
    programs = {name: traced.lower(lowering_platforms=(name,)).as_text() for name in ("cpu", platform)}
    condition = "(tensor<i1>) -> tensor<i32>"  # not the branch by platform, which XLA removes since its condition is constant
    assert condition in programs["cpu"]
    assert condition not in programs[platform]


def test_what_an_accelerator_computes_is_true_as_well(monkeypatch):
    monkeypatch.setattr("nnjax.models.batch_norm._choose", lambda is_easy, easy, careful: careful())
    draw = np.random.default_rng(0)
    for offset in (0, 1e6):
        inputs = (draw.normal(size=(EXAMPLES, SIDE, SIDE, CHANNELS)) + offset).astype(np.float32)
        gradients = draw.normal(size=inputs.shape).astype(np.float32)
        layer = BatchNorm(CHANNELS, rngs=nnx.Rngs(0), **OPTIONS)
        (outputs, _), _, by_inputs = call(layer, inputs, gradients)
        centred = inputs.astype(np.float64) - inputs.astype(np.float64).mean((0, 1, 2))
        inverse = 1 / np.sqrt(np.square(centred).mean((0, 1, 2)) + OPTIONS["epsilon"])
        normalized = centred * inverse
        by_mean = gradients.mean((0, 1, 2)) + normalized * (gradients * normalized).mean((0, 1, 2))
        np.testing.assert_allclose(outputs, normalized, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(by_inputs, inverse * (gradients - by_mean), rtol=1e-4, atol=1e-4)
