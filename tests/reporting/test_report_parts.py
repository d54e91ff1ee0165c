"""The parts of a run that only memory holds: their numbers, their pictures, and what reads them back."""

import base64
import io
import json

import numpy as np
import pytest
from page_facts import Forecast, examples_of
from PIL import Image

from nnjax.reporting.inline_pictures import picture_of, shares_picture, sheet_of
from nnjax.reporting.report_parts import FILE, confusion_counts, parts_of_test, read_parts
from nnjax.reporting.run_summary import write_json


def pixels(uri):
    assert uri.startswith("data:image/png;base64,")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGBA"))


def test_the_confusion_matrix_comes_back_from_the_file(tmp_path):
    test = examples_of(classes=12)
    write_json(tmp_path / FILE, {"version": 1} | parts_of_test(**test))
    parts, line = read_parts(tmp_path)
    assert line == ""
    expected = np.zeros((12, 12), int)
    for label, predicted in zip(test["targets"], test["outputs"].argmax(axis=1), strict=True):
        expected[label, predicted] += 1
    np.testing.assert_array_equal(confusion_counts(parts), expected)


def test_a_mistake_has_the_networks_own_confidence_and_the_examples_picture():
    test = examples_of(wrong=3)
    first = parts_of_test(**test)["mistakes"][0]
    wrong = np.flatnonzero(test["outputs"].argmax(axis=1) != test["targets"])
    worst = wrong[test["losses"][wrong].argmax()]
    shares = np.exp(test["outputs"][worst]) / np.exp(test["outputs"][worst]).sum()
    assert first["example"] == worst
    assert first["confidence"] == pytest.approx(shares.max(), rel=1e-5)
    # the smallest value that is drawn black is 0, the largest of the split is white
    white = test["inputs"].max() / 255
    assert pixels(first["picture"])[..., 0] == pytest.approx(test["inputs"][worst, ..., 0] / white, abs=1)


def test_rows_have_no_picture():
    assert {each["picture"] for each in parts_of_test(**examples_of(images=False))["mistakes"]} == {""}


def test_a_regression_keeps_its_error_over_all_examples():
    true = np.linspace(0, 1, 1000)[:, None]
    outputs = (true + 0.1).astype(np.float32)
    found = parts_of_test(
        inputs=np.zeros((1000, 3)), targets=true, outputs=outputs, losses=np.ones(1000), class_names=(), from_logits=False
    )
    assert found["regression"]["rmse"] == pytest.approx(0.1)
    assert (len(found["regression"]["true"]), found["regression"]["examples"]) == (400, 1000)
    assert found["loss_std"] == 0


def test_a_forecast_keeps_five_times_its_length_of_history():
    inputs, nothing = np.zeros((24, 13, 1)), {"outputs": None, "losses": None}
    found = parts_of_test(
        inputs=inputs, targets=np.zeros((24, 1)), **nothing, class_names=(), from_logits=False, forecast=Forecast()
    )["forecast"]
    assert len(found["values"]) == len(found["labels"]) == 144  # all of them: 24 · 6
    assert found["methods"]["network"] == Forecast.methods["network"].tolist()


@pytest.mark.parametrize(
    ("shape", "form", "count", "shown"),
    [
        ((3, 3, 1, 32), "filter", 32, 32),
        ((5, 5, 3, 100), "filter", 100, 64),
        ((64, 16), "weight map", 16, 16),
        ((5, 4), None, 0, 0),
    ],
)
def test_the_first_layer_is_drawn_where_it_can_be(shape, form, count, shown):
    kernel = np.random.default_rng(0).normal(size=shape)
    found = parts_of_test(**examples_of(), kernel=kernel).get("first_layer")
    assert (found is None) == (form is None)
    if found is not None:
        assert (found["form"], found["count"], found["shown"]) == (form, count, shown)
        pixels(found["picture"])


def test_a_weight_map_lies_as_the_image_does():
    kernel = np.zeros((2, 2, 3, 1))  # a 2×3 image, one unit
    kernel[0, 1, 2] = 1
    found = pixels(sheet_of(np.moveaxis(kernel, -1, 0)[..., :1] * 0 + kernel[..., 2, :].transpose(2, 0, 1)[..., None]))
    half = found.shape[0] // 2
    assert found[half // 2, -2, 2] > found[half // 2, -2, 1] + 50  # purple above to the right
    assert found[-2, 2, :3].min() > 240  # white below


def test_shades_are_the_square_roots_of_shares():
    found = pixels(shares_picture(np.array([[1.0, 0.0], [0.01, 0.25]]), scale=2))
    assert found.shape == (4, 4, 4)
    assert found[::2, ::2, 3].tolist() == [[255, 0], [26, 128]]


def test_large_pictures_are_made_smaller_and_bad_numbers_are_black():
    image = np.full((200, 100, 3), np.nan, np.float32)
    found = pixels(picture_of(image, 0, 1))
    assert max(found.shape[:2]) <= 64
    assert found[..., :3].max() == 0


@pytest.mark.parametrize(
    ("text", "line"),
    [("", ""), ("{", "cannot be read"), ("[]", "another version"), (json.dumps({"version": 2}), "another version")],
)
def test_parts_that_cannot_be_read_are_empty_with_a_reason(tmp_path, text, line):
    if text:
        (tmp_path / FILE).write_text(text)
    parts, found = read_parts(tmp_path)
    assert parts == {}
    assert line in found
    assert bool(found) == bool(text)


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "other.json").write_text(json.dumps({"version": 1}))
    (tmp_path / FILE).symlink_to(tmp_path / "other.json")
    assert read_parts(tmp_path)[0] == {}
