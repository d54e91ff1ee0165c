"""Whether the means of two settings differ by more than their seeds explain.

paired_test([0.981, 0.979, 0.983], [0.975, 0.974, 0.978])     # the same seeds in both, in the same order
unpaired_test([0.981, 0.979, 0.983], [0.975, 0.974])          # other seeds, or another number of them

Each has Student's t, and a permutation test that assumes no distribution. SciPy computes both.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nnjax.comparing.intervals import student_t

RESAMPLES = 9999
"""Random permutations where there are more than that; with fewer, each one is tried, and p is exact."""

_SAME = 1e-12  # of the values' size: differences that rounding alone makes


@dataclass(frozen=True)
class MeanTest:
    """The difference of two means, and how surprising it would be if there were none.

    Attributes:
        difference: the first mean less the second.
        low: lower end of the difference's 95 % interval by Student's t; NaN where the spread is unknown.
        high: its upper end.
        std: the standard deviation that the noise of one difference has: of the seeds' differences if paired, else the root of
            both variances' sum; NaN where it is unknown.
        t: Student's t, or Welch's; NaN where the values do not vary.
        degrees: of freedom; Welch's is a broken number.
        p: two-sided, of the t test; NaN where there is none.
        permutation_p: two-sided, of the permutation test; NaN where there is none.
        least_p: the least that the permutation test can give with so few values.
        paired: whether the values were compared seed by seed.
        n: number of values in each; of pairs, twice the same.
        ratio: of the samples' standard deviations, the smaller one divided by the larger; 1 for pairs.
    """

    difference: float
    low: float
    high: float
    std: float
    t: float
    degrees: float
    p: float
    permutation_p: float
    least_p: float
    paired: bool
    n: tuple[int, int]
    ratio: float = 1.0


def paired_test(first: Sequence[float], second: Sequence[float]) -> MeanTest:
    """Compares values pair by pair: the paired t test, and the permutation test that swaps the values within pairs.

    Where all differences are equal there is no t (too few digits, or no randomness); the permutation test remains.

    Args:
        first: finite values, one for each seed.
        second: those of the same seeds, in the same order.

    Raises:
        ValueError: if the numbers of values differ.
    """
    pairs = list(zip(first, second, strict=True))
    differences = [one - other for one, other in pairs]
    n = len(differences)
    mean = math.fsum(differences) / n if n else math.nan
    if n < 2:
        return _without_test(mean, paired=True, n=(n, n))
    std = math.sqrt(math.fsum((value - mean) ** 2 for value in differences) / (n - 1))
    size = max(abs(value) for pair in pairs for value in pair)
    permuted = _permutation_p(first, second, paired=True)
    least = min(1.0, 2.0 ** (1 - n)) if 2**n <= RESAMPLES else 2 / (RESAMPLES + 1)
    if std <= _SAME * size:
        same = abs(mean) <= _SAME * size
        return MeanTest(
            mean, math.nan, math.nan, 0.0, math.nan, n - 1, 1.0 if same else math.nan, permuted, least, True, (n, n)
        )
    from scipy.stats import ttest_rel

    result: Any = ttest_rel(first, second)
    half = student_t(n - 1) * std / math.sqrt(n)
    return MeanTest(
        mean, mean - half, mean + half, std, float(result.statistic), n - 1, float(result.pvalue), permuted, least, True, (n, n)
    )


def unpaired_test(first: Sequence[float], second: Sequence[float]) -> MeanTest:
    """Compares two independent samples: Welch's t test, which lets the variances differ, and a permutation of all values.

    Args:
        first: finite values.
        second: finite values, of any number.
    """
    n = (len(first), len(second))
    means = [math.fsum(values) / len(values) if values else math.nan for values in (first, second)]
    mean = means[0] - means[1]
    if min(n) < 2:
        return _without_test(mean, paired=False, n=n)
    variances = [
        math.fsum((value - own) ** 2 for value in values) / (len(values) - 1)
        for values, own in zip((first, second), means, strict=True)
    ]
    size = max(abs(value) for value in (*first, *second))
    permuted = _permutation_p(first, second, paired=False)
    ways = math.comb(sum(n), n[0])
    least = 2 / ways if ways <= RESAMPLES else 2 / (RESAMPLES + 1)  # SciPy doubles the smaller of both tails
    std = math.sqrt(sum(variances))
    if std <= _SAME * size:
        same = abs(mean) <= _SAME * size
        return MeanTest(mean, math.nan, math.nan, 0.0, math.nan, math.nan, 1.0 if same else math.nan, permuted, least, False, n)
    from scipy.stats import ttest_ind

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of values that are all equal in one sample
        result: Any = ttest_ind(first, second, equal_var=False)
        interval = result.confidence_interval(0.95)
    return MeanTest(
        mean,
        float(interval.low),
        float(interval.high),
        std,
        float(result.statistic),
        float(result.df),
        float(result.pvalue),
        permuted,
        least,
        False,
        n,
        math.sqrt(min(variances) / max(variances)),
    )


def _without_test(difference: float, *, paired: bool, n: tuple[int, int]) -> MeanTest:
    nan = math.nan
    return MeanTest(difference, nan, nan, nan, nan, nan, nan, nan, nan, paired, n)


def _permutation_p(first: Sequence[float], second: Sequence[float], *, paired: bool) -> float:
    """The two-sided p of the difference of means; the same at each call, since random permutations begin from one seed.

    Differences that rounding alone tells from the observed one count as equal to it, as accuracies k / n often are. SciPy's own
    tolerance is a share of the difference, which is smaller than the rounding of the values.
    """
    import numpy as np
    from scipy.stats import permutation_test

    one, other = np.asarray(first, np.float64), np.asarray(second, np.float64)
    observed = np.mean(one) - np.mean(other)
    rounding = _SAME * max(np.max(np.abs(one)), np.max(np.abs(other)))

    def statistic(x: Any, y: Any, axis: int = -1) -> Any:
        found = np.mean(x, axis=axis) - np.mean(y, axis=axis)
        return np.where(np.abs(found - observed) <= rounding, observed, found)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of values that are all equal
        result: Any = permutation_test(
            (one, other),
            statistic,
            permutation_type="samples" if paired else "independent",
            vectorized=True,
            n_resamples=RESAMPLES,
            rng=np.random.default_rng(0),
        )
    return float(result.pvalue)
