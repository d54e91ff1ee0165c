"""LayerNorm against float64, with values far from 0."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given
from hypothesis import strategies as st

from nnjax.models.layers import layer_norm

FEATURES = 12


def layer(dtype=jnp.float32):
    made = layer_norm(FEATURES, dtype=dtype, rngs=nnx.Rngs(0))
    made.scale[...] = jnp.linspace(-1, 2, FEATURES)
    made.bias[...] = jnp.linspace(0, 1, FEATURES)
    return made


def exact(inputs, gradients):
    """Outputs and gradients by inputs, in float64."""
    x = np.asarray(inputs, np.float64)
    centred = x - x.mean(-1, keepdims=True)
    inverse = 1 / np.sqrt(np.square(centred).mean(-1, keepdims=True) + 1e-6)
    normalized, grads = centred * inverse, np.asarray(gradients, np.float64) * np.linspace(-1, 2, FEATURES)
    by_inputs = inverse * (
        grads - grads.mean(-1, keepdims=True) - normalized * (grads * normalized).mean(-1, keepdims=True)
    )  # fmt: skip
    return normalized * np.linspace(-1, 2, FEATURES) + np.linspace(0, 1, FEATURES), by_inputs, inverse


@jax.jit
def call(inputs, gradients):
    outputs, backwards = jax.vjp(layer(), inputs)
    return outputs, backwards(gradients)[0]


@given(offset=st.floats(-1e6, 1e6), scale=st.sampled_from([1e-2, 1.0, 1e6]), seed=st.integers(0, 2**32 - 1))
def test_outputs_and_gradients_are_true_however_far_from_zero_the_values_lie(offset, scale, seed):
    draw = np.random.default_rng(seed)
    shape = (5, FEATURES)
    inputs = ((draw.normal(size=shape) + offset) * scale).astype(np.float32)
    gradients = draw.normal(size=shape).astype(np.float32)
    outputs, by_inputs = call(inputs, gradients)
    wanted, true_by_inputs, inverse = exact(inputs, gradients)
    np.testing.assert_allclose(outputs, wanted, atol=1e-4)
    np.testing.assert_allclose(by_inputs / inverse, true_by_inputs / inverse, atol=1e-4)


def test_it_is_flax_own_near_zero():
    inputs = np.random.default_rng(0).normal(size=(5, FEATURES)).astype(np.float32)
    reference = nnx.LayerNorm(FEATURES, rngs=nnx.Rngs(0))
    reference.scale[...], reference.bias[...] = layer().scale[...], layer().bias[...]
    np.testing.assert_allclose(layer()(inputs), reference(inputs), atol=1e-6)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_the_result_has_the_type_asked_for(dtype):
    inputs = (np.random.default_rng(0).normal(size=(5, FEATURES)) * 8 + 500).astype(dtype)
    outputs = layer(dtype)(jnp.asarray(inputs))
    assert outputs.dtype == dtype
    wanted, *_ = exact(np.asarray(inputs, np.float64), inputs)
    np.testing.assert_allclose(np.asarray(outputs, np.float64), wanted, atol=1e-4 if dtype == jnp.float32 else 0.02)
