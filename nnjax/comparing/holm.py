"""Holm's correction of several tests (Holm, 1979): the chance that even one of them errs stays below the level.

holm([0.01, 0.04, 0.03])      # [0.03, 0.06, 0.06]
"""

import math
from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Returns adjusted p values, in order: the k-th smallest of m times (m − k + 1), from 0 to 1.

    Each is at least as large as that of a smaller p.

    Args:
        p_values: one for each test; NaN, where there was none, stays NaN and does not count.
    """
    adjusted = list(p_values)
    order = sorted((index for index, p in enumerate(p_values) if not math.isnan(p)), key=lambda index: p_values[index])
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted
