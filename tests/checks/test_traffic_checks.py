"""What a traffic report asks of its config, and what it does not."""

import pytest

from nnjax.checks.traffic_checks import num_devices
from nnjax.cli.compose import compose_config
from nnjax.config.errors import ConfigError
from nnjax.config.schema import VerifyConfig
from nnjax.config.traffic_options import TrafficConfig


def compose(*overrides):
    return compose_config("traffic", list(overrides), TrafficConfig)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "devices"),
    [
        ([], 8),
        (["training.global_batch_size=12"], 6),
        (["training.global_batch_size=7"], 7),
        (["parallel.devices=16"], 16),
        (["parallel.processes=4"], 4),
        (["debug.strict=true"], 1),
    ],
)
def test_auto_stands_for_eight_devices_or_what_divides_the_batch(overrides, devices):
    assert num_devices(compose(*overrides)) == devices


def test_only_the_training_batch_must_be_divided():
    compose("parallel.devices=64", "training.eval_batch_size=100")
    with pytest.raises(ConfigError, match=r"parallel.devices=48 does not divide it"):
        compose("parallel.devices=48")


def test_a_program_is_compiled_for_more_memory_than_is_here():
    huge = ["model=fnn", "model.hidden=[1000000,1000000]"]
    assert compose(*huge).model.hidden == (1_000_000, 1_000_000)
    with pytest.raises(ConfigError, match=r"memory|GB|TB"):
        compose_config("verify", ["check=parity", *huge], VerifyConfig)


def test_a_measured_device_takes_the_run_of_the_report():
    with pytest.raises(ConfigError, match=r"^device.run: missing"):
        compose("device=measured")
    assert compose("device=measured", "run=somewhere").device.run is None
    assert compose("device=measured", "device.step_time=0.03").device.step_time == 0.03


def test_a_link_without_room_for_data_is_refused():
    with pytest.raises(ConfigError, match=r"^link.mtu=40: leaves no room"):
        compose("link.mtu=40")
