"""The free memory of a run's devices, and whether a program fits there.

check_devices(config, devices)                                 # the estimate for these devices against their free memory
check_compiled(config, spec, compiled, devices, "to train")    # the memory that a program is about to allocate
"""

from collections.abc import Sequence
from typing import Any, Literal

import jax

from nnjax.checks.available_memory import Room, host_room
from nnjax.checks.memory_checks import MemoryLimits, check_memory, check_program
from nnjax.checks.memory_needs import Machine, Purpose
from nnjax.config.parallel_options import MemoryLimit
from nnjax.config.schema import Config
from nnjax.config.storage import size_text
from nnjax.data.dataset_spec import DatasetSpec


def check_devices(
    config: Config,
    devices: Sequence[jax.Device],
    purpose: Purpose = "train",
    limit: MemoryLimit | None = None,
    key: str = "parallel.memory_limit",
    *,
    spec: DatasetSpec | None = None,
) -> None:
    """Checks that an experiment may fit on its devices and on their host, before its data is read.

    Args:
        config: the experiment.
        devices: its devices.
        purpose: training or evaluation.
        limit: the memory that it may use; None for the config's limit.
        key: the setting that the limit comes from.
        spec: the facts of its data, if they are known already.

    Raises:
        IncompatibleError: if it surely needs more.
    """
    platform = devices[0].platform
    kind: Literal["cpu", "accelerator"] = "cpu" if platform == "cpu" else "accelerator"
    machine = Machine(kind, max(1, len(_own(devices))), all_devices=len(devices))
    limits = MemoryLimits(limit or config.parallel.memory_limit, key, device_room(devices))
    check_memory(config, spec=spec, machine=machine, purpose=purpose, limits=limits)


def device_room(devices: Sequence[jax.Device]) -> Room | None:
    """The free memory of the fullest of several accelerators; None where it is not measured, as on CPUs."""
    rooms = []
    for device in _own(devices):
        statistics = device.memory_stats() or {}
        most = statistics.get("bytes_limit")
        if most is not None:
            left = max(0, most - statistics.get("bytes_in_use", 0))
            rooms.append(Room(left, f"{device.device_kind} has {size_text(left)} free"))
    return min(rooms, key=lambda room: room.bytes, default=None)


def check_compiled(config: Config, spec: DatasetSpec, compiled: Any, devices: Sequence[jax.Device], what: str) -> None:
    """Checks that the memory of a compiled program fits on its devices.

    Args:
        config: the experiment.
        spec: its dataset.
        compiled: as from `lower().compile()`; one without a memory analysis passes.
        devices: its devices.
        what: its purpose in words: "to train".

    Raises:
        IncompatibleError: if it does not fit.
    """
    # A limit from the config is for the whole estimate; a single program is compared with the measured free memory.
    sizes = compiled.memory_analysis() if config.parallel.memory_limit == "auto" else None
    if sizes is None:
        return
    size = sizes.temp_size_in_bytes + sizes.output_size_in_bytes - sizes.alias_size_in_bytes
    if devices[0].platform == "cpu":
        check_program(config, spec, size * len(_own(devices)), host_room(), what)
    elif (room := device_room(devices)) is not None:
        check_program(config, spec, size, room, what)


def _own(devices: Sequence[jax.Device]) -> list[jax.Device]:
    """Those of this process."""
    return [device for device in devices if device.process_index == jax.process_index()]
