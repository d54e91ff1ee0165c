from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import pytest

from nnjax.checks.available_memory import Room
from nnjax.cli.compose import compose_train
from nnjax.config.errors import IncompatibleError
from nnjax.config.types import MemorySize
from nnjax.data.dataset_spec import dataset_spec
from nnjax.parallel import device_memory
from nnjax.parallel.device_memory import check_compiled, check_devices, device_room

CONFIG = compose_train(["model=fnn", "model.hidden=[4000]"])
SPEC = dataset_spec(CONFIG.data)


@dataclass
class Accelerator:
    """A device that says how full it is."""

    statistics: dict[str, int] | None
    platform: str = "gpu"
    device_kind: str = "NVIDIA H100"
    process_index: int = 0
    memory: dict[str, int] = field(default_factory=dict)

    def memory_stats(self):
        return self.statistics


def gpu(most, used=0):
    return Accelerator({"bytes_limit": most, "bytes_in_use": used})


def limited(limit):
    return replace(CONFIG, parallel=replace(CONFIG.parallel, memory_limit=limit))


def test_the_fullest_accelerator_counts():
    room = device_room([gpu(80 * 10**9, 10**9), gpu(80 * 10**9, 30 * 10**9)])
    assert room == Room(50 * 10**9, "NVIDIA H100 has 50.0 GB free")


def test_devices_that_do_not_say_are_not_counted():
    assert device_room(jax.devices("cpu")[:2]) is None
    assert device_room([Accelerator(None), Accelerator({"bytes_in_use": 3})]) is None


def test_the_sum_is_held_to_each_accelerator():
    check_devices(CONFIG, [gpu(10**9)])
    with pytest.raises(IncompatibleError, match=r"model\.hidden=\[4000\]: needs at least .* on each device, and NVIDIA H100"):
        check_devices(CONFIG, [gpu(10**6)])
    check_devices(limited("off"), [gpu(10**6)])
    check_devices(limited(MemorySize.parse("1GB")), [gpu(10**6)])


def test_the_sum_is_held_to_the_host(monkeypatch):
    monkeypatch.setattr("nnjax.checks.memory_checks.host_room", lambda: Room(10**6, "there is 1 MB"))
    with pytest.raises(IncompatibleError, match="there is 1 MB"):
        check_devices(CONFIG, jax.devices("cpu")[:1])


@pytest.fixture(scope="module")
def compiled():
    """Takes 8 MB in, and gives 8 MB."""
    return jax.jit(lambda x: jnp.sort(x) + 1).lower(jnp.zeros(2_000_000)).compile()


@pytest.mark.parametrize(("free", "devices", "fits"), [(10**9, 1, True), (7 * 10**6, 1, False), (30 * 10**6, 8, False)])
def test_a_program_is_held_to_what_is_free(monkeypatch, compiled, free, devices, fits):
    monkeypatch.setattr(device_memory, "host_room", lambda: Room(free, "this machine has little"))
    arguments = SPEC, compiled, jax.devices("cpu")[:devices], "to train"
    if fits:
        check_compiled(CONFIG, *arguments)
        return
    with pytest.raises(IncompatibleError, match=r"compiled program needs .* more to train, and this machine has little"):
        check_compiled(CONFIG, *arguments)
    check_compiled(limited("off"), *arguments)
    check_compiled(limited(MemorySize.parse("1GB")), *arguments)


def test_a_program_is_held_to_an_accelerator(compiled):
    check_compiled(CONFIG, SPEC, compiled, [gpu(10**9)], "to train")
    with pytest.raises(IncompatibleError, match="NVIDIA H100"):
        check_compiled(CONFIG, SPEC, compiled, [gpu(10**9, 10**9)], "to train")


def test_a_program_that_does_not_say_is_let_through():
    check_compiled(CONFIG, SPEC, SimpleNamespace(memory_analysis=lambda: None), [gpu(1)], "to train")
