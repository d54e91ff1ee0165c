import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from nnjax.comparing.mean_tests import paired_test, unpaired_test


def samples(seed, n, m, shift=0.5):
    generator = np.random.default_rng(seed)
    return generator.normal(shift, 1, n).tolist(), generator.normal(0, 2, m).tolist()


@pytest.mark.parametrize("n", [2, 5, 12, 40])
def test_the_paired_test_is_scipys_and_its_interval_statsmodels(n):
    one, other = samples(n, n, n)
    found, known = paired_test(one, other), stats.ttest_rel(one, other)
    differences = np.subtract(one, other)
    assert (found.t, found.p) == pytest.approx((known.statistic, known.pvalue))
    assert (found.low, found.high) == pytest.approx(DescrStatsW(differences).tconfint_mean())
    assert (found.difference, found.std, found.degrees) == pytest.approx((differences.mean(), differences.std(ddof=1), n - 1))
    assert (found.paired, found.n) == (True, (n, n))


@pytest.mark.parametrize(("n", "m"), [(2, 2), (5, 3), (30, 12)])
def test_the_unpaired_test_is_welchs(n, m):
    one, other = samples(n, n, m)
    found = unpaired_test(one, other)
    known = CompareMeans(DescrStatsW(one), DescrStatsW(other))
    t, p, degrees = known.ttest_ind(usevar="unequal")
    assert (found.t, found.p, found.degrees) == pytest.approx((t, p, degrees))
    assert (found.low, found.high) == pytest.approx(known.tconfint_diff(usevar="unequal"))
    assert found.std == pytest.approx(math.sqrt(np.var(one, ddof=1) + np.var(other, ddof=1)))
    assert not found.paired


def test_the_permutation_of_pairs_counts_every_exchange():
    one, other = samples(3, 5, 5)
    differences = np.subtract(one, other)
    all_means = [abs(np.mean(differences * signs)) for signs in itertools.product((1, -1), repeat=5)]
    share = np.mean(np.array(all_means) >= abs(differences.mean()) - 1e-12)
    assert paired_test(one, other).permutation_p == pytest.approx(share)


def test_the_permutation_of_all_values_counts_every_division():
    one, other = samples(4, 4, 4)
    values, total = np.array(one + other), sum(one + other)
    sums = [values[list(chosen)].sum() for chosen in itertools.combinations(range(8), 4)]
    distances = [abs(sum_ / 4 - (total - sum_) / 4) for sum_ in sums]
    share = np.mean(np.array(distances) >= abs(np.mean(one) - np.mean(other)) - 1e-12)
    assert unpaired_test(one, other).permutation_p == pytest.approx(share)


def two_sided(differences, observed):
    """The share of exact differences at least as far out as the observed one, by the doubled smaller tail."""
    tails = (sum(each <= observed for each in differences), sum(each >= observed for each in differences))
    return min(1, 2 * Fraction(min(tails), len(differences)))


@pytest.mark.parametrize("examples", [360, 1000, 10_000])
def test_differences_that_rounding_alone_tells_apart_are_ties(examples):
    """Accuracies are counts over the number of examples, so that many exchanges give the observed difference exactly."""
    generator = np.random.default_rng(examples)
    for _ in range(8):
        one, other = (generator.integers(0.96 * examples, 0.97 * examples, 6).tolist() for _ in range(2))
        shares = [count / examples for count in one], [count / examples for count in other]
        signs = itertools.product((1, -1), repeat=6)
        differences = [a - b for a, b in zip(one, other, strict=True)]
        sums = [sum(sign * each for sign, each in zip(some, differences, strict=True)) for some in signs]
        assert paired_test(*shares).permutation_p == pytest.approx(float(two_sided(sums, sum(differences))))
        sums = [2 * sum(chosen) - sum(one + other) for chosen in itertools.combinations(one + other, 6)]
        assert unpaired_test(*shares).permutation_p == pytest.approx(float(two_sided(sums, sum(differences))))


def test_the_permutation_counts_ties_of_accuracies_in_a_known_case():
    one, other = [347, 348, 350, 348, 348, 348], [346, 350, 348, 347, 347, 349]
    found = paired_test([count / 360 for count in one], [count / 360 for count in other])
    assert found.permutation_p == 0.78125


@pytest.mark.parametrize("n", [2, 3, 5])
def test_the_least_p_of_a_permutation_is_reached_where_all_values_differ_the_same_way(n):
    one, other = [10.0 + place for place in range(n)], [0.1 * place for place in range(n)]
    assert paired_test(one, other).permutation_p == paired_test(one, other).least_p == 2 / 2**n
    assert unpaired_test(one, other).permutation_p == pytest.approx(unpaired_test(one, other).least_p)
    for more in ([20.0], [20.0, 21.0]):
        found, turned = unpaired_test(one + more, other), unpaired_test(other, one + more)
        assert found.permutation_p == turned.permutation_p == pytest.approx(found.least_p)


def test_random_permutations_are_the_same_each_time():
    one, other = samples(1, 20, 20)
    assert paired_test(one, other) == paired_test(one, other)
    assert unpaired_test(one, other).permutation_p == pytest.approx(unpaired_test(one, other).p, abs=0.03)


@pytest.mark.parametrize("test", [paired_test, unpaired_test])
def test_values_that_do_not_vary_have_no_t(test):
    shifted = test([0.3, 0.3, 0.3], [0.1, 0.1, 0.1])
    assert shifted.difference == pytest.approx(0.2)
    assert math.isnan(shifted.p)
    assert shifted.std == 0
    assert shifted.permutation_p <= 0.25
    same = test([0.3, 0.3], [0.3, 0.3])
    assert (same.p, same.permutation_p, same.difference) == (1, 1, 0)


def test_a_sample_that_does_not_vary_is_tested_without_a_warning():
    found = unpaired_test([0.9, 0.9, 0.9], [0.8, 0.83, 0.85, 0.88])
    known = stats.ttest_1samp([0.8, 0.83, 0.85, 0.88], 0.9)
    assert (found.t, found.p, found.degrees, found.ratio) == pytest.approx((-known.statistic, known.pvalue, 3, 0), abs=1e-9)
    assert unpaired_test([0.1, 0.3], [0.1, 0.5]).ratio == pytest.approx(0.5)


def test_rounding_alone_is_no_spread():
    found = paired_test([0.1, 0.2], [0.2, 0.3])
    assert math.isnan(found.p)
    assert found.permutation_p == 0.5


@pytest.mark.parametrize("test", [paired_test, unpaired_test])
def test_one_value_gives_a_difference_and_no_test(test):
    found = test([0.9], [0.8])
    assert found.difference == pytest.approx(0.1)
    assert math.isnan(found.p)
    assert math.isnan(found.low)
    assert math.isnan(found.permutation_p)
    assert math.isnan(test([], []).difference)


def test_pairs_need_partners():
    with pytest.raises(ValueError, match="shorter"):
        paired_test([1.0, 2.0], [1.0])
