"""Arrays come back as they went, and each trial gets its own result, on any number of devices and under both wrappers."""

from types import SimpleNamespace

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax
from jax.custom_batching import custom_vmap

from nnjax.parallel.placement import AXIS, Placement, mean_over_devices


@pytest.mark.parametrize("name", ["pmap", "shard_map"])
@pytest.mark.parametrize("num_devices", [1, 2, 8])
def test_split_compute_join(name, num_devices):
    placement = Placement(name, jax.devices()[:num_devices])
    batch, weight = np.arange(16.0, dtype=np.float32).reshape(8, 2), np.float32(3.0)

    def function(weight, x):
        return weight * x, lax.psum(x.sum(), AXIS)

    scaled, total = placement.compile(function)(placement.replicate(weight), placement.split(batch))
    np.testing.assert_array_equal(placement.join(scaled), 3 * batch)
    assert placement.fetch(total) == batch.sum()


@pytest.mark.parametrize("name", ["pmap", "shard_map"])
@pytest.mark.parametrize("num_devices", [1, 2, 8])
def test_every_device_gets_the_mean_over_all(name, num_devices):
    placement = Placement(name, jax.devices()[:num_devices])
    values = np.arange(16.0, dtype=np.float32).reshape(8, 2)
    means = placement.compile(mean_over_devices)({"a": placement.split(values)})
    expected = values.reshape(num_devices, -1, 2).mean(axis=0)
    np.testing.assert_allclose(np.asarray(means["a"]), np.broadcast_to(expected, (num_devices, *expected.shape)), rtol=1e-6)


def test_split_along_another_axis_keeps_the_order():
    placement = Placement("pmap", jax.devices()[:4])
    indices = np.arange(24).reshape(3, 8)
    parts = np.asarray(placement.split(indices, axis=1))
    assert parts.shape == (4, 3, 2)
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), indices)


@pytest.mark.parametrize("rank", [0, 1])
def test_the_part_of_a_process_is_what_its_devices_get(monkeypatch, rank):
    devices = [SimpleNamespace(process_index=number // 2, platform="cpu") for number in range(4)]
    placement = Placement("pmap", jax.devices()[:4])
    assert placement.own_part(24) == slice(0, 24)
    placement.devices, placement.num_processes = devices, 2
    monkeypatch.setattr(jax, "process_index", lambda: rank)
    assert placement.own_part(24) == [slice(0, 12), slice(12, 24)][rank]


@pytest.mark.parametrize("name", ["pmap", "shard_map"])
def test_donated_state_is_taken_over_without_a_copy(name):
    placement = Placement(name, jax.devices()[:2])
    add = placement.compile(lambda state: state + 1, donate=(0,))
    state = placement.replicate(np.zeros(4, np.float32))
    for _ in range(3):
        previous, state = state, add(state)
        assert previous.is_deleted()
    np.testing.assert_array_equal(placement.fetch(state), np.full(4, 3.0))


def squares(trials, num_devices, at_once, wrapper="pmap"):
    """The squares of 0, 1, …, one by each trial, and the sizes of the groups that a device computed together."""
    placement, sizes = Placement(wrapper, jax.devices()[:num_devices], trials, at_once), set()

    @custom_vmap
    def square(x):
        return x**2

    @square.def_vmap
    def together(axis_size, in_batched, xs):
        sizes.add(axis_size)
        return xs**2, True

    done = placement.compile(lambda tree: placement.map(square, tree))(placement.put(np.arange(trials, dtype=np.float32)))
    return placement.get(done), sizes


@settings(max_examples=15)
@given(
    trials=st.integers(2, 23),
    num_devices=st.integers(1, 8),
    at_once=st.integers(1, 7),
    wrapper=st.sampled_from(["pmap", "shard_map"]),
)
def test_each_trial_gets_its_own_result(trials, num_devices, at_once, wrapper):
    results, sizes = squares(trials, num_devices, at_once, wrapper)
    np.testing.assert_array_equal(results, np.arange(trials, dtype=np.float32) ** 2)
    assert max(sizes, default=1) <= at_once


@pytest.mark.parametrize(("trials", "at_once", "sizes"), [(13, 6, {5}), (12, 6, {6}), (7, 7, {7}), (7, 1, set())])
def test_groups_are_alike_even_of_a_prime_number_of_trials(trials, at_once, sizes):
    assert squares(trials, 1, at_once)[1] == sizes
