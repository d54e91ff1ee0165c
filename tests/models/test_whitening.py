"""Whitening: the outputs are uncorrelated and of variance 1, for any images."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st

from nnjax.models.whitening import Whitening, whitening_kernel


def correlated_images(seed, channels, count=40, side=9):
    """Images with correlated neighbouring pixels and channels."""
    random = np.random.default_rng(seed)
    # Channels are mixed by a matrix far from singular: whitening by a singular one only magnifies the rounding of the inputs.
    directions, _ = np.linalg.qr(random.normal(size=(channels, channels)))
    noise = random.normal(size=(count, side + 2, side + 2, channels)) * np.linspace(0.5, 2, channels) @ directions
    return noise[:, 1:-1, 1:-1] + 0.8 * noise[:, :-2, 1:-1] + 0.5 * noise[:, 1:-1, 2:]


def layer_with(kernel):
    layer = Whitening(kernel.shape[2], kernel.shape[0], dtype=jnp.float32)
    layer.kernel[...] = jnp.asarray(kernel)
    return layer


@settings(max_examples=20)
@given(st.integers(0, 2**16), st.sampled_from([(1, 3), (2, 3), (3, 1)]))  # each pair compiles
def test_outputs_are_uncorrelated_with_variance_one(seed, sizes):
    size, channels = sizes
    images = correlated_images(seed, channels)
    kernel = whitening_kernel(images, size, eps=1e-12)
    outputs = np.asarray(layer_with(kernel)(jnp.asarray(images, jnp.float32)), np.float64)
    side, length = 9 - size + 1, size * size * channels
    assert outputs.shape == (40, side, side, 2 * length)
    positive = outputs[..., :length].reshape(-1, length)
    np.testing.assert_allclose(positive.T @ positive / len(positive), np.eye(length), atol=5e-3)
    np.testing.assert_array_equal(kernel[..., length:], -kernel[..., :length])
    # A processor may sum a filter's products and its negative's in different orders: each sum of n products is off by at
    # most n·2⁻²⁴ times the sum of their absolute values (Higham, "Accuracy and Stability", 2002, section 3.1).
    absolute = np.asarray(layer_with(np.abs(kernel))(jnp.asarray(np.abs(images), jnp.float32)), np.float64)[..., :length]
    assert (np.abs(outputs[..., length:] + outputs[..., :length]) <= 2.1 * length * 2.0**-24 * absolute).all()


def test_each_filter_is_an_eigenvector_scaled_by_its_eigenvalue():
    images, eps = correlated_images(0, 2), 0.1
    patches = np.concatenate(
        [images[:, y : y + 2, x : x + 2].reshape(40, -1) for y in range(8) for x in range(8)]  # in the order of a kernel
    )
    moments = patches.T @ patches / len(patches)
    filters = whitening_kernel(images, 2, eps).reshape(8, 16)[:, :8].astype(np.float64)
    variances = np.linalg.eigvalsh(moments)[::-1]
    np.testing.assert_allclose(filters.T @ moments @ filters, np.diag(variances / (variances + eps)), atol=1e-5)
    np.testing.assert_allclose(np.square(filters).sum(0), 1 / (variances + eps), rtol=1e-5)


def test_it_does_not_matter_how_many_images_are_looked_at_together(monkeypatch):
    images = correlated_images(1, 3)
    whole = whitening_kernel(images, 2, 5e-4)
    monkeypatch.setattr("nnjax.models.whitening._EXAMPLES_AT_ONCE", 7)
    np.testing.assert_allclose(whitening_kernel(images, 2, 5e-4), whole, rtol=1e-5, atol=1e-6)


def test_a_channel_that_never_changes_is_not_blown_up():
    images = correlated_images(2, 3)
    images[..., 1] = 0
    assert np.isfinite(whitening_kernel(images, 2, 5e-4)).all()
    assert np.abs(whitening_kernel(images, 2, 5e-4)).max() <= 1 / np.sqrt(5e-4) + 1e-3


def test_only_the_bias_is_a_parameter():
    parameters = nnx.state(Whitening(3, 2, dtype=jnp.float32), nnx.Param)
    assert {path: leaf.shape for path, leaf in nnx.to_flat_state(parameters)} == {("bias",): (24,)}


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_computes_in_the_type_asked_for(dtype):
    assert Whitening(1, 2, dtype=dtype)(jnp.ones((2, 5, 5, 1))).dtype == dtype
