"""A dataset of facts alone has the shapes of the real one, and no memory."""

import numpy as np
import pytest

from nnjax.cli.compose import compose_train
from nnjax.data.abstract_dataset import abstract_dataset
from nnjax.data.load import load


@pytest.mark.parametrize("overrides", [["data=digits"], ["data=textbook", "model=two_neuron"], ["data=airline", "model=rnn"]])
def test_shapes_and_types_are_those_of_the_data(overrides):
    data = compose_train(overrides).data
    abstract, real = abstract_dataset(data), load(data)
    assert abstract.spec == real.spec
    for ours, theirs in ((abstract.train, real.train), (abstract.validation, real.validation), (abstract.test, real.test)):
        assert (ours.inputs.shape, ours.inputs.dtype) == (theirs.inputs.shape, theirs.inputs.dtype)
        assert (ours.targets.shape, ours.targets.dtype) == (theirs.targets.shape, theirs.targets.dtype)
    assert abstract.mean.shape == real.mean.shape
    normalizes = bool(real.mean.any() or (real.std != 1).any())
    assert bool((abstract.std != 1).any()) == normalizes


def test_nothing_is_read_and_nothing_takes_memory(monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", "/nowhere")
    dataset = abstract_dataset(compose_train(["data=cifar10"]).data)
    assert dataset.train.inputs.shape == (45_000, 32, 32, 3)
    assert dataset.train.inputs.strides == (0, 0, 0, 0)
    assert not np.any(dataset.train.inputs[:3])
