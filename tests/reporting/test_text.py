import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnjax.reporting.text import duration_text, metric_text, number_text, seconds_text, short_names, shorten, si_text


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


@pytest.mark.slow
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


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.76, "0.76"),
        (0.1 + 0.2, "0.3"),
        (0.9534695254852685, "0.953470"),
        (-0.6, "−0.6"),
        (-0.0, "0"),
        (1000.0, "1000"),
        (0.9999999958776927, "1.000000"),
        (0.0005, "0.0005"),
        (1 / 3000, "0.000333333"),
        (1e-300, "1e−300"),
        (-1.5e20, "−1.5e+20"),
    ],
)
def test_numbers_of_the_textbook(value, text):
    assert number_text(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_read_back_to_six_digits(value):
    read = float(number_text(value).replace("−", "-"))
    assert read == pytest.approx(value, rel=1e-5, abs=1e-6 * (abs(value) >= 1e-3))
