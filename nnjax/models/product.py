"""The matrix product of a dense layer, with a gradient by its inputs that is fast on the CPU.

XLA's CPU backend multiplies few rows by the transpose of a wide kernel at a quarter to a half of its usual speed. So the
gradient by the inputs is computed transposed, kernel · gradientsᵀ, and then turned; behind an optimization barrier, since XLA
would undo it. For 128 examples and a kernel [3136, 256], on two cores of a Xeon, this takes 1.2 ms in place of 3.9. Other
platforms keep JAX's own operations. Results agree up to rounding::

    outputs = product(inputs, kernel)         # [n, d], [d, k] → [n, k]
"""

from typing import Any

import jax
from jax import Array, lax


@jax.custom_jvp
def product(inputs: Array, kernel: Array) -> Array:
    """The matrix product of `inputs` [n, d] and `kernel` [d, k]; differentiable any number of times, in both modes."""
    return _plain(inputs, kernel)


@product.defjvp
def _tangent(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    (inputs, kernel), (inputs_tangent, kernel_tangent) = primals, tangents
    # Reverse mode transposes these products. With more examples than inputs, XLA's own is as fast.
    by_inputs = lax.platform_dependent if len(kernel) >= len(inputs) else _default
    return (
        product(inputs, kernel),
        by_inputs(inputs_tangent, kernel, cpu=_turned, default=_plain) + _plain(inputs, kernel_tangent),
    )


def dot_general(
    left: Array, right: Array, dimension_numbers: lax.DotDimensionNumbers, precision: Any = None, **options: Any
) -> Array:
    """`lax.dot_general` for a dense layer: by `product` where both are matrices and nothing else is asked for."""
    is_product = left.ndim == right.ndim == 2 and dimension_numbers == (((1,), (0,)), ((), ()))
    if is_product and precision is None and not any(option is not None for option in options.values()):
        return product(left, right)
    return lax.dot_general(left, right, dimension_numbers, precision=precision, **options)


def _plain(inputs: Array, kernel: Array) -> Array:
    return inputs @ kernel


def _turned(inputs: Array, kernel: Array) -> Array:
    """The same product, of the transposed matrices in turned order; so is its transpose, the gradient by `inputs`."""
    outputs: Array = lax.optimization_barrier(kernel.T @ lax.optimization_barrier(inputs.T)).T
    return outputs


def _default(*operands: Array, cpu: Any, default: Any) -> Array:
    outputs: Array = default(*operands)
    return outputs
