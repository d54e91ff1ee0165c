import numpy as np
import pytest
from PIL import Image

from nnjax.reporting.closing_texts import calibration_texts
from nnjax.reporting.figures.reliability import reliability_diagram
from nnjax.reporting.text import percent_text, temperature_text


def calibration(fitted_on="validation", temperature=1.5, count=100):
    empty = {"count": 0, "confidence": None, "accuracy": None}
    bins = []
    for place in range(15):
        state = {"count": count, "confidence": (place + 0.5) / 15, "accuracy": 0.5} if place > 3 else empty
        bins.append({"from": place / 15, "to": (place + 1) / 15, "before": state, "after": state})
    return {"temperature": temperature, "fitted_on": fitted_on, "ece_before": 0.123, "ece_after": 0.0456, "bins": bins}


def drawn(tmp_path, *arguments, **options):
    reliability_diagram(calibration(*arguments, **options), tmp_path / "calibration.png")
    with Image.open(tmp_path / "calibration.png") as image:
        return np.asarray(image.convert("RGB"))


def colours(picture):
    return {tuple(pixel) for pixel in np.unique(picture.reshape(-1, 3), axis=0).tolist()}


@pytest.mark.slow
def test_both_states_are_drawn_and_one_where_nothing_was_fitted(tmp_path):
    orange, blue = (0xE6, 0x9F, 0x00), (0x00, 0x72, 0xB2)
    assert {orange, blue} <= colours(drawn(tmp_path))
    assert colours(drawn(tmp_path, None, 1.0)) & {orange, blue} == {blue}


def test_few_examples_look_otherwise(tmp_path):
    assert not np.array_equal(drawn(tmp_path), drawn(tmp_path, count=9))


@pytest.mark.parametrize(
    ("temperature", "text"),
    [(1.234, "temperature 1.23"), ([1.0, None, 2.5], "temperatures 1 to 2.5"), ([2.0], "temperature 2")],
)
def test_temperatures_in_words(temperature, text):
    assert temperature_text(temperature) == text


@pytest.mark.parametrize(("share", "text"), [(0.00841, "0.84%"), (0.0999, "9.99%"), (0.09999, "10.0%"), (0.5, "50.0%")])
def test_shares_as_percent(share, text):
    assert percent_text(share) == text


def test_the_line_of_the_closing_table():
    assert calibration_texts(calibration()) == ("error 12.3% → 4.56%", "temperature 1.5")
    worse = calibration() | {"ece_before": 0.0456, "ece_after": 0.123}
    assert calibration_texts(worse) == (
        "error 4.56% → 12.3%",
        "temperature 1.5; the test split is calibrated worse with it",
    )
    assert calibration_texts(calibration(None, 1.0)) == ("error 12.3%", "no validation split to fit a temperature on")
