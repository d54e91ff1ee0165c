"""A 2-D convolution whose backward pass is fast inside loops on the CPU.

XLA's CPU backend compiles the backward convolutions of a `lax.scan` or `lax.fori_loop` body so badly that a whole training step
takes 14 to 22 times as long as when it is called (https://github.com/jax-ml/jax/issues/12868): in a loop body the operands keep
permuted layouts, which its fast paths do not take. `convolve` therefore writes both gradients as ordinary NHWC × HWIO
convolutions of operands that are transposed first, each behind an optimization barrier so that the transposition is not folded
back into a layout. Other platforms keep JAX's own gradients. The numbers are the same to rounding.
`benchmarks/scan_convolution.py` measures both::

    outputs = convolve(inputs, kernel)        # [n, h, w, c], [k, k, c, o] → [n, h, w, o]
"""

import jax
import jax.numpy as jnp
from jax import Array, lax

_FEW_CHANNELS = 4  # up to here the gradient by the kernel is faster as one matrix product over patches


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
    if inputs.shape[-1] <= _FEW_CHANNELS:
        return by_inputs, _kernel_gradient_of_patches(inputs, kernel, grads)
    # The sum is over examples: they take the place of the channels, and the channels that of the examples.
    inputs = lax.optimization_barrier(inputs.transpose(3, 1, 2, 0))
    grads = lax.optimization_barrier(grads.transpose(1, 2, 0, 3))
    return by_inputs, _convolve(inputs, grads, [(before, after)] * 2).transpose(1, 2, 0, 3)


def _kernel_gradient_of_patches(inputs: Array, kernel: Array, grads: Array) -> Array:
    """The gradient by the kernel as one matrix product: patches [n·h·w, k·k·c], transposed, times grads [n·h·w, o]."""
    size, (_, h, w, _) = kernel.shape[0], inputs.shape
    padded = jnp.pad(inputs, ((0, 0), _padding(kernel), _padding(kernel), (0, 0)))
    patches = jnp.concatenate([padded[:, y : y + h, x : x + w] for y in range(size) for x in range(size)], axis=-1)
    return jnp.einsum("nhwp,nhwo->po", patches, grads).reshape(kernel.shape)


def _padding(kernel: Array) -> tuple[int, int]:
    """Zeros before and after a row (column) that keep its length."""
    size: int = kernel.shape[0]
    return (size - 1) // 2, size // 2
