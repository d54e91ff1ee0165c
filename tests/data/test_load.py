"""What every source comes to: sizes, limits, validation, statistics; and the sources without files."""

from dataclasses import replace

import numpy as np
import pytest
from archives import PLAIN, tfds_data
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from real_data import REAL_DATA

from nnjax.config.data_options import DigitsData, SyntheticData, TextbookData
from nnjax.config.errors import DataError
from nnjax.data import digits as digits_module
from nnjax.data.dataset_spec import dataset_spec
from nnjax.data.load import load, mean_and_std
from nnjax.data.tfds import decode_split, prepared_folder

DIGITS = DigitsData(name="digits", **PLAIN)
TEXTBOOK = TextbookData(name="textbook", inputs=((0.2, 0.1, 0.4),), targets=((1.0,),), **PLAIN | {"normalize": False})
CLASSES = SyntheticData(
    name="synthetic",
    task="classification",
    input_shape=(4, 4, 3),
    outputs=5,
    num_train=103,
    num_test=21,
    noise=0.1,
    data_seed=3,
    **PLAIN,
)
VALUES = replace(CLASSES, task="regression", input_shape=(6,), outputs=2, noise=0.0)


def rows(inputs):
    """The examples, to be compared as sets."""
    return [example.tobytes() for example in inputs]


@pytest.mark.parametrize("data", [DIGITS, TEXTBOOK, CLASSES, VALUES], ids=["digits", "textbook", "classes", "values"])
@pytest.mark.parametrize("changes", [{}, {"validation": 0.3}, {"limit_train": 50, "limit_test": 20, "validation": 0.1}])
def test_splits_agree_with_the_spec(data, changes):
    data = replace(data, **changes)
    dataset = load(data)
    spec = dataset.spec
    assert spec == dataset_spec(data)
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [
        spec.num_train,
        spec.num_validation,
        spec.num_test,
    ]
    for split in (dataset.train, dataset.validation, dataset.test):
        assert len(split.targets) == len(split.inputs)
        assert split.inputs.shape[1:] == spec.input_shape
        assert split.inputs.dtype == spec.input_dtype
        if spec.task == "classification":
            assert split.targets.dtype == np.int32
            assert set(split.targets) <= set(range(spec.num_outputs))
        else:
            assert split.targets.dtype == np.float32
            assert split.targets.shape[1:] == (spec.num_outputs,)
    assert len(dataset.class_names) == (spec.num_outputs if spec.task == "classification" else 0)
    assert dataset.mean.shape == dataset.std.shape == (spec.input_shape[-1],)


@pytest.mark.parametrize("data", [DIGITS, CLASSES, VALUES], ids=["digits", "classes", "values"])
def test_validation_is_carved_from_training_and_always_alike(data):
    whole, first, second = load(data), load(replace(data, validation=0.25)), load(replace(data, validation=0.25))
    assert sorted(rows(first.train.inputs) + rows(first.validation.inputs)) == sorted(rows(whole.train.inputs))
    np.testing.assert_array_equal(first.validation.inputs, second.validation.inputs)
    np.testing.assert_array_equal(first.test.inputs, whole.test.inputs)
    # Inputs and targets are carved alike.
    by_input = dict(zip(rows(whole.train.inputs), rows(whole.train.targets), strict=True))
    for split in (first.train, first.validation):
        assert [by_input[row] for row in rows(split.inputs)] == rows(split.targets)


def test_nothing_left_to_train_on_is_an_error():
    with pytest.raises(DataError, match=r"data.validation=0.9: leaves nothing"):
        load(replace(DIGITS, limit_train=1, validation=0.9))


def test_limits_keep_the_beginning():
    whole, limited = load(CLASSES), load(replace(CLASSES, limit_train=30, limit_test=10_000))
    np.testing.assert_array_equal(limited.train.inputs, whole.train.inputs[:30])
    np.testing.assert_array_equal(limited.test.inputs, whole.test.inputs)


# --- statistics ------------------------------------------------------------------------------------------------------


@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 600), st.just(2), st.just(1), st.integers(1, 3))))
def test_statistics_of_bytes(inputs):
    mean, std = mean_and_std(inputs)
    values = inputs.reshape(-1, inputs.shape[-1]).astype(np.float64)
    np.testing.assert_allclose(mean, values.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(std, np.where(values.std(axis=0) > 0, values.std(axis=0), 1), rtol=1e-6)


def test_statistics_of_floats():
    inputs = np.random.default_rng(0).normal([100, -3], [1e-2, 5], (1000, 7, 2)).astype(np.float32)
    mean, std = mean_and_std(inputs)
    values = inputs.reshape(-1, 2).astype(np.float64)
    np.testing.assert_allclose(mean, values.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(std, values.std(axis=0), rtol=1e-6)


@pytest.mark.parametrize("inputs", [np.full((700, 8, 8, 1), 255, np.uint8), np.full((700, 3), 0.1, np.float32)])
def test_constant_channels_are_divided_by_one(inputs):
    mean, std = mean_and_std(inputs)
    np.testing.assert_array_equal(mean, inputs[0].reshape(-1, inputs.shape[-1])[0])
    np.testing.assert_array_equal(std, 1)


def test_statistics_are_the_training_splits_alone():
    dataset = load(replace(DIGITS, validation=0.5))
    np.testing.assert_allclose(dataset.mean, dataset.train.inputs.mean(), rtol=1e-6)
    off = load(replace(DIGITS, normalize=False))
    assert (off.mean, off.std) == (0, 1)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"limit_train": 1437, "limit_test": 360, "validation": 0.1}, []),
        ({"limit_train": 1438}, ["data.limit_train=1438: there are only 1437; all are used"]),
        ({"limit_test": 999}, ["data.limit_test=999: there are only 360; all are used"]),
        ({"limit_train": 4, "validation": 0.1}, ["data.validation=0.1: of 4 examples that sets none aside"]),
        ({"limit_train": 4, "validation": 0.2}, []),
    ],
)
def test_limits_and_shares_without_effect_are_told(changes, expected):
    lines = []
    load(replace(DIGITS, **changes), echo=lines.append)
    assert lines == expected


# --- digits ----------------------------------------------------------------------------------------------------------


def test_digits_are_scikit_learns():
    from sklearn.datasets import load_digits

    dataset, original = load(DIGITS), load_digits()
    inputs = np.concatenate([dataset.train.inputs, dataset.test.inputs])
    targets = np.concatenate([dataset.train.targets, dataset.test.targets])
    expected = original.images[..., None].astype(np.uint8)
    assert sorted(zip(rows(inputs), targets, strict=True)) == sorted(zip(rows(expected), original.target, strict=True))


def test_digits_without_the_file_come_from_scikit_learn(monkeypatch):
    before = digits_module._table()
    monkeypatch.setattr(digits_module.importlib.util, "find_spec", lambda name: None)
    np.testing.assert_array_equal(digits_module._table(), before)


@pytest.mark.parametrize("limit", [100, 500, 1437])
def test_digits_hold_the_classes_in_proportion(limit):
    dataset = load(replace(DIGITS, limit_train=limit, limit_test=limit))
    whole = np.bincount(load(DIGITS).train.targets) + np.bincount(load(DIGITS).test.targets)
    for split in (dataset.train, dataset.test):
        expected = whole / whole.sum() * len(split)
        assert np.abs(np.bincount(split.targets) - expected).max() <= 1.5


# --- made-up data ----------------------------------------------------------------------------------------------------


def test_textbook_trains_and_tests_on_the_same_examples():
    dataset = load(TEXTBOOK)
    for split in (dataset.train, dataset.test):
        np.testing.assert_array_equal(split.inputs, np.float32([[0.2, 0.1, 0.4]]))
        np.testing.assert_array_equal(split.targets, np.float32([[1.0]]))


def test_synthetic_classes_are_balanced_and_lie_around_shared_centres():
    dataset = load(CLASSES)
    assert np.ptp(np.bincount(dataset.train.targets)) <= 1
    centres = np.stack([dataset.train.inputs[dataset.train.targets == label].mean(axis=0) for label in range(5)])
    distances = np.sqrt(((dataset.test.inputs - centres[dataset.test.targets]) ** 2).mean())
    assert distances < 0.15
    assert centres.std() > 0.5


def test_synthetic_regression_without_noise_is_linear_with_unit_signal():
    dataset = load(replace(VALUES, num_train=5000))
    solution, *_ = np.linalg.lstsq(dataset.train.inputs, dataset.train.targets, rcond=None)
    np.testing.assert_allclose(dataset.test.inputs @ solution, dataset.test.targets, atol=1e-5)
    variance = np.mean([load(replace(VALUES, data_seed=seed)).train.targets.var() for seed in range(30)])
    assert 0.7 < variance < 1.3


@pytest.mark.parametrize("data", [CLASSES, VALUES], ids=["classes", "values"])
def test_synthetic_data_depend_on_the_data_seed_alone(data):
    first, more, other = load(data), load(replace(data, num_train=200)), load(replace(data, data_seed=4))
    np.testing.assert_array_equal(first.test.inputs, more.test.inputs)
    np.testing.assert_array_equal(first.test.targets, more.test.targets)
    np.testing.assert_array_equal(first.train.inputs, more.train.inputs[:103])
    assert not np.array_equal(first.test.inputs, other.test.inputs)
    assert not np.array_equal(first.test.inputs, first.train.inputs[:21])


# --- real data -------------------------------------------------------------------------------------------------------


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "counts", "first_class"),
    [("mnist", [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009], "0"), ("cifar10", [1000] * 10, "airplane")],
)
def test_real_data(name, counts, first_class):
    data = tfds_data(name, REAL_DATA)
    decoded = decode_split(prepared_folder(data), "test", dataset_spec(data))
    assert np.bincount(decoded.targets).tolist() == counts
    assert decoded.class_names[0] == first_class
    if name == "mnist":  # as published
        mean, std = mean_and_std(decoded.inputs)
        np.testing.assert_allclose([mean[0] / 255, std[0] / 255], [0.1325, 0.3105], atol=1e-4)
