"""How many seeds a difference takes to be shown: the sample size of a t test with a given power.

seeds_needed(difference=0.004, std=0.005, paired=True)      # 15: pairs of trainings

The noncentral t distribution gives the power (Cohen, *Statistical Power Analysis*, 1988, chapter 2).
"""

import math

POWER = 0.8
"""The chance to show a difference that is there."""

MOST_SEEDS = 10_000
"""The largest sample that is tried; a larger one is out of reach."""


def power_of(effect: float, n: int, *, paired: bool, ratio: float = 1.0, alpha: float = 0.05) -> float:
    """Returns the chance that a two-sided t test with `n` seeds in each setting shows a difference.

    Args:
        effect: the true difference of the means, divided by the standard deviation of one pair's difference; unpaired, that is
            the root of the sum of both variances, and the sizes of the samples are equal.
        n: seeds of each setting, at least 2.
        paired: whether the same seeds are in both, so that the test has n − 1 degrees of freedom.
        ratio: unpaired, the smaller standard deviation divided by the larger one, r: Welch's test has
            (n − 1) (1 + r²)² / (1 + r⁴) degrees of freedom, from n − 1 to 2 n − 2 (Welch, 1947).
        alpha: the level of the test.
    """
    from scipy.special import nctdtr, stdtrit

    degrees = (n - 1) * (1.0 if paired else (1 + ratio**2) ** 2 / (1 + ratio**4))
    limit = float(stdtrit(degrees, 1 - alpha / 2))
    shift = abs(effect) * math.sqrt(n)
    below = float(nctdtr(degrees, shift, limit))
    far = float(nctdtr(degrees, shift, -limit))
    # SciPy returns NaN for some probabilities too small for it, as both are where the shift is much larger than the limit.
    return 1 - (0.0 if math.isnan(below) else below) + (0.0 if math.isnan(far) else far)


def seeds_needed(
    difference: float,
    std: float,
    *,
    paired: bool,
    ratio: float = 1.0,
    more_than: int = 1,
    alpha: float = 0.05,
    power: float = POWER,
) -> int | None:
    """Returns the least number of seeds in each setting with which a difference is shown with the given power.

    It is a guess as good as `difference` and `std`, which a few seeds estimate roughly.

    Args:
        difference: the true difference of the means; the observed one, for want of it.
        std: standard deviation of one pair's difference, as `MeanTest.std`.
        paired: as in `power_of`.
        ratio: as in `power_of`.
        more_than: the seeds that there are, which did not show the difference.
        alpha: the level of the test; with m comparisons, α / m is the strictest that Holm's correction asks for.
        power: between 0 and 1.

    Returns:
        At least one more than `more_than`; None if more than `MOST_SEEDS` were needed, or if a number is not known.
    """
    if not (math.isfinite(difference) and math.isfinite(std)) or difference == 0 or std <= 0:
        return None
    effect = difference / std

    def enough(n: int) -> bool:
        return power_of(effect, n, paired=paired, ratio=ratio, alpha=alpha) >= power

    if more_than >= MOST_SEEDS or not enough(MOST_SEEDS):
        return None
    low, high = more_than, MOST_SEEDS  # `low` are too few, `high` are enough
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
