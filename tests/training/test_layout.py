"""However many copies, devices, and copies a device computes at once there are: each copy gets its own result."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.custom_batching import custom_vmap

from nnjax.config.compose import compose_train
from nnjax.training.layout import Layout


def squares(copies, num_devices, at_once):
    """The squares of 0, 1, …, one by each copy, and the sizes of the groups that a device computed together."""
    config, sizes = compose_train(["model=fnn", f"training.seeds={copies}"]), set()
    layout = Layout(config, jax.devices()[:num_devices], at_once)

    @custom_vmap
    def square(x):
        return x**2

    @square.def_vmap
    def together(axis_size, in_batched, xs):
        sizes.add(axis_size)
        return xs**2, True

    done = layout.compile(lambda tree: layout.map(square, tree))(layout.put(np.arange(copies, dtype=np.float32)))
    return layout.get(done), sizes


@settings(max_examples=15)
@given(copies=st.integers(2, 23), num_devices=st.integers(1, 8), at_once=st.integers(1, 7))
def test_each_copy_gets_its_own_result(copies, num_devices, at_once):
    results, sizes = squares(copies, num_devices, at_once)
    np.testing.assert_array_equal(results, np.arange(copies, dtype=np.float32) ** 2)
    assert max(sizes, default=1) <= at_once


@pytest.mark.parametrize(("copies", "at_once", "sizes"), [(13, 6, {5}), (12, 6, {6}), (7, 7, {7}), (7, 1, set())])
def test_groups_are_alike_even_of_a_prime_number_of_copies(copies, at_once, sizes):
    assert squares(copies, 1, at_once)[1] == sizes
