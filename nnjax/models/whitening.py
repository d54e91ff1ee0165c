"""Whitening: a first convolution with uncorrelated outputs, computed from the training images.

kernel = whitening_kernel(images, size=2, eps=5e-4)        # [n, 32, 32, 3] → [2, 2, 3, 24]
layer = Whitening(3, 2, dtype=jnp.float32)                 # its kernel is 0 until the training state sets it
layer(inputs)                                              # [b, 32, 32, 3] → [b, 31, 31, 24]
"""

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array, lax
from jax.typing import DTypeLike
from numpy.typing import NDArray

_EXAMPLES_AT_ONCE = 500  # CIFAR images, whose float64 patches take 46 MB


class Statistic(nnx.Variable[Array]):
    """An array computed from the training data; part of the model's state, not of its parameters."""


class Whitening(nnx.Module):
    """A convolution over s×s patches with a fixed kernel and a trained bias; stride 1, no padding.

    Args:
        channels: input channels c; the layer has 2·s²·c outputs.
        size: side s of the patches.
        dtype: type of the computation and the result.
    """

    def __init__(self, channels: int, size: int, *, dtype: DTypeLike):
        features = 2 * size * size * channels
        self.kernel = Statistic(jnp.zeros((size, size, channels, features), jnp.float32))
        self.bias = nnx.Param(jnp.zeros(features, jnp.float32))
        self.dtype = dtype

    def __call__(self, inputs: Array) -> Array:
        """[b, h, w, c] → [b, h − s + 1, w − s + 1, 2·s²·c]."""
        kernel, dimensions = self.kernel[...].astype(self.dtype), ("NHWC", "HWIO", "NHWC")
        outputs = lax.conv_general_dilated(inputs.astype(self.dtype), kernel, (1, 1), "VALID", dimension_numbers=dimensions)
        return outputs + self.bias[...].astype(self.dtype)


def whitening_kernel(images: NDArray[np.floating], size: int, eps: float) -> NDArray[np.float32]:
    """Computes filters whose outputs on `images` are uncorrelated and of variance 1, and the negated filters.

    With the eigenvalues λ and eigenvectors v of the patches' second moments E[x xᵀ] (the covariance of normalised images), the
    filters are v / √(λ + eps) and −v / √(λ + eps) (Page, "How to train your ResNet 8: Bag of tricks", 2019).

    Args:
        images: [n, h, w, c], normalised, at least `size` high and wide.
        size: side s of the square patches.
        eps: added to the eigenvalues.

    Returns:
        [s, s, c, 2·s²·c]: the positive filters by falling eigenvalue, then the negated ones.
    """
    channels = images.shape[-1]
    length = size * size * channels
    moments, count = np.zeros((length, length)), 0
    for first in range(0, len(images), _EXAMPLES_AT_ONCE):
        part = np.asarray(images[first : first + _EXAMPLES_AT_ONCE], np.float64)
        windows = np.lib.stride_tricks.sliding_window_view(part, (size, size), axis=(1, 2))  # [n, h', w', c, s, s]
        patches = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, length)
        moments += patches.T @ patches
        count += len(patches)
    variances, directions = np.linalg.eigh(moments / count)
    # An eigenvector's sign is arbitrary: without this it would differ between versions of LAPACK.
    directions *= np.sign(directions[np.abs(directions).argmax(axis=0), np.arange(length)])
    filters = (directions / np.sqrt(np.maximum(variances, 0) + eps))[:, ::-1]
    return np.concatenate([filters, -filters], axis=1).reshape(size, size, channels, 2 * length).astype(np.float32)
