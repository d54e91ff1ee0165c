"""McNemar's test: whether two networks differ in how many of the same test examples they get right (McNemar, 1947).

mcnemar(first_right, second_right)      # McNemar(both=9700, first=180, second=120, neither=0, p=0.0006…)

Examples that both get right, or both wrong, say nothing about the difference. Of the others, each network should get half right
if they are equally good: an exact binomial test.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class McNemar:
    """The outcome of two networks on the same examples.

    Attributes:
        both: number of examples that both classify correctly.
        first: those that only the first one does.
        second: those that only the second one does.
        neither: those that neither does.
        p: two-sided, exact; 1 where no example tells the networks apart.
    """

    both: int
    first: int
    second: int
    neither: int
    p: float

    @property
    def count(self) -> int:
        """The number of examples."""
        return self.both + self.first + self.second + self.neither

    @property
    def difference(self) -> float:
        """The first network's accuracy less the second one's."""
        return (self.first - self.second) / self.count


def mcnemar(first_right: Any, second_right: Any) -> McNemar:
    """Compares two networks' answers to the same examples.

    Args:
        first_right: array [n] of bool: whether the first network classified each example correctly.
        second_right: that of the second, in the same order.

    Raises:
        ValueError: if the numbers of examples differ, or there are none.
    """
    import numpy as np
    from scipy.stats import binomtest

    one, other = np.asarray(first_right, bool), np.asarray(second_right, bool)
    if one.shape != other.shape or one.ndim != 1 or not len(one):
        raise ValueError(f"McNemar's test needs the same examples, and has {one.shape} and {other.shape}")
    only_first, only_second = int((one & ~other).sum()), int((~one & other).sum())
    p = float(binomtest(only_first, only_first + only_second).pvalue) if only_first + only_second else 1.0
    return McNemar(int((one & other).sum()), only_first, only_second, int((~one & ~other).sum()), p)
