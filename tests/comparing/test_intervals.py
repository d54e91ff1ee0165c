import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import DescrStatsW

from nnjax.comparing.intervals import mean_estimate, share_estimate


@pytest.mark.parametrize("n", [2, 3, 10, 200])
def test_the_interval_of_a_mean_is_students(n):
    values = np.random.default_rng(n).normal(3, 2, n).tolist()
    found = mean_estimate(values)
    low, high = DescrStatsW(values).tconfint_mean()
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-12)
    assert (found.mean, found.std, found.n) == (pytest.approx(np.mean(values)), pytest.approx(np.std(values, ddof=1)), n)
    assert found.half == pytest.approx((high - low) / 2)


@pytest.mark.parametrize(("hits", "count"), [(0, 10), (10, 10), (1, 3), (9803, 10_000), (88, 360)])
def test_the_interval_of_a_share_is_wilsons(hits, count):
    found = share_estimate(hits, count)
    assert (found.low, found.high) == pytest.approx(proportion_confint(hits, count, method="wilson"), abs=1e-12)
    assert found.mean == hits / count
    assert 0 <= found.low <= found.mean <= found.high <= 1


def test_wilsons_interval_covers_the_share_as_often_as_it_should():
    count, share = 200, 0.97
    chances = stats.binom.pmf(range(count + 1), count, share)
    covered = [share_estimate(hits, count).low <= share <= share_estimate(hits, count).high for hits in range(count + 1)]
    assert float(np.dot(chances, covered)) == pytest.approx(0.95, abs=0.025)


def test_what_is_not_finite_is_left_out_and_one_value_has_no_interval():
    found = mean_estimate([1.0, None, math.nan, math.inf])
    assert (found.mean, found.n) == (1.0, 1)
    assert math.isnan(found.low)
    assert math.isnan(mean_estimate([]).mean)
    assert math.isnan(share_estimate(0, 0).mean)
    with pytest.raises(ValueError, match="no share"):
        share_estimate(4, 3)
