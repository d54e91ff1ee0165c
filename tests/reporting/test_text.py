import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnjax.reporting.text import duration_text, metric_text, seconds_text, short_names, shorten, si_text


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("accuracy", 0.98611, "98.61%"),
        ("top5_accuracy", 1.0, "100.00%"),
        ("loss", 0.12345, "0.1235"),
        ("loss", 0.0, "0.0000"),
        ("loss", 1.234e-5, "1.23e-05"),
        ("loss", 1e9, "1.00e+09"),
        ("loss", float("inf"), "inf"),
        ("loss", None, "nan"),
    ],
)
def test_metric(name, value, text):
    assert metric_text(name, value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (999, "999"), (999.9, "1.00 k"), (12_345, "12.3 k"), (99_960, "100 k"), (27.1e6, "27.1 M"), (4e13, "40.0 T")],
)
def test_si(value, text):
    assert si_text(value) == text


def test_times():
    assert [duration_text(s) for s in (0.4, 59.6, 754, 3723)] == ["0:00", "1:00", "12:34", "1:02:03"]
    assert [seconds_text(s) for s in (0.123, 8.31, 307.2)] == ["0.12 s", "8.3 s", "5:07"]


@given(text=st.text(), length=st.integers(3, 40))
def test_a_shortened_text_fits_and_a_short_one_stays(text, length):
    shortened = shorten(text, length)
    assert len(shortened) <= length
    if len(text) <= length:
        assert shortened == text


def test_shortened_names_stay_apart():
    assert short_names(["maple_tree", "oak_tree"], 12) == ["maple_tree", "oak_tree"]
    alike = [f"the same beginning {middle} and the same end" for middle in ("one", "two")]
    assert len(set(short_names(alike, 12))) == 2
