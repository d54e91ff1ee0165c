"""The interval of an accuracy that was measured on some examples.

wilson(98, 100)         # (0.930, 0.994)

`nnjax.comparing.intervals` has the same from SciPy, whose import takes half a second, which every training would spend.
"""

import math

_Z = 1.959963984540054  # the 97.5 % quantile of the normal distribution


def wilson(hits: int, count: int) -> tuple[float, float]:
    """Returns the 95 % interval of a share, by Wilson's score (Journal of the American Statistical Association 22, 1927).

    (p̂ + z²/2n ± z √(p̂ (1 − p̂)/n + z²/4n²)) / (1 + z²/n): those shares that a test at 5 % does not refuse. It stays inside of 0
    to 1, also where all examples are right.

    Args:
        hits: examples that are right.
        count: all examples, at least one.

    Raises:
        ValueError: for no examples, or more hits than these.
    """
    if not 0 <= hits <= count or count < 1:
        raise ValueError(f"{hits} of {count}: no share")
    share, square = hits / count, _Z * _Z / count
    centre = share + square / 2
    half = _Z * math.sqrt(share * (1 - share) / count + square / (4 * count))
    low, high = (centre - half) / (1 + square), (centre + half) / (1 + square)
    return (0.0 if hits == 0 else low), (1.0 if hits == count else high)
