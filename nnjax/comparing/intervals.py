"""Means and shares with their 95 % intervals.

mean_estimate([0.97, 0.98, 0.96])       # Estimate(mean=0.97, low=0.945, high=0.995, std=0.01, n=3)
share_estimate(980, 1000)               # Estimate(mean=0.98, low=0.9693, high=0.9870, std=nan, n=1000)
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

LEVEL = 0.95
"""The coverage of every interval."""


@dataclass(frozen=True)
class Estimate:
    """A value with its interval.

    Attributes:
        mean: the mean, or the share.
        low: lower end of the 95 % interval; NaN where one value alone gives none.
        high: its upper end.
        std: sample standard deviation of the values; NaN for a share and for fewer than two values.
        n: number of finite values, or of examples.
    """

    mean: float
    low: float
    high: float
    std: float
    n: int

    @property
    def half(self) -> float:
        """Half of the interval's width."""
        return (self.high - self.low) / 2


def finite(values: Sequence[float | None]) -> list[float]:
    """The values without those of diverged trainings, which are None, NaN or infinite."""
    return [float(value) for value in values if value is not None and math.isfinite(value)]


def mean_estimate(values: Sequence[float | None]) -> Estimate:
    """Returns the mean with Student's interval: mean ± t · std / √n, with t the 97.5 % quantile for n − 1 degrees of freedom.

    Args:
        values: one for each training; those that are not finite are left out.
    """
    numbers = finite(values)
    n = len(numbers)
    if n < 2:
        return Estimate(numbers[0] if numbers else math.nan, math.nan, math.nan, math.nan, n)
    mean = math.fsum(numbers) / n
    std = math.sqrt(math.fsum((number - mean) ** 2 for number in numbers) / (n - 1))
    half = student_t(n - 1) * std / math.sqrt(n)
    return Estimate(mean, mean - half, mean + half, std, n)


def share_estimate(hits: int, count: int) -> Estimate:
    """Returns a share with Wilson's interval, which stays within 0 and 1 and covers well near the ends (Wilson, 1927).

    The interval holds the shares p whose test |p̂ − p| ≤ z · √(p (1 − p) / n) accepts the one observed, with z = 1.96.

    Args:
        hits: the number of examples counted, from 0 to `count`.
        count: the number of examples.

    Raises:
        ValueError: if `hits` is no such number.
    """
    if not 0 <= hits <= count:
        raise ValueError(f"{hits} of {count}: no share")
    if not count:
        return Estimate(math.nan, math.nan, math.nan, math.nan, 0)
    from scipy.stats import binomtest

    interval = binomtest(hits, count).proportion_ci(LEVEL, method="wilson")
    return Estimate(hits / count, float(interval.low), float(interval.high), math.nan, count)


def student_t(degrees: float) -> float:
    """The 97.5 % quantile of Student's t.

    Args:
        degrees: of freedom, also a broken number as in Welch's test.
    """
    from scipy.special import stdtrit

    return float(stdtrit(degrees, (1 + LEVEL) / 2))
