"""The time of an exchange: some, where devices average; none, where there is nothing to average."""

import jax
import numpy as np
import pytest

from nnjax.parallel.placement import Placement
from nnjax.training.exchange_time import exchange_seconds

PARAMS = {"kernel": np.ones((64, 32), np.float32)}


@pytest.mark.parametrize("wrapper", ["pmap", "shard_map"])
def test_devices_that_share_a_batch_exchange(wrapper):
    placement = Placement(wrapper, jax.devices()[:2])
    assert exchange_seconds(placement, placement.put(PARAMS)) > 0


def test_one_device_and_whole_trials_exchange_nothing():
    alone = Placement("pmap", jax.devices()[:1])
    assert exchange_seconds(alone, alone.put(PARAMS)) == 0
    trials = Placement("pmap", jax.devices()[:2], num_trials=2)
    assert exchange_seconds(trials, trials.put({"kernel": np.ones((2, 64, 32), np.float32)})) == 0
