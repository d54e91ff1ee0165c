"""A 2-D convolution whose backward pass is fast inside loops on the CPU.

XLA's CPU backend compiles the backward convolutions in a `lax.scan` or `lax.fori_loop` body so badly that a whole training step
takes 14 to 22 times as long as outside the loop (https://github.com/jax-ml/jax/issues/12868): in a loop body the operands keep
permuted layouts, which the fast paths do not support. `convolve` therefore writes both gradients as ordinary NHWC × HWIO
convolutions. Each operand is transposed first, behind an optimization barrier that keeps XLA from folding the transposition
back into a layout. (Compile with `nnjax.parallel.compilation.compile_lowered`: for the kernel's gradient, YNNPACK takes four
times as long as Eigen.) With few channels, as in images, training is faster with a matrix product over all patches. Other
platforms keep JAX's own operations. Results agree up to rounding. `benchmarks/scan_convolution.py` measures both::

    outputs = convolve(inputs, kernel)        # [n, h, w, c], [k, k, c, o] → [n, h, w, o]
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import Array, lax

_FEW_CHANNELS = 4  # up to here a matrix product over patches is faster


def _convolve(inputs: Array, kernel: Array, padding: str | list[tuple[int, int]] = "SAME") -> Array:
    return lax.conv_general_dilated(inputs, kernel, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


@jax.custom_vjp
def convolve(inputs: Array, kernel: Array) -> Array:
    """Convolution (cross-correlation) with stride 1, zero-padded to keep height and width.

    For an even kernel, the padding has one more row below than above and one more column right than left, as XLA's SAME.

    Args:
        inputs: [n, h, w, c].
        kernel: [k, k, c, o], of the same type as `inputs`.

    Returns:
        [n, h, w, o]; differentiable once, in reverse mode.
    """
    return _convolve(inputs, kernel)


def _forward(inputs: Array, kernel: Array) -> tuple[Array, tuple[Array, Array]]:
    by_patches = partial(lax.platform_dependent, cpu=_convolve_patches, default=_convolve)
    outputs: Array = (by_patches if inputs.shape[-1] <= _FEW_CHANNELS else _convolve)(inputs, kernel)
    return outputs, (inputs, kernel)


def _backward(residuals: tuple[Array, Array], grads: Array) -> tuple[Array, Array]:
    gradients: tuple[Array, Array] = lax.platform_dependent(*residuals, grads, cpu=_canonical_gradients, default=_jax_gradients)
    return gradients


convolve.defvjp(_forward, _backward)


def _jax_gradients(inputs: Array, kernel: Array, grads: Array) -> tuple[Array, Array]:
    """JAX's own gradients with respect to `inputs` and `kernel`."""
    _, pullback = jax.vjp(_convolve, inputs, kernel)
    by_inputs, by_kernel = pullback(grads)
    return by_inputs, by_kernel


def _canonical_gradients(inputs: Array, kernel: Array, grads: Array) -> tuple[Array, Array]:
    """The same gradients, by convolutions in the layout that is fast on XLA's CPU backend."""
    before, after = _padding(kernel)
    flipped = lax.optimization_barrier(jnp.flip(kernel, (0, 1)).swapaxes(2, 3))
    by_inputs = _convolve(grads, flipped, [(after, before)] * 2)
    if inputs.shape[-1] <= _FEW_CHANNELS:
        patches = _patches(inputs, kernel)
        by_kernel = lax.dot_general(patches, grads.reshape(len(patches), -1), (((0,), (0,)), ((), ()))).reshape(kernel.shape)
    else:
        # Channels and examples swap places.
        inputs, grads = lax.optimization_barrier((inputs.transpose(3, 1, 2, 0), grads.transpose(1, 2, 0, 3)))
        by_kernel = _convolve(inputs, grads, [(before, after)] * 2).transpose(1, 2, 0, 3)
    return by_inputs, by_kernel


def _convolve_patches(inputs: Array, kernel: Array) -> Array:
    """The convolution as one matrix product."""
    outputs: Array = _patches(inputs, kernel) @ kernel.reshape(-1, kernel.shape[-1])
    return outputs.reshape(*inputs.shape[:3], -1)


def _patches(inputs: Array, kernel: Array) -> Array:
    """The patch under the kernel at each pixel: [n, h, w, c] → [n·h·w, k·k·c]."""
    n, h, w, _ = inputs.shape
    size = len(kernel)
    padded = jnp.pad(inputs, ((0, 0), _padding(kernel), _padding(kernel), (0, 0)))
    # Two concatenations of few long pieces take two thirds of the time of one; the barrier keeps XLA from joining them.
    rows = lax.optimization_barrier(jnp.concatenate([padded[:, :, x : x + w] for x in range(size)], axis=-1))
    return jnp.concatenate([rows[:, y : y + h] for y in range(size)], axis=-1).reshape(n * h * w, -1)


def _padding(kernel: Array) -> tuple[int, int]:
    """Numbers of zeros before and after a row (column) that keep its length."""
    size: int = kernel.shape[0]
    return (size - 1) // 2, size // 2
