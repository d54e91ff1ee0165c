"""The batch stream: a pure function of seed and step."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnjax.data.stream import batch_indices, epoch_permutation

SEEDS = st.integers(0, 2**70)


@given(SEEDS, st.integers(0, 10_000), st.integers(1, 500))
def test_epoch_permutation_permutes(seed, epoch, num_examples):
    order = epoch_permutation(seed, epoch, num_examples)
    assert order.dtype == np.int32
    np.testing.assert_array_equal(np.sort(order), np.arange(num_examples))


def test_epoch_permutation_never_changes():
    """Resumed runs of older versions rely on it."""
    assert epoch_permutation(0, 0, 10).tolist() == [8, 0, 3, 7, 6, 4, 1, 5, 2, 9]
    assert epoch_permutation(1, 2, 10).tolist() == [6, 3, 9, 1, 2, 8, 7, 4, 0, 5]


def test_epochs_and_seeds_differ():
    orders = {tuple(epoch_permutation(seed, epoch, 50)) for seed in range(5) for epoch in range(5)}
    assert len(orders) == 25


def test_each_place_is_as_likely():
    first = [epoch_permutation(seed, epoch, 4)[0] for seed in range(40) for epoch in range(50)]
    assert np.abs(np.bincount(first) / 2000 - 0.25).max() < 0.05


def test_cached_orders_cannot_be_written_to():
    with pytest.raises(ValueError, match="read-only"):
        epoch_permutation(0, 0, 10)[0] = 5


@st.composite
def streams(draw):
    batch_size, steps_per_epoch = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    num_examples = batch_size * steps_per_epoch + draw(st.integers(0, batch_size - 1))
    return {"steps_per_epoch": steps_per_epoch, "num_examples": num_examples, "global_batch_size": batch_size}


@given(SEEDS, st.integers(0, 100), st.lists(st.integers(1, 30), min_size=1, max_size=5), streams())
def test_chunks_make_no_difference(seed, first_step, chunks, stream):
    whole = batch_indices(seed, first_step, sum(chunks), **stream)
    starts = first_step + np.cumsum([0, *chunks[:-1]])
    parts = [batch_indices(seed, int(start), steps, **stream) for start, steps in zip(starts, chunks, strict=True)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert whole.dtype == np.int32
    assert whole.shape == (sum(chunks), stream["global_batch_size"])


@given(SEEDS, st.integers(0, 50), streams())
def test_an_epoch_takes_an_example_at_most_once(seed, epoch, stream):
    steps = stream["steps_per_epoch"]
    taken = batch_indices(seed, epoch * steps, steps, **stream).ravel()
    assert len(np.unique(taken)) == steps * stream["global_batch_size"]
    np.testing.assert_array_equal(taken, epoch_permutation(seed, epoch, stream["num_examples"])[: len(taken)])


def test_more_batches_than_examples_are_refused():
    with pytest.raises(ValueError, match="need more than 7 examples"):
        batch_indices(0, 0, 1, steps_per_epoch=2, num_examples=7, global_batch_size=4)
