import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from nnjax.models.convolution import convolve
from nnjax.parallel.compilation import compile_lowered

# [n, h, w, c], kernel side, output channels: few and many channels, odd and even kernels, images smaller than the kernel
SHAPES = [
    ((4, 8, 8, 1), 3, 5),
    ((4, 6, 9, 3), 3, 4),
    ((2, 7, 5, 3), 4, 2),
    ((3, 8, 6, 8), 3, 6),
    ((3, 5, 7, 6), 2, 3),
    ((2, 9, 8, 5), 4, 7),
    ((2, 8, 8, 6), 5, 4),
    ((2, 6, 6, 6), 1, 3),
    ((2, 2, 3, 6), 5, 4),
    ((2, 1, 1, 2), 3, 4),
]


def plain(inputs, kernel):
    return lax.conv_general_dilated(inputs, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def example(shape, size, features, dtype=jnp.float32):
    draw = np.random.default_rng(0).normal
    shapes = shape, (size, size, shape[-1], features), (*shape[:-1], features)
    return tuple(jnp.asarray(draw(size=shape), dtype) for shape in shapes)


@partial(jax.jit, static_argnums=0)
def value_and_gradients(convolution, inputs, kernel, grads):
    outputs, pullback = jax.vjp(convolution, inputs, kernel)
    return outputs, *pullback(grads)


def as_in_training(convolution, *arrays):
    return compile_lowered(value_and_gradients.lower(convolution, *arrays), "cpu")(*arrays)


def assert_close(ours, theirs, tolerance):
    for a, b in zip(ours, theirs, strict=True):
        assert a.dtype == b.dtype
        a, b = np.asarray(a, np.float32), np.asarray(b, np.float32)
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * np.abs(b).max())


@pytest.mark.slow
@pytest.mark.parametrize(("shape", "size", "features"), SHAPES)
def test_equals_jax_own(shape, size, features):
    arrays = example(shape, size, features)
    expected = value_and_gradients(plain, *arrays)
    assert_close(value_and_gradients(convolve, *arrays), expected, 2e-6)
    assert_close(as_in_training(convolve, *arrays), expected, 2e-6)


@pytest.mark.parametrize("channels", [3, 8])
def test_equals_jax_own_in_bfloat16(channels):
    arrays = example((4, 8, 8, channels), 3, 6, jnp.bfloat16)
    assert_close(as_in_training(convolve, *arrays), value_and_gradients(plain, *arrays), 2e-2)


def test_value_is_a_sum_over_the_window():
    inputs, kernel, _ = example((1, 4, 5, 2), 4, 3)
    padded = np.pad(inputs[0], ((1, 2), (1, 2), (0, 0)))
    expected = [[np.einsum("yxc,yxco->o", padded[y : y + 4, x : x + 4], kernel) for x in range(5)] for y in range(4)]
    np.testing.assert_allclose(convolve(inputs, kernel)[0], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("channels", "size"), [(3, 3), (6, 3), (6, 4)])
def test_descends_alike_inside_a_loop(channels, size):
    inputs, kernel, targets = example((4, 6, 6, channels), size, 5)

    def descend(convolution):
        def step(_, kernel):
            gradient = jax.grad(lambda kernel: jnp.mean((convolution(inputs, kernel) - targets) ** 2))(kernel)
            return kernel - 0.1 * gradient

        return jax.jit(lambda kernel: lax.fori_loop(0, 5, step, kernel))(kernel)

    np.testing.assert_allclose(descend(convolve), descend(plain), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("channels", [3, 6])
def test_maps_over_networks(channels):
    inputs, kernel, grads = (jnp.stack([array, 2 * array]) for array in example((2, 5, 5, channels), 3, 4))
    mapped = jax.vmap(lambda *arrays: value_and_gradients(convolve, *arrays))(inputs, kernel, grads)
    assert_close(mapped, jax.vmap(lambda *arrays: value_and_gradients(plain, *arrays))(inputs, kernel, grads), 2e-6)


@pytest.mark.parametrize("channels", [3, 6])
def test_only_the_cpu_has_its_own_operations(channels):
    traced = value_and_gradients.trace(convolve, *example((2, 5, 5, channels), 3, 4))
    lowered = {platform: traced.lower(lowering_platforms=(platform,)).as_text() for platform in ("cpu", "cuda", "tpu")}
    assert {platform for platform, text in lowered.items() if "optimization_barrier" in text} == {"cpu"}
    assert {platform for platform, text in lowered.items() if "dot_general" in text} == ({"cpu"} if channels == 3 else set())
    assert "conditional" not in traced.lower().compile().as_text()  # the platform is chosen when compiling


@pytest.mark.parametrize(("convolution", "canonical"), [(convolve, True), (plain, False)])
def test_in_a_loop_every_convolution_has_the_layout_that_is_fast_on_the_cpu(convolution, canonical):
    """Convolutions with operands in another layout are slow; JAX's own gradients inside a loop have such operands."""

    def train(kernels, inputs):
        def loss(kernels):
            outputs = inputs
            for kernel in kernels:
                outputs = jax.nn.relu(convolution(outputs, kernel))
            return jnp.sum(outputs**2)

        def step(_, kernels):
            return jax.tree.map(lambda kernel, grad: kernel - grad, kernels, jax.grad(loss)(kernels))

        return lax.fori_loop(0, 3, step, kernels)

    lowered = jax.jit(train).lower([jnp.ones((3, 3, 8, 8))] * 3, jnp.ones((4, 8, 8, 8)))
    program = compile_lowered(lowered, "cpu").as_text()
    layouts = set(re.findall(r"dim_labels=(\w+->\w+)", program))
    assert program.count(" convolution(") == 8  # forward, gradients by the kernels, and by all inputs but the first
    assert (layouts == {"b01f_01io->b01f"}) is canonical
