import jax
import numpy as np
import pytest
from jax import lax

from nnjax.parallel.data_parallel import AXIS, DataParallel, mean_over_devices


@pytest.mark.parametrize("name", ["pmap", "shard_map"])
@pytest.mark.parametrize("num_devices", [1, 2, 8])
def test_split_compute_join(name, num_devices):
    parallel = DataParallel(name, jax.devices()[:num_devices])
    batch, weight = np.arange(16.0, dtype=np.float32).reshape(8, 2), np.float32(3.0)

    def function(weight, x):
        return weight * x, lax.psum(x.sum(), AXIS)

    scaled, total = parallel.compile(function)(parallel.replicate(weight), parallel.split(batch))
    np.testing.assert_array_equal(parallel.join(scaled), 3 * batch)
    assert parallel.fetch(total) == batch.sum()


@pytest.mark.parametrize("name", ["pmap", "shard_map"])
@pytest.mark.parametrize("num_devices", [1, 2, 8])
def test_every_device_gets_the_mean_over_all(name, num_devices):
    parallel = DataParallel(name, jax.devices()[:num_devices])
    values = np.arange(16.0, dtype=np.float32).reshape(8, 2)
    means = parallel.compile(mean_over_devices)({"a": parallel.split(values)})
    expected = values.reshape(num_devices, -1, 2).mean(axis=0)
    np.testing.assert_allclose(np.asarray(means["a"]), np.broadcast_to(expected, (num_devices, *expected.shape)), rtol=1e-6)


def test_split_along_another_axis_keeps_the_order():
    parallel = DataParallel("pmap", jax.devices()[:4])
    indices = np.arange(24).reshape(3, 8)
    parts = np.asarray(parallel.split(indices, axis=1))
    assert parts.shape == (4, 3, 2)
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), indices)


@pytest.mark.parametrize("name", ["pmap", "shard_map"])
def test_donated_state_is_taken_over_without_a_copy(name):
    parallel = DataParallel(name, jax.devices()[:2])
    add = parallel.compile(lambda state: state + 1, donate=(0,))
    state = parallel.replicate(np.zeros(4, np.float32))
    for _ in range(3):
        previous, state = state, add(state)
        assert previous.is_deleted()
    np.testing.assert_array_equal(parallel.fetch(state), np.full(4, 3.0))
