"""What a traffic report takes from an earlier run, and what a sweep's table takes from a report; the rest is end to end."""

import pytest

from nnjax.api import traffic_run
from nnjax.cli.compose import compose_config, compose_train
from nnjax.config.traffic_options import TrafficConfig

FNN = ("model=fnn", "training.global_batch_size=64")


@pytest.mark.parametrize(
    ("trained", "now", "scale", "words"),
    [
        (["training.seeds=4"], ["training.seeds=4"], 1, "compute 128 examples a device, of 4 trials together, on 2 × cpu"),
        (["training.seeds=4"], [], 1 / 4, "scaled to 32 examples"),
        (["training.seeds=3"], ["training.seeds=3", "parallel.devices=4"], 48 / 128, "scaled to 48 examples"),
        ([], [], 1, "compute 32 examples a device, on 2 × cpu"),
        ([], ["training.vary.learning_rate=[0.1,0.2]"], 64 / 32, "scaled to 64 examples"),
    ],
)
def test_a_measured_step_is_scaled_by_the_examples_of_all_trials_of_a_device(monkeypatch, trained, now, scale, words):
    """Of 4 trials on 2 devices each computes 2 with whole batches; 3 trials on 4 devices share each batch of 64."""
    summary = {"steps": 10, "num_devices": 2, "platform": "cpu", "seconds": {"train": 5.0}}
    monkeypatch.setattr(traffic_run, "read_summary", lambda run: summary)
    monkeypatch.setattr(traffic_run, "read_config", lambda schema, run: compose_train([*FNN, *trained]))
    overrides = [*FNN, "device=measured", "device.run=a_run", "parallel.devices=2", *now]
    device, remark = traffic_run.measured_device(compose_config("traffic", overrides, TrafficConfig))
    assert device.step_time == pytest.approx(0.5 * scale)
    assert words in remark
    assert ("scaled" in remark) == (scale != 1)
