"""However many trials, devices, and trials a device computes at once there are: each trial gets its own result."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.custom_batching import custom_vmap

from nnjax.cli.compose import compose_train
from nnjax.training.layout import Layout


def squares(trials, num_devices, at_once):
    """The squares of 0, 1, …, one by each trial, and the sizes of the groups that a device computed together."""
    config, sizes = compose_train(["model=fnn", f"training.seeds={trials}"]), set()
    layout = Layout(config, jax.devices()[:num_devices], at_once)

    @custom_vmap
    def square(x):
        return x**2

    @square.def_vmap
    def together(axis_size, in_batched, xs):
        sizes.add(axis_size)
        return xs**2, True

    done = layout.compile(lambda tree: layout.map(square, tree))(layout.put(np.arange(trials, dtype=np.float32)))
    return layout.get(done), sizes


@settings(max_examples=15)
@given(trials=st.integers(2, 23), num_devices=st.integers(1, 8), at_once=st.integers(1, 7))
def test_each_trial_gets_its_own_result(trials, num_devices, at_once):
    results, sizes = squares(trials, num_devices, at_once)
    np.testing.assert_array_equal(results, np.arange(trials, dtype=np.float32) ** 2)
    assert max(sizes, default=1) <= at_once


@pytest.mark.parametrize(("trials", "at_once", "sizes"), [(13, 6, {5}), (12, 6, {6}), (7, 7, {7}), (7, 1, set())])
def test_groups_are_alike_even_of_a_prime_number_of_trials(trials, at_once, sizes):
    assert squares(trials, 1, at_once)[1] == sizes
