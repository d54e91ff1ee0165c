"""The airbench94 network: its size, its initial weights, and its layers against a plain NumPy implementation."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import lax
from jax.nn import initializers

from nnjax.config.options import Airbench, PlainActivation, Whitening
from nnjax.data.dataset_spec import DatasetSpec
from nnjax.models.build import build
from nnjax.models.layer_summary import num_params, summarize
from nnjax.models.layers import BATCH_AXIS, identity_init

CIFAR = DatasetSpec("cifar10", (32, 32, 3), "uint8", "classification", 10, 8, 0, 8)
SMALL = Airbench("airbench", Whitening(2, 5e-4), (4, 6), 0.6, 1 / 9)
AIRBENCH94 = replace(SMALL, widths=(64, 256, 256))


def network(model, spec=CIFAR, precision="float32"):
    """A network of shapes instead of weights."""
    made = lambda: build(model, PlainActivation("gelu"), spec, rngs=nnx.Rngs(params=0), precision=precision)  # noqa: E731
    return nnx.eval_shape(made)


def test_airbench94_has_the_published_size():
    shapes = network(AIRBENCH94)
    rows = {row.name: row for row in summarize(shapes, CIFAR)}
    assert num_params(nnx.state(shapes, nnx.Param)) == sum(row.num_params for row in rows.values()) == 1_971_352
    assert num_params(nnx.state(shapes)) - num_params(nnx.state(shapes, nnx.BatchStat)) == 1_971_352 + 288
    assert rows["whitening"].kind == "whitening 2×2"
    assert rows["whitening"].output_shape == (31, 31, 24)
    assert rows["whitening"].num_params == 24
    assert rows["conv_6_norm"].output_shape == (3, 3, 256)
    assert rows["output"].num_params == 2560
    assert rows["output_scale"].kind == "× 0.1111"


@pytest.mark.slow
@pytest.mark.parametrize(("channels", "features", "size"), [(3, 8, 3), (8, 3, 3), (4, 4, 4)])
def test_a_convolution_starts_by_passing_its_channels_on(channels, features, size):
    kernel = identity_init(initializers.ones)(jax.random.key(0), (size, size, channels, features))
    inputs = np.random.default_rng(0).normal(size=(2, 6, 5, channels)).astype(np.float32)
    outputs = lax.conv_general_dilated(inputs, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    same = min(channels, features)
    np.testing.assert_allclose(outputs[..., :same], inputs[..., :same], atol=1e-6)
    np.testing.assert_array_equal(kernel[..., same:], 1)  # the other filters are drawn


def normal(x, momentum_bias):
    return (x - x.mean((0, 1, 2))) / np.sqrt(x.var((0, 1, 2)) + 1e-12) + momentum_bias


@pytest.mark.slow
def test_outputs_and_statistics_agree_with_the_layers_written_out():
    """Compares a batch in training mode with NumPy in float64 (GELU: JAX in float32)."""
    graph, params, rest = nnx.split(network(SMALL, replace(CIFAR, input_shape=(10, 12, 3))), nnx.Param, ...)
    random = np.random.default_rng(0)
    draw = lambda x: jnp.asarray(random.normal(size=x.shape) * 0.3, jnp.float32)  # noqa: E731
    params, rest = jax.tree.map(draw, params), jax.tree.map(jnp.zeros_like, rest)
    rest["whitening"] = jax.tree.map(draw, rest["whitening"])
    x = random.normal(size=(5, 10, 12, 3)).astype(np.float32)

    def forward(params, rest, x):
        module = nnx.merge(graph, params, rest, copy=True)
        return module(x), nnx.state(module, nnx.BatchStat)

    one = jax.jit(jax.vmap(forward, in_axes=(None, None, 0), axis_name=BATCH_AXIS))
    outputs, statistics = jax.tree.map(lambda leaf: leaf[0], one(params, rest, x[None]))

    def conv(a, kernel, padding):
        size = len(kernel)
        if padding == "SAME":
            a = np.pad(a, ((0, 0), (1, 1), (1, 1), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(a, (size, size), axis=(1, 2))  # [b, h, w, c, y, x]
        return np.einsum("bhwcyx,yxco->bhwo", windows, np.asarray(kernel, np.float64))

    def pool(a):
        height, width = 2 * (a.shape[1] // 2), 2 * (a.shape[2] // 2)
        return np.maximum.reduce([a[:, y:height:2, x:width:2] for y in (0, 1) for x in (0, 1)])

    def gelu(a):
        return np.asarray(jax.nn.gelu(jnp.asarray(a, jnp.float32), approximate=False), np.float64)

    value = lambda layer, name: np.asarray(params[layer][name][...], np.float64)  # noqa: E731
    a = gelu(conv(x, rest["whitening"]["kernel"][...], "VALID") + value("whitening", "bias"))
    means = {}
    for first, second in ((1, 2), (3, 4)):
        a = pool(conv(a, params[f"conv_{first}"]["kernel"][...], "SAME"))
        means[first] = a.mean((0, 1, 2))
        a = gelu(normal(a, value(f"conv_{first}_norm", "bias")))
        a = conv(a, params[f"conv_{second}"]["kernel"][...], "SAME")
        means[second] = a.mean((0, 1, 2))
        a = gelu(normal(a, value(f"conv_{second}_norm", "bias")))
    expected = a.max((1, 2)) @ value("output", "kernel") / 9
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-4)
    for number, mean in means.items():  # 0.6 of the old mean, 0, and 0.4 of the batch's
        np.testing.assert_allclose(statistics[f"conv_{number}_norm"]["mean"][...], 0.4 * mean, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("side", [2, 8, 28])
def test_small_images_are_pooled_as_long_as_there_is_something_to_pool(side):
    spec = replace(CIFAR, input_shape=(side, side, 1))
    shapes = {row.name: row.output_shape for row in summarize(network(AIRBENCH94, spec), spec)}
    pooled = {2: [], 8: [3, 1], 28: [13, 6, 3]}[side]
    assert [shape[0] for name, shape in shapes.items() if name.startswith("pool")] == pooled
    assert shapes["output_scale"] == (10,)


def test_bfloat16_keeps_parameters_and_statistics_in_float32():
    made = network(SMALL, precision="bfloat16")
    assert {leaf.dtype for leaf in jax.tree.leaves(nnx.state(made))} == {jnp.dtype("float32")}
    made.eval()
    x = jax.ShapeDtypeStruct((2, 32, 32, 3), jnp.float32)
    of_layers = nnx.eval_shape(lambda made, x: dict(made.layer_outputs(x)), made, x)
    assert {value.dtype for value in of_layers.values()} == {jnp.dtype("bfloat16")}
    assert nnx.eval_shape(lambda made, x: made(x), made, x).dtype == jnp.float32
