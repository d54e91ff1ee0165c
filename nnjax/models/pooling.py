"""Pooling over adjacent windows, fast forwards and backwards.

On the CPU, a CNN's training step takes 1.5 to 1.7 times as long with `lax.reduce_window`, whose gradient is a
select-and-scatter, and 1.1 times as long with the gradient of a plain `max`::

    pooled = max_pool(images, 2)              # [n, h, w, c] → [n, h // 2, w // 2, c]
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import Array, lax


def mean_pool(inputs: Array, size: int) -> Array:
    """Each window's mean: [n, h, w, c] → [n, h / size, w / size, c]; `size` divides h and w."""
    return split_windows(inputs, size).mean((2, 4))


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def max_pool(inputs: Array, size: int) -> Array:
    """Each window's maximum: [n, h, w, c] → [n, h / size, w / size, c]; `size` divides h and w.

    A maximum's gradient is split evenly among ties. Differentiable once, in reverse mode.
    """
    return split_windows(inputs, size).max((2, 4))


def _forward(inputs: Array, size: int) -> tuple[Array, tuple[Array, Array]]:
    largest = split_windows(inputs, size).max((2, 4))
    return largest, (inputs, largest)


def _backward(size: int, residuals: tuple[Array, Array], grads: Array) -> tuple[Array]:
    inputs, largest = residuals
    places = [inputs[:, y::size, x::size] for y in range(size) for x in range(size)]
    count = sum((place == largest).astype(grads.dtype) for place in places)
    # The barrier keeps XLA from counting again for each pixel.
    share = lax.optimization_barrier(grads / count)
    return (jnp.where(inputs == _upsample(largest, size), _upsample(share, size), 0),)


max_pool.defvjp(_forward, _backward)


def split_windows(inputs: Array, size: int) -> Array:
    """Gives the windows axes of their own: [n, h, w, c] → [n, h / size, size, w / size, size, c]; `size` divides h and w."""
    n, h, w, c = inputs.shape
    return inputs.reshape(n, h // size, size, w // size, size, c)


def _upsample(pooled: Array, size: int) -> Array:
    """Repeats each value over its window: [n, h, w, c] → [n, h · size, w · size, c]."""
    n, h, w, c = pooled.shape
    return jnp.broadcast_to(pooled[:, :, None, :, None], (n, h, size, w, size, c)).reshape(n, h * size, w * size, c)
