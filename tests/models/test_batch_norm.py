import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nnjax.models.batch_norm import BatchNorm
from nnjax.parallel.data_parallel import AXIS, DataParallel

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


def call(layer, inputs, weights):
    """Outputs, gradients by parameters and inputs of Σ weights · outputs, and the new running statistics."""
    graph, params, rest = nnx.split(layer, nnx.Param, ...)

    def objective(params, inputs):
        merged = nnx.merge(graph, params, rest, copy=True)
        outputs = merged(inputs)
        return jnp.sum(weights * outputs), (outputs, nnx.to_pure_dict(nnx.state(merged, nnx.BatchStat)))

    (_, results), gradients = jax.value_and_grad(objective, (0, 1), has_aux=True)(params, inputs)
    return results, nnx.to_pure_dict(gradients[0]), gradients[1]


@pytest.mark.parametrize(("sharding", "num_devices"), [("pmap", 1), ("pmap", 2), ("pmap", 4), ("shard_map", 2)])
@pytest.mark.parametrize("options", [{}, {"use_scale": False}, {"use_bias": False}])
def test_equals_flax_own_whose_batch_is_on_one_device(options, sharding, num_devices):
    inputs, weights = arrays()
    reference = with_weights(nnx.BatchNorm(CHANNELS, rngs=nnx.Rngs(0), **OPTIONS, **options))
    (outputs, statistics), by_params, by_inputs = call(reference, inputs, weights)

    ours = with_weights(BatchNorm(CHANNELS, axis_name=AXIS, rngs=nnx.Rngs(0), **OPTIONS, **options))
    parallel = DataParallel(sharding, jax.devices()[:num_devices])
    parts = parallel.compile(lambda *batch: call(ours, *batch))(parallel.split(inputs), parallel.split(weights))
    (our_outputs, our_statistics), our_by_params, our_by_inputs = parts
    np.testing.assert_allclose(parallel.join(our_outputs), outputs, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(parallel.join(our_by_inputs), by_inputs, rtol=1e-4, atol=1e-5)
    for device in range(num_devices):
        mine = jax.tree.map(lambda x: np.asarray(x)[device], our_statistics)  # noqa: B023
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5), mine, statistics)
    sums = jax.tree.map(lambda x: np.asarray(x).sum(0), our_by_params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), sums, by_params)


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
