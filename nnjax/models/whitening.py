"""Whitening: a first convolution whose outputs are uncorrelated, from the statistics of the training images.

kernel = whitening_kernel(images, size=2, eps=5e-4)        # [n, 32, 32, 3] → [2, 2, 3, 24]
layer = Whitening(3, 2, dtype=jnp.float32)                 # its kernel is zero until the training state gets a computed one
layer(inputs)                                              # [b, 32, 32, 3] → [b, 31, 31, 24]
"""

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array, lax
from jax.typing import DTypeLike
from numpy.typing import NDArray

_EXAMPLES_AT_ONCE = 500  # float64 patches of so many CIFAR images take 46 MB


class Statistic(nnx.Variable[Array]):
    """A number computed from the training data; it stands with the model's state, not among its parameters."""


class Whitening(nnx.Module):
    """A convolution of s×s patches, whose kernel is set once, with a bias that is trained: no padding, stride 1.

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
    """The filters that make patches of `images` uncorrelated and of variance 1, and their negatives.

    With λ and v the eigenvalues and eigenvectors of the patches' second moments E[x xᵀ], which are their covariance where
    images are normalised, the filters are v / √(λ + eps) and −v / √(λ + eps) (Page, "How to train your ResNet 8: Bag of
    tricks", 2019).

    Args:
        images: [n, h, w, c], normalised, at least `size` high and wide.
        size: side s of the square patches.
        eps: added to the eigenvalues.

    Returns:
        [s, s, c, 2·s²·c], first the positive ones, from the largest eigenvalue on.
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
