"""A 2-D convolution whose backward pass is fast inside loops on the CPU.

XLA's CPU backend compiles the backward convolutions of a `lax.scan` or `lax.fori_loop` body so badly that a whole training step
takes 14 to 22 times as long as when it is called (https://github.com/jax-ml/jax/issues/12868): in a loop body the operands keep
permuted layouts, which its fast paths do not take. `convolve` therefore writes the gradient by its inputs as an ordinary
NHWC × HWIO convolution, and the one by its kernel as matrix products over shifted copies of the inputs; each operand is
transposed first, behind an optimization barrier so that the transposition is not folded back into a layout. A bias's gradient,
a sum over all places of all images, is a product with a row of ones: as a reduction it takes several times as long. Other
platforms keep JAX's own gradients. The numbers are the same to rounding. `benchmarks/scan_convolution.py` measures both::

    outputs = convolve(inputs, kernel)        # [n, h, w, c], [k, k, c, o] → [n, h, w, o]
    outputs = add_bias(outputs, bias)         # [..., o], [o] → [..., o]
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

_FEW_CHANNELS = 4  # up to here the gradient by the kernel is faster as one matrix product, over patches


def _convolve(inputs: Array, kernel: Array, padding: str | list[tuple[int, int]] = "SAME") -> Array:
    return lax.conv_general_dilated(inputs, kernel, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


@jax.custom_vjp
def convolve(inputs: Array, kernel: Array) -> Array:
    """Convolution (cross-correlation) with stride 1, zero-padded so that height and width stay.

    An even kernel has one more row of zeros below than above, and one more column right than left, as XLA's SAME.

    Args:
        inputs: [n, h, w, c].
        kernel: [k, k, c, o], of the same type as `inputs`.

    Returns:
        [n, h, w, o]. It can be differentiated in reverse mode, once.
    """
    return _convolve(inputs, kernel)


def _forward(inputs: Array, kernel: Array) -> tuple[Array, tuple[Array, Array]]:
    return _convolve(inputs, kernel), (inputs, kernel)


def _backward(residuals: tuple[Array, Array], grads: Array) -> tuple[Array, Array]:
    gradients: tuple[Array, Array] = lax.platform_dependent(*residuals, grads, cpu=_canonical_gradients, default=_own_gradients)
    return gradients


convolve.defvjp(_forward, _backward)


def _own_gradients(inputs: Array, kernel: Array, grads: Array) -> tuple[Array, Array]:
    """JAX's own gradients by `inputs` and `kernel`."""
    _, pullback = jax.vjp(_convolve, inputs, kernel)
    by_inputs, by_kernel = pullback(grads)
    return by_inputs, by_kernel


def _canonical_gradients(inputs: Array, kernel: Array, grads: Array) -> tuple[Array, Array]:
    """The same gradients, from convolutions in the layout that XLA's CPU backend is fast in."""
    before, after = _padding(kernel)
    flipped = lax.optimization_barrier(jnp.flip(kernel, (0, 1)).swapaxes(2, 3))
    by_inputs = _convolve(grads, flipped, [(after, before)] * 2)
    by_kernel = _kernel_gradient_of_patches if inputs.shape[-1] <= _FEW_CHANNELS else _kernel_gradient_by_rows
    return by_inputs, by_kernel(inputs, kernel, grads)


def _kernel_gradient_of_patches(inputs: Array, kernel: Array, grads: Array) -> Array:
    """The gradient by the kernel as one product: patches [k·k·c, n·h·w] times grads [n·h·w, o]."""
    (size, _, channels, features), (n, h, w, _) = kernel.shape, inputs.shape
    padded = jnp.pad(inputs, ((0, 0), _padding(kernel), _padding(kernel), (0, 0))).transpose(3, 0, 1, 2)
    windows = [padded[:, :, y : y + h, x : x + w] for y in range(size) for x in range(size)]
    patches = lax.optimization_barrier(jnp.stack(windows).reshape(size * size * channels, n * h * w))
    product: Array = patches @ grads.reshape(-1, features)
    return product.reshape(kernel.shape)


def _kernel_gradient_by_rows(inputs: Array, kernel: Array, grads: Array) -> Array:
    """The same, a product for each row of the kernel: [k·c, h·w·n] times [h·w·n, o].

    With the examples last, a shifted image is copied in long runs; all patches at once would take k times the memory.
    """
    (size, _, channels, features), (_, h, w, _) = kernel.shape, inputs.shape
    padded = jnp.pad(inputs.transpose(3, 1, 2, 0), ((0, 0), _padding(kernel), _padding(kernel), (0, 0)))
    strips = lax.optimization_barrier(jnp.stack([padded[:, :, x : x + w] for x in range(size)]))
    grads = lax.optimization_barrier(grads.transpose(1, 2, 0, 3)).reshape(-1, features)
    rows = [strips[:, :, y : y + h].reshape(size * channels, -1) @ grads for y in range(size)]
    return jnp.stack(rows).reshape(kernel.shape)


def _padding(kernel: Array) -> tuple[int, int]:
    """Zeros before and after a row (column) that keep its length."""
    size: int = kernel.shape[0]
    return (size - 1) // 2, size // 2


@jax.custom_vjp
def add_bias(inputs: Array, bias: Array) -> Array:
    """Inputs + bias: [..., o] and [o], of one type; it can be differentiated in reverse mode, once."""
    return inputs + bias


def _add_bias_forward(inputs: Array, bias: Array) -> tuple[Array, None]:
    return inputs + bias, None


def _add_bias_backward(_: Any, grads: Array) -> tuple[Array, Array]:
    rows = grads.reshape(-1, grads.shape[-1])
    by_bias: Array = lax.platform_dependent(rows, cpu=_sum_by_product, default=lambda rows: rows.sum(0))
    return grads, by_bias


add_bias.defvjp(_add_bias_forward, _add_bias_backward)


def _sum_by_product(rows: Array) -> Array:
    """The sum over the first axis, as a product with ones: [n, o] → [o]."""
    return (jnp.ones((1, len(rows)), rows.dtype) @ rows)[0]
