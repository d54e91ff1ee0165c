"""The interval of an accuracy, against SciPy's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from nnjax.reporting.proportions import wilson


@given(st.integers(1, 100_000).flatmap(lambda count: st.tuples(st.integers(0, count), st.just(count))))
def test_it_is_scipys(pair):
    hits, count = pair
    interval = binomtest(hits, count).proportion_ci(0.95, method="wilson")
    assert wilson(hits, count) == pytest.approx((interval.low, interval.high), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("hits", "count"), [(-1, 5), (6, 5), (0, 0)])
def test_no_share_is_refused(hits, count):
    with pytest.raises(ValueError, match="no share"):
        wilson(hits, count)
