"""What is free on the devices of a run, and whether a program fits there.

check_devices(config, devices)                           # the sum for these devices, against what they have
check_compiled(config, spec, compiled, devices, "to train")    # what the program is about to allocate
"""

from collections.abc import Sequence
from typing import Any

import jax

from nnjax.checks.available_memory import Room, host_room, size_text
from nnjax.checks.memory_checks import MemoryLimits, check_memory, check_program
from nnjax.checks.memory_needs import Machine, Purpose
from nnjax.config.schema import Config, MemoryLimit
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
        devices: that it runs on.
        purpose: what is done with it.
        limit: what it may take; None for what its config says.
        key: what set the limit.
        spec: of its data, if it is known already.

    Raises:
        IncompatibleError: if it surely takes more.
    """
    platform = devices[0].platform
    own = [device for device in devices if device.process_index == jax.process_index()]
    machine = Machine("cpu" if platform == "cpu" else "accelerator", max(1, len(own)))
    limits = MemoryLimits(limit or config.parallel.memory_limit, key, device_room(devices))
    check_memory(config, spec=spec, machine=machine, purpose=purpose, limits=limits)


def device_room(devices: Sequence[jax.Device]) -> Room | None:
    """What is free on the fullest of some accelerators; None where they do not say, as CPUs."""
    rooms = []
    for device in devices:
        statistics = device.memory_stats() or {}
        most = statistics.get("bytes_limit")
        if most is not None:
            left = max(0, most - statistics.get("bytes_in_use", 0))
            rooms.append(Room(left, f"{device.device_kind} has {size_text(left)} free"))
    return min(rooms, key=lambda room: room.bytes, default=None)


def check_compiled(config: Config, spec: DatasetSpec, compiled: Any, devices: Sequence[jax.Device], what: str) -> None:
    """Checks that what a compiled program allocates fits where it runs.

    Args:
        config: the experiment.
        spec: of its data.
        compiled: as `lower().compile()` returned it; one whose sizes JAX does not tell is let through.
        devices: that it runs on.
        what: it does, for a reader: "to train".

    Raises:
        IncompatibleError: if it does not fit.
    """
    # A limit that was given is for the whole sum; one program is set against what is measured.
    sizes = compiled.memory_analysis() if config.parallel.memory_limit == "auto" else None
    if sizes is None:
        return
    size = sizes.temp_size_in_bytes + sizes.output_size_in_bytes - sizes.alias_size_in_bytes
    if devices[0].platform == "cpu":
        check_program(config, spec, size * len(devices), host_room(), what)
    elif (room := device_room(devices)) is not None:
        check_program(config, spec, size, room, what)
