"""Nested lists of numbers, such as those of a request's JSON, as an array.

number_array([[1, 2], [3, 4.5]])                       # float64 [2, 2]
number_array(["1"])                                    # NotNumbers

NumPy would take 4 bytes a letter for each element where one of them is a long text, and make numbers of booleans in silence.
"""

from itertools import chain

import numpy as np
from numpy.typing import NDArray

_DEEPEST = 8  # dimensions; a batch of images has 4
_NUMBERS = (int, float, np.integer, np.floating)


class NotNumbers(ValueError):  # noqa: N818
    """Something else than an int or a float stands in the lists, or they are too deep."""


class UnequalLengths(ValueError):  # noqa: N818
    """Lists of one depth have different lengths, or a number stands beside a list."""


def number_array(values: object) -> NDArray[np.float64]:
    """Makes an array of lists in lists; it takes 8 bytes for each number, and looks at all before it takes them.

    Args:
        values: lists or tuples of equal lengths at each depth, and numbers in the innermost; or a number.

    Raises:
        NotNumbers: see there. An integer beyond float64 is none.
        UnequalLengths: see there.
    """
    level: list[object] = [values]
    shape: list[int] = []
    while level and isinstance(level[0], list | tuple):
        lists = [inner for inner in level if isinstance(inner, list | tuple)]
        lengths = set(map(len, lists))
        if len(lists) < len(level) or len(lengths) > 1:
            raise UnequalLengths
        if len(shape) == _DEEPEST:
            raise NotNumbers
        shape.append(lengths.pop())
        level = list(chain.from_iterable(lists))
    kinds = set(map(type, level))
    if any(issubclass(kind, list | tuple) for kind in kinds):
        raise UnequalLengths
    if not all(issubclass(kind, _NUMBERS) and kind is not bool for kind in kinds):
        raise NotNumbers
    try:
        return np.array(level, np.float64).reshape(shape)
    except OverflowError:
        raise NotNumbers from None
