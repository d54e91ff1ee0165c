import os
import subprocess
import sys

import jax
import pytest

from nnjax.cli.compose import compose_train
from nnjax.config.errors import ConfigError
from nnjax.parallel import devices as devices_module
from nnjax.parallel.devices import select_devices


def config(batch_size=128, eval_batch_size=1000, *more):
    sizes = [f"training.global_batch_size={batch_size}", f"training.eval_batch_size={eval_batch_size}"]
    return compose_train(["data=synthetic", *sizes, *more])


@pytest.fixture
def sixteen_cores(monkeypatch):
    monkeypatch.setattr(devices_module.os, "sched_getaffinity", lambda _: set(range(16)), raising=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("batch_sizes", "count"),
    [((128, 1000), 8), ((64, 1000), 4), ((36, 36), 2), ((100, 1000), 5), ((1, 1), 1), ((15, 1000), 1), ((129, 1000), 1)],
)
def test_auto_takes_as_many_cpu_devices_as_divide_the_batches_and_are_worth_it(sixteen_cores, batch_sizes, count):
    assert len(select_devices(config(*batch_sizes))) == count


@pytest.mark.parametrize(
    ("overrides", "count"),
    [
        ("model=cnn data=digits", 1),  # 64 images of 8 × 8 pixels
        ("model=cnn data=digits training.global_batch_size=256 training.eval_batch_size=1024", 1),
        ("model=cnn data=digits training.global_batch_size=1024 training.eval_batch_size=1024", 4),
        ("model=rnn experiment=airline_rnn training.global_batch_size=32 training.eval_batch_size=32", 1),
        ("model=rnn data=digits training.seeds=3", 3),  # whole networks on each
        ("model=cnn data=mnist training.global_batch_size=64 training.eval_batch_size=1024", 2),
    ],
)
def test_auto_takes_one_where_waiting_for_one_another_costs_more(sixteen_cores, shares_as_users_have_them, overrides, count):
    assert len(select_devices(compose_train(overrides.split()))) == count


def test_auto_leaves_matrix_products_to_the_threads_of_one_cpu_device(sixteen_cores):
    assert len(select_devices(config(128, 1000, "model=fnn"))) == 1
    assert len(select_devices(config(128, 1000, "model=fnn", "training.seeds=3"))) == 3  # whole networks on each


def test_a_number_is_taken_at_its_word():
    assert select_devices(config(6, 6, "parallel.devices=3", "parallel.platform=cpu")) == jax.devices()[:3]


def test_strict_takes_one():
    assert select_devices(config(128, 1000, "debug=strict")) == jax.devices()[:1]


def test_too_many_are_refused():
    with pytest.raises(ConfigError, match=r"parallel\.devices=9: there are only 8 cpu devices"):
        select_devices(config(9, 9, "parallel.devices=9"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        (["parallel.devices=3"], {}, "3 devices"),
        (["parallel.devices=3"], {"XLA_FLAGS": "--xla_force_host_platform_device_count=5"}, "3 devices"),
        (["parallel.platform=tpu"], {}, "parallel.platform=tpu: JAX finds no such device here"),
        (["parallel.platform=gpu"], {"JAX_PLATFORMS": "cpu"}, "parallel.platform=gpu: JAX finds no such device here"),
    ],
)
def test_in_a_fresh_process(arguments, environment, expected):
    program = (
        "import sys\n"
        "from nnjax.cli.compose import compose_train\n"
        "from nnjax.config.errors import ConfigError\n"
        "from nnjax.parallel.devices import select_devices\n"
        "sizes = ['training.global_batch_size=6', 'training.eval_batch_size=6']\n"
        "try:\n"
        "    print(len(select_devices(compose_train(sizes + sys.argv[1:]))), 'devices')\n"
        "except ConfigError as error:\n"
        "    print(error)\n"
    )
    environ = {**os.environ, **environment}
    if "JAX_PLATFORMS" not in environment:
        environ.pop("JAX_PLATFORMS")
    result = subprocess.run(
        [sys.executable, "-c", program, *arguments], env=environ, capture_output=True, text=True, check=True
    )
    assert expected in result.stdout
