"""Inputs like the training data pass; others are flagged, in words."""

from dataclasses import replace

import numpy as np
import pytest
from archives import tfds_data
from drawn import STROKES, drawn, photographed
from PIL import Image
from real_data import REAL_DATA

from nnjax.data.dataset_spec import dataset_spec
from nnjax.data.digits import digits
from nnjax.data.tfds import decode_split, prepared_folder
from nnjax.serving.facts import InputFacts
from nnjax.serving.preparing import prepare
from nnjax.serving.typical import Typical, fit_typical

RANDOM = np.random.default_rng(0)


def flagged(typical, inputs):
    """The share of inputs with a warning."""
    return np.mean([judgement.warning is not None for judgement in typical.judge(inputs)])


@pytest.fixture(scope="module")
def of_digits():
    train, test = digits()
    return fit_typical(train.inputs), test.inputs


@pytest.mark.slow
def test_digits_pass_and_others_are_flagged(of_digits):
    typical, test = of_digits
    assert flagged(typical, test) < 0.02
    for unlike in (
        16 - test,
        np.zeros((1, 8, 8, 1), np.uint8),
        np.full((1, 8, 8, 1), 16, np.uint8),
        RANDOM.integers(0, 17, (100, 8, 8, 1)).astype(np.uint8),
    ):
        assert flagged(typical, unlike) > 0.95


def test_a_warning_says_how_far_and_in_what(of_digits):
    typical, test = of_digits
    (empty,), inverted = typical.judge(np.zeros((1, 8, 8, 1), np.uint8)), typical.judge(16 - test[:1])[0]
    assert (
        empty.warning
        == f"unlike the training pictures, {empty.score:.1f} times as far from them as usual ones go: less contrast"
    )
    assert inverted.warning.endswith(": lighter")
    just = replace(typical, threshold=np.array([empty.score * empty.threshold / 1.04], np.float32))
    (beyond,) = just.judge(np.zeros((1, 8, 8, 1), np.uint8))
    assert beyond.warning == "unlike the training pictures, just further from them than usual ones go: less contrast"
    assert empty.score > 2
    assert typical.judge(test[:1])[0].warning is None


@pytest.mark.slow
def test_statistics_are_small_arrays_that_come_back(of_digits):
    typical, test = of_digits
    arrays = typical.arrays()
    assert all(array.dtype == np.float32 for array in arrays.values())
    scores = [judgement.score for judgement in typical.judge(test)]
    assert [judgement.score for judgement in Typical.from_arrays(arrays).judge(test)] == scores
    for shape in ((32, 32, 3), (96, 96, 3), (20_000,), (50, 20)):
        inputs = RANDOM.integers(0, 255, (40, *shape)).astype(np.uint8)
        made = fit_typical(inputs)
        assert len(shape) != 3 or sum(array.nbytes for array in made.arrays().values()) < 300_000
        assert len(Typical.from_arrays(made.arrays()).judge(inputs)) == 40


def test_the_same_data_give_the_same_statistics():
    inputs = RANDOM.integers(0, 255, (5500, 3, 3, 1)).astype(np.uint8)
    first, second = fit_typical(inputs).arrays(), fit_typical(inputs).arrays()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name])


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("threshold", None, "must be the arrays shape, unit"),
        ("means", np.full(5, np.nan), "means: must be finite"),
        ("middle", np.zeros(63), r"middle: must have the shape \(64,\)"),
        ("components", np.zeros((3, 64)), r"components: must have the shape"),
        ("shape", np.array([1e30]), "shape: must be"),
        ("shape", np.array([8.0, 8.0, 0.0]), "shape: must be"),
        ("shape", np.array([8.0, 8.0, 1.0, 1.0]), "shape: must be"),
        ("threshold", np.zeros(1), "must be above 0"),
        ("deviations", None, "must be the arrays"),
    ],
)
def test_damaged_statistics_are_refused(of_digits, name, array, message):
    arrays = dict(of_digits[0].arrays())
    if array is None:
        del arrays[name]
    else:
        arrays[name] = array
    with pytest.raises(ValueError, match=message):
        Typical.from_arrays(arrays)


def test_vectors_have_ranges_and_a_distance():
    one = RANDOM.normal(size=3000)
    train = np.stack([one, one + 0.01 * RANDOM.normal(size=3000), RANDOM.uniform(-1, 1, 3000)], 1).astype(np.float32)
    typical = fit_typical(train[:2000])
    assert flagged(typical, train[2000:]) < 0.01
    usual, beyond, against, nothing = typical.judge(
        np.float32([[1, 1, 0], [0, 0, 5], [1, -1, 0], [0, np.nan, 0]]), ("a", "b", "c")
    )
    assert usual.warning is None
    assert beyond.warning.startswith("c=5: the training data have -")
    assert against.warning.startswith("unlike the training data: ")  # each in its range, together never seen
    assert nothing.warning.startswith("b=nan")
    assert typical.judge(np.float32([[0, 0, 5]]))[0].warning.startswith("value 3=5: ")


def test_windows_share_the_range_of_their_times():
    waves = np.sin(np.arange(400) / 5 + RANDOM.normal(size=400) / 9)
    windows = np.lib.stride_tricks.sliding_window_view(waves, 12)[:, :, None].astype(np.float32)
    typical = fit_typical(windows[:300])
    assert flagged(typical, windows[300:]) < 0.05
    assert flagged(typical, 3 * windows[300:]) == 1
    assert flagged(typical, windows[:50] * (-1.0) ** np.arange(12)[:, None]) > 0.9


@pytest.mark.parametrize("count", [1, 2, 4, 10])
def test_a_few_examples_are_like_themselves(count):
    for inputs in (
        RANDOM.random((count, 2)).astype(np.float32),
        RANDOM.integers(0, 255, (count, 4, 4, 1)).astype(np.uint8),
        np.zeros((count, 3), np.float32),
    ):
        typical = fit_typical(inputs)
        assert np.isfinite([judgement.score for judgement in typical.judge(inputs)]).all()
        if inputs.ndim == 2 and count > 2:
            assert flagged(typical, inputs) < 0.5


@pytest.mark.slow
@pytest.mark.real_data
def test_real_digits_pass_and_cats_do_not():
    facts = InputFacts((28, 28, 1), "uint8", "mnist", 255.0)
    sets = {}
    for name in ("mnist", "cifar10"):
        data = tfds_data(name, REAL_DATA)
        sets[name] = decode_split(prepared_folder(data), "test", dataset_spec(data))
    typical = fit_typical(sets["mnist"].inputs[:5000])
    test = np.asarray(sets["mnist"].inputs[5000:])
    assert flagged(typical, test) < 0.005
    assert flagged(typical, 255 - test[:500]) == 1
    photos = [photographed(drawn(digit), seed) for seed, digit in enumerate(STROKES)]
    assert flagged(typical, np.stack([prepare(photo, facts).inputs for photo in photos])) == 0
    cats = [image for image, label in zip(sets["cifar10"].inputs, sets["cifar10"].targets, strict=True) if label == 3][:60]
    prepared = [prepare(Image.fromarray(cat).resize((320, 320)), facts) for cat in cats]
    judged = typical.judge(np.stack([each.inputs for each in prepared]))
    doubted = [
        bool(each.warnings) or each_judged.warning is not None for each, each_judged in zip(prepared, judged, strict=True)
    ]
    assert np.mean(doubted) > 0.75
    images = np.asarray(sets["cifar10"].inputs)
    of_cifar = fit_typical(images[:5000])
    assert flagged(of_cifar, images[5000:]) < 0.006
    assert flagged(of_cifar, RANDOM.integers(0, 256, (50, 32, 32, 3)).astype(np.uint8)) == 1
    flat = RANDOM.integers(0, 256, (50, 1, 1, 3)).repeat(32, 1).repeat(32, 2).astype(np.uint8)
    assert flagged(of_cifar, flat) == 1
