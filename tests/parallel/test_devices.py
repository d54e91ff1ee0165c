import os
import subprocess
import sys

import jax
import pytest

from nnjax.config.errors import ConfigError
from nnjax.config.schema import Parallel
from nnjax.parallel import devices as devices_module
from nnjax.parallel.devices import select_devices


@pytest.fixture
def sixteen_cores(monkeypatch):
    monkeypatch.setattr(devices_module.os, "sched_getaffinity", lambda _: set(range(16)), raising=False)


@pytest.mark.parametrize(
    ("batch_sizes", "count"),
    [((128, 1000), 8), ((64, 1000), 4), ((36, 36), 2), ((100, 1000), 5), ((1, 1), 1), ((15, 1000), 1), ((129, 1000), 1)],
)
def test_auto_takes_as_many_cpu_devices_as_divide_the_batches_and_are_worth_it(sixteen_cores, batch_sizes, count):
    assert len(select_devices(Parallel("pmap", "auto", "auto"), batch_sizes)) == count


def test_a_number_is_taken_at_its_word():
    assert select_devices(Parallel("pmap", 3, "cpu"), (6, 6)) == jax.devices()[:3]


def test_too_many_are_refused():
    with pytest.raises(ConfigError, match=r"parallel\.devices=9: there are only 8 cpu devices"):
        select_devices(Parallel("pmap", 9, "auto"), (9, 9))


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("auto", {}, "3 devices"),
        ("auto", {"XLA_FLAGS": "--xla_force_host_platform_device_count=5"}, "3 devices"),
        ("tpu", {}, "parallel.platform=tpu: JAX finds no such device here"),
    ],
)
def test_in_a_fresh_process(platform, environment, expected):
    program = (
        "from nnjax.config.errors import ConfigError\n"
        "from nnjax.config.schema import Parallel\n"
        "from nnjax.parallel.devices import select_devices\n"
        "try:\n"
        f"    print(len(select_devices(Parallel('pmap', 3, '{platform}'), (3, 3))), 'devices')\n"
        "except ConfigError as error:\n"
        "    print(error)\n"
    )
    environ = {**os.environ, **environment}
    environ.pop("JAX_PLATFORMS")
    result = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True)
    assert expected in result.stdout
