"""The time of an exchange: some, where devices average; none, where there is nothing to average."""

from typing import get_args

import jax
import numpy as np
import pytest

from nnjax.config.parallel_options import Gradients
from nnjax.parallel.averaging import Averaging
from nnjax.parallel.placement import Placement
from nnjax.training import exchange_time
from nnjax.training.exchange_time import exchange_seconds

PARAMS = {"kernel": np.ones((64, 32), np.float32)}


@pytest.mark.parametrize("wrapper", ["pmap", "shard_map"])
@pytest.mark.parametrize("gradients", get_args(Gradients))
def test_devices_that_share_a_batch_exchange(wrapper, gradients):
    placement, averaging = Placement(wrapper, jax.devices()[:2]), Averaging(gradients, 2**20)
    assert exchange_seconds(placement, placement.put(PARAMS), averaging) > 0


@pytest.mark.parametrize("gradients", ["automatic", "flat", "sharded"])
def test_trials_that_share_the_devices_exchange_one_by_one(gradients, monkeypatch):
    placement, compiled = Placement("pmap", jax.devices()[:3], num_trials=2), []
    monkeypatch.setattr(
        exchange_time, "compile_lowered", lambda lowered, *_, **__: compiled.append(lowered) or lowered.compile()
    )
    trials = placement.put({"kernel": np.ones((2, 64, 32), np.float32)})
    assert exchange_seconds(placement, trials, Averaging(gradients, 2**20)) > 0
    assert "while" in compiled[0].as_text()


def test_one_device_and_whole_trials_exchange_nothing():
    alone = Placement("pmap", jax.devices()[:1])
    assert exchange_seconds(alone, alone.put(PARAMS)) == 0
    trials = Placement("pmap", jax.devices()[:2], num_trials=2)
    assert exchange_seconds(trials, trials.put({"kernel": np.ones((2, 64, 32), np.float32)})) == 0
