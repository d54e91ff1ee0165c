import math
import warnings

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as known_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestIndPower, TTestPower

from nnjax.comparing.holm import holm
from nnjax.comparing.mcnemar import mcnemar
from nnjax.comparing.power import MOST_SEEDS, power_of, seeds_needed


@pytest.mark.slow
@pytest.mark.parametrize("m", [1, 2, 5, 30])
def test_holm_is_statsmodels(m):
    p_values = np.random.default_rng(m).uniform(0, 0.2, m)
    assert holm(p_values.tolist()) == pytest.approx(multipletests(p_values, method="holm")[1])


def test_holm_leaves_out_what_was_not_tested():
    assert holm([math.nan, 0.03, 0.02])[1:] == pytest.approx([0.04, 0.04])
    assert math.isnan(holm([math.nan, 0.03])[0])
    assert holm([]) == []
    assert holm([0.9, 0.9]) == [1, 1]


@pytest.mark.parametrize("seed", range(4))
def test_mcnemar_is_statsmodels(seed):
    generator = np.random.default_rng(seed)
    one, other = generator.random(200) < 0.9, generator.random(200) < 0.8
    found = mcnemar(one, other)
    table = [[found.both, found.first], [found.second, found.neither]]
    assert found.p == pytest.approx(known_mcnemar(table, exact=True).pvalue)
    assert table == [[np.sum(one & other), np.sum(one & ~other)], [np.sum(~one & other), np.sum(~one & ~other)]]
    assert found.count == 200
    assert found.difference == pytest.approx(one.mean() - other.mean())


def test_mcnemar_of_equal_answers_is_no_difference():
    assert mcnemar([True, False], [True, False]).p == 1
    for one, other in (([True], [True, False]), ([], []), ([[True]], [[True]])):
        with pytest.raises(ValueError, match="same examples"):
            mcnemar(one, other)


@pytest.mark.parametrize("effect", [0.1, 0.3, 0.8, 2])
@pytest.mark.parametrize("alpha", [0.05, 0.005])
def test_the_number_of_seeds_is_statsmodels(effect, alpha):
    paired = TTestPower().solve_power(effect, power=0.8, alpha=alpha)
    assert seeds_needed(effect, 1, paired=True, alpha=alpha) == math.ceil(paired)
    assert seeds_needed(-3 * effect, 3, paired=True, alpha=alpha) == math.ceil(paired)
    unpaired = TTestIndPower().solve_power(effect, power=0.8, alpha=alpha)
    assert seeds_needed(effect, math.sqrt(2), paired=False, alpha=alpha) == math.ceil(unpaired)


def test_power_is_statsmodels_and_holds_in_a_simulation():
    assert power_of(0.7, 9, paired=True) == pytest.approx(TTestPower().power(0.7, 9, 0.05))
    values = np.random.default_rng(0).normal(0.7, 1, (4000, 9))
    t = values.mean(axis=1) / values.std(axis=1, ddof=1) * 3
    assert np.mean(np.abs(t) > 2.306) == pytest.approx(power_of(0.7, 9, paired=True), abs=0.03)


@pytest.mark.parametrize("ratio", [0.0, 0.2, 1.0])
def test_the_power_of_welchs_test_depends_on_the_ratio_of_the_spreads(ratio):
    generator = np.random.default_rng(0)
    one, other = generator.normal(1.2, 1, (4000, 8)), generator.normal(0, ratio, (4000, 8))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of equal values
        p = stats.ttest_ind(one, other, axis=1, equal_var=False).pvalue
    found = power_of(1.2 / math.hypot(1, ratio), 8, paired=False, ratio=ratio)
    assert np.mean(p < 0.05) == pytest.approx(found, abs=0.03)
    if ratio == 0:
        assert found == power_of(1.2, 8, paired=True)


def test_the_number_of_seeds_is_larger_than_what_there_is():
    """With one sample that hardly varies, Welch's test of two values in each has one degree of freedom."""
    assert seeds_needed(16.5, 2.12, paired=False) == 2
    assert seeds_needed(16.5, 2.12, paired=False, ratio=0.0) == 3
    assert seeds_needed(16.5, 2.12, paired=False, more_than=5) == 6
    assert seeds_needed(0.8, 1, paired=True, more_than=3) == seeds_needed(0.8, 1, paired=True) == 15
    assert seeds_needed(16.5, 2.12, paired=False, more_than=MOST_SEEDS) is None


@pytest.mark.parametrize("paired", [True, False])
def test_the_number_of_seeds_falls_as_the_difference_grows(paired):
    """SciPy's distribution is NaN in places, at the large numbers of seeds that the search tries first."""
    found = [seeds_needed(effect, 1, paired=paired) for effect in np.geomspace(0.05, 3, 300)]
    assert None not in found
    assert found == sorted(found, reverse=True)
    assert power_of(12, 10, paired=True) == power_of(0.39, 10_000, paired=True) == 1


def test_a_large_difference_takes_two_seeds_and_a_tiny_one_more_than_anybody_trains():
    assert seeds_needed(30, 1, paired=True) == seeds_needed(1e6, 1, paired=False) == 2
    assert seeds_needed(1e-6, 1, paired=True) is None
    assert seeds_needed(0.03, 1, paired=True) <= MOST_SEEDS
    for difference, std in ((0, 1), (1, 0), (math.nan, 1), (1, math.nan)):
        assert seeds_needed(difference, std, paired=True) is None
