"""A dense layer's product has the gradients of JAX's own, and computes the one by its inputs in the fast form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax
from jax.test_util import check_grads

from nnjax.models.layers import dense, initializer
from nnjax.models.product import dot_general, product
from nnjax.parallel.compilation import compile_lowered


def example(examples, inputs, outputs, dtype=jnp.float32):
    draw = np.random.default_rng(0).normal
    shapes = (examples, inputs), (inputs, outputs), (examples, outputs)
    return tuple(jnp.asarray(draw(size=shape), dtype) for shape in shapes)


def value_and_gradients(function, inputs, kernel, grads):
    outputs, pullback = jax.vjp(function, inputs, kernel)
    return outputs, *pullback(grads)


@given(st.integers(1, 9), st.integers(1, 40), st.integers(1, 9))
@settings(max_examples=15, deadline=None)
def test_equals_jax_own(examples, inputs, outputs):
    arrays = example(examples, inputs, outputs)
    for ours, theirs in zip(value_and_gradients(product, *arrays), value_and_gradients(jnp.matmul, *arrays), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def test_equals_it_as_compiled_for_training_in_a_loop_and_for_many_networks_at_once():
    arrays = [jnp.stack([array, 2 * array, -array]) for array in example(8, 300, 20)]

    def repeated(function, *arrays):
        def body(_, sums):
            found = jax.vmap(lambda *own: value_and_gradients(function, *own))(*arrays)
            return jax.tree.map(jnp.add, sums, found)

        zeros = tuple(jnp.zeros_like(array) for array in (arrays[2], arrays[0], arrays[1]))
        return lax.fori_loop(0, 3, body, zeros)

    ours, theirs = (
        compile_lowered(jax.jit(repeated, static_argnums=0).lower(function, *arrays), "cpu")(*arrays)
        for function in (product, jnp.matmul)
    )
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-4)


def test_it_is_differentiable_in_both_modes_and_again():
    inputs, kernel, _ = example(2, 5, 3)
    check_grads(lambda a, b: jnp.tanh(product(a, b)), (inputs, kernel), order=2, rtol=0.02, atol=0.02)


@pytest.mark.parametrize("examples", [4, 64])
def test_with_fewer_examples_than_inputs_no_product_is_by_the_transposed_kernel(examples):
    arrays = example(examples, 32, 7)
    text = jax.jit(lambda *a: value_and_gradients(product, *a)).lower(*arrays).as_text()
    plain = jax.jit(lambda *a: value_and_gradients(jnp.matmul, *a)).lower(*arrays).as_text()
    by_transposed = "contracting_dims = [1] x [1]"
    assert by_transposed in plain
    assert (by_transposed in text) == (examples > 32)


def test_a_dense_layer_computes_by_it_and_anything_else_by_jax():
    layer = dense(6, 3, kernel_init=initializer("he_normal"), dtype=jnp.float32, rngs=nnx.Rngs(0))
    inputs = jnp.ones((2, 6))
    assert "custom_jvp_call" in str(jax.make_jaxpr(layer)(inputs))
    sequences = jnp.ones((2, 4, 6))
    assert "custom_jvp_call" not in str(jax.make_jaxpr(layer)(sequences))
    np.testing.assert_allclose(layer(sequences)[0, :2], layer(inputs), rtol=1e-6)
    numbers = (((1,), (0,)), ((), ()))
    exact = jax.make_jaxpr(lambda a, b: dot_general(a, b, numbers, precision="highest"))(inputs, layer.kernel[...])
    assert "custom_jvp_call" not in str(exact)
    assert "HIGHEST" in str(exact)
