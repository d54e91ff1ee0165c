"""A dataset that was changed in Python: its splits hold what its spec says, or it is refused."""

from dataclasses import replace

import numpy as np
import pytest

import nnjax
from nnjax.api.checked_dataset import checked_dataset


@pytest.fixture(scope="module")
def read(tiny):
    """72 training, 8 validation and 30 test examples."""
    return nnjax.load_data(tiny())


def part(split, count, inputs=lambda x: x, targets=lambda y: y):
    """The first examples, changed."""
    return nnjax.Split(inputs(split.inputs[:count]), targets(split.targets[:count]))


def test_other_types_of_numbers_become_those_of_the_spec(tiny, read):
    data = tiny().data
    other = replace(read, train=part(read.train, 72, lambda x: x.astype(np.int64), lambda y: y.astype(np.int64)))
    given = checked_dataset(data, other)
    for split, own in ((given.train, read.train), (given.validation, read.validation), (given.test, read.test)):
        assert (split.inputs.dtype, split.targets.dtype) == (np.uint8, np.int32)
        np.testing.assert_array_equal(split.inputs, own.inputs)
        np.testing.assert_array_equal(split.targets, own.targets)


def test_fewer_examples_need_a_spec_of_fewer(tiny, read):
    fewer = replace(read, train=part(read.train, 50))
    message = "dataset: has 50 train examples, and its spec has num_train=72; if that is meant, "
    with pytest.raises(nnjax.ConfigError, match=message) as caught:
        checked_dataset(tiny().data, fewer)
    assert str(caught.value).endswith("give it spec=dataclasses.replace(dataset.spec, num_train=50)")
    assert len(checked_dataset(tiny().data, replace(fewer, spec=replace(read.spec, num_train=50))).train) == 50


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("train", lambda split: (split.inputs, split.targets), "dataset.train: must be a nnjax.Split, and is a tuple"),
        ("validation", lambda split: None, "dataset.validation: must be a nnjax.Split, and is a NoneType"),
        ("validation", lambda split: part(split, 3), "has 3 validation examples, and its spec has num_validation=8"),
        ("test", lambda split: part(split, 0), "dataset: has no test examples; pass what"),
        ("test", lambda split: part(split, 5), "has 5 test examples, and its spec has num_test=30"),
        (
            "train",
            lambda split: part(split, 72, targets=lambda y: y[:9]),
            r"dataset.train: targets must be \[72\] class numbers; they are \[9\] int32",
        ),
        ("test", lambda split: part(split, 30, targets=lambda y: y + 5), "dataset.test: targets must be .* from 0 to 9; they"),
        (
            "train",
            lambda split: part(split, 72, lambda x: x / 16),
            r"dataset.train: inputs must be \[n, 8, 8, 1\] uint8, .*; they are float64",
        ),
        ("validation", lambda split: part(split, 8, lambda x: x[:, :7]), r"dataset.validation: .*; they are \[8, 7, 8, 1\]"),
    ],
)
def test_splits_that_hold_something_else_are_refused(tiny, read, name, change, message):
    with pytest.raises(nnjax.ConfigError, match=message):
        checked_dataset(tiny().data, replace(read, **{name: change(getattr(read, name))}))
