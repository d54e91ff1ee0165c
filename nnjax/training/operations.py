"""Operations of JAX, described: what they are called, what they take, what they give.

facts_of(jnp.log(jnp.zeros(3))).infinities          # 3
WORDS["div"]                                        # "division"
"""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

WORDS = {
    "add": "sum",
    "add_any": "sum of gradients",
    "broadcast_in_dim": "broadcast",
    "conv_general_dilated": "convolution",
    "convert_element_type": "conversion of the type",
    "div": "division",
    "dot_general": "matrix product",
    "exp": "exponential",
    "exp2": "power of 2",
    "integer_pow": "power",
    "log": "logarithm",
    "log1p": "logarithm of 1 + x",
    "mul": "product",
    "neg": "negation",
    "pow": "power",
    "reduce_sum": "sum over an axis",
    "rsqrt": "1 / square root",
    "sqrt": "square root",
    "square": "square",
    "sub": "difference",
    "tanh": "tanh",
}
"""Names of primitives in words; the others keep theirs."""


@dataclass(frozen=True)
class Facts:
    """The numbers of an array.

    Attributes:
        shape: of the array.
        dtype: of the array.
        low: its smallest finite number; NaN if there is none.
        high: its largest finite number.
        zeros: how many are 0.
        nans: how many are NaN.
        infinities: how many are infinite.
    """

    shape: tuple[int, ...]
    dtype: str
    low: float
    high: float
    zeros: int
    nans: int
    infinities: int

    @property
    def is_finite(self) -> bool:
        """Whether every number is."""
        return not self.nans and not self.infinities


@dataclass(frozen=True)
class Operation:
    """One operation, computed.

    Attributes:
        name: of JAX's primitive.
        scopes: the named scopes around it, such as "jvp(dense_1)".
        place: file, line and function in the source; empty if unknown.
        inputs: numbers of its inputs.
        facts: of its inputs.
        outputs: numbers of its results.
        result: of its first result that is not finite; None if all are.
        params: those of the primitive that say what it does, as text.
    """

    name: str
    scopes: str
    place: str
    inputs: tuple[int, ...]
    facts: tuple[Facts, ...]
    outputs: tuple[int, ...]
    result: Facts | None
    params: str


@dataclass(frozen=True)
class BadOperation:
    """The operation where a number stops being finite.

    Attributes:
        operation: in words, such as "logarithm".
        primitive: its name in JAX.
        layer: the layer that it belongs to; None for an operation of no layer.
        is_backward: whether it belongs to the gradient.
        place: file, line and function in the source; empty if unknown.
        inputs: facts of its inputs.
        result: facts of its result.
        what: which of the function's results it makes not finite.
    """

    operation: str
    primitive: str
    layer: str | None
    is_backward: bool
    place: str
    inputs: tuple[Facts, ...]
    result: Facts
    what: str


def facts_of(value: Any) -> Facts:
    """The facts of an array; those of keys and integers are all finite."""
    if not jnp.issubdtype(value.dtype, jnp.number):
        return Facts(np.shape(value), str(value.dtype), np.nan, np.nan, 0, 0, 0)
    array = np.asarray(value)
    numbers = array.astype(np.float64) if array.dtype.kind != "c" else np.abs(array).astype(np.float64)
    finite = numbers[np.isfinite(numbers)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (np.nan, np.nan)
    nans, zeros = int(np.isnan(numbers).sum()), int((numbers == 0).sum())
    return Facts(array.shape, str(array.dtype), low, high, zeros, nans, numbers.size - finite.size - nans)
