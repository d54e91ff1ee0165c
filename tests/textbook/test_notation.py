import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnjax.textbook.notation import exponent, number, operand, squared, sum_text, terms_text, tidy


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1 + 0.2, "0.3"),
        (0.76, "0.76"),
        (-0.0784, "−0.0784"),
        (1.0173802589184, "1.0173802589"),
        (0.000151036700035, "0.0001510367"),
        (4.42967949e-06, "4.429679e−06"),
        (0.0, "0"),
        (-0.0, "0"),
        (1e30, "1e+30"),
        (3.0, "3"),
        (math.inf, "inf"),
    ],
)
def test_numbers_read_without_rounding(value, text):
    assert number(value) == text


@given(st.decimals(-100, 100, places=8).map(float))
def test_a_short_number_loses_nothing(value):
    assert float(number(value).replace("−", "-")) == pytest.approx(value, rel=1e-6, abs=1e-12)
    assert tidy(value) == value


def test_tidy_drops_rounding_only():
    assert tidy(0.1 + 0.2) == 0.3
    assert tidy(1 / 3) == pytest.approx(1 / 3, rel=1e-15)


def test_sums_read_as_written_by_hand():
    assert sum_text([0.02, -0.1, 0.5]) == "0.02 − 0.1 + 0.5"
    assert sum_text([-1.0]) == "−1"
    assert terms_text(["w_a1 x1", "w_a0"]) == "w_a1 x1 + w_a0"
    assert sum_text([float(i) for i in range(1, 20)]) == "1 + 2 + 3 + 4 + … + 19"
    assert operand(-2.0) == "(−2)"
    assert (squared("−2"), squared("2"), squared("2e−06")) == ("(−2)²", "2²", "(2e−06)²")
    assert (exponent("−2"), exponent("2e−06")) == ("−2", "(2e−06)")
