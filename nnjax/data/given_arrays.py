"""Checks arrays from a person's own code: an error names the first number that a float32 cannot hold, and its place.

array = plain_array(inputs, "inputs", InputError)                    # InputError: inputs: [3, 1] is masked; …
finite_float32(array, "inputs", InputError, ("width", "length"))     # InputError: inputs: [3, 1] (length) is nan; …
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nnjax.config.errors import UserError


def plain_array(values: ArrayLike, where: str, error: type[UserError]) -> NDArray[Any]:
    """Converts values to a NumPy array of any shape and type.

    Args:
        values: an array, table or nested list.
        where: what it is, in the error.
        error: its class.

    Raises:
        error: if rows have several lengths, or a masked array hides a value.
    """
    try:
        array = np.asarray(values)
    except ValueError as cause:
        raise error(f"{where}: {cause}") from cause
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        raise error(f"{where}: {_first(np.ma.getmaskarray(values), ())} is masked; must be a number")
    return array


def finite_float32(array: NDArray[Any], where: str, error: type[UserError], columns: Sequence[str] = ()) -> NDArray[np.float32]:
    """Returns numbers as float32, of the same shape.

    Args:
        array: numbers of any type.
        where: what they are, in the error.
        error: its class.
        columns: the names of the last axis; empty if it has none.

    Raises:
        error: for the first number that is not finite, or is beyond ±3.4e38.
    """
    with np.errstate(over="ignore"):
        numbers = np.ascontiguousarray(array, np.float32)
    wrong = ~np.isfinite(numbers)
    if wrong.any():
        value = array.ravel()[wrong.argmax()]
        raise error(f"{where}: {_first(wrong, columns)} is {value:g}; must be a finite number, within ±3.4e38")
    return numbers


def _first(wrong: NDArray[np.bool_], columns: Sequence[str]) -> str:
    """Names the first wrong element by its indices and its column."""
    place = [int(index) for index in np.unravel_index(wrong.argmax(), wrong.shape)]
    return f"{place} ({columns[place[-1]]})" if columns else f"{place}"
