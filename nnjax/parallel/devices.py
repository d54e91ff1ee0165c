"""Selects the devices of a run. Call `select_devices` before anything else uses JAX.

devices = select_devices(config)         # [CpuDevice(id=0), CpuDevice(id=1)]
"""

import contextlib
import math
import os
import socket

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from nnjax.checks.device_shares import has_whole_trials
from nnjax.checks.trials import num_trials
from nnjax.config.cores import num_cores
from nnjax.config.errors import ConfigError
from nnjax.config.options import FNN
from nnjax.config.schema import Config
from nnjax.data.dataset_spec import dataset_spec
from nnjax.parallel.environment import platform_said
from nnjax.parallel.jax_runtime import PeerError
from nnjax.parallel.native_output import discarded_output
from nnjax.parallel.peers import peers

# Below this share of a batch, calling a simulated CPU device costs more than its computation.
_SMALLEST_CPU_SHARE = 16
_LEAST_CPU_VALUES = 2**14  # inputs in a share: with fewer, waiting for one another, 0.4 ms a step, costs more than two gain
_MOST_CPU_DEVICES = 8


def select_devices(config: Config) -> list[jax.Device]:
    """Starts JAX on the platform asked for and picks devices; one only, for `debug.strict`.

    Args:
        config: `parallel` has their number and platform; `devices=auto` takes as many as divide both batch sizes.

    Returns:
        The devices, at least one.

    Raises:
        ConfigError: if the platform is not there, or has too few devices.
    """
    platform, wanted = config.parallel.platform, config.parallel.devices
    count = peers().count  # of processes, which hold equally many devices
    if wanted != "auto" and wanted % count:
        raise ConfigError(
            f"parallel.devices={wanted}: {count} processes have equally many each; choose {count}, {2 * count}, …, or auto"
        )
    if config.debug.strict and count > 1:
        raise ConfigError("debug.strict=true: trains on one device, in one process; leave out parallel.processes")
    if platform in ("cpu", "tpu"):  # "gpu" stands for several platforms, some of which JAX may not support
        jax.config.update("jax_platforms", platform)
    asked = jax.config.values.get("jax_num_cpu_devices") or 1  # JAX_NUM_CPU_DEVICES: at least so many are there
    _make_cpu_devices(max(_cores(), asked, 1 if wanted == "auto" else wanted // count))
    try:
        devices = jax.devices() if platform == "auto" else jax.devices(platform)
    except (RuntimeError, AssertionError) as error:  # the latter is JAX's answer to JAX_PLATFORMS=cuda without one
        raise _no_such_device(platform, error) from None
    kind = devices[0].platform
    if config.debug.strict:
        return devices[:1]
    if count > 1:
        devices = _shared_devices(devices, count, config)
        _meet(devices)
        return devices
    if wanted == "auto":
        return devices[: _worthwhile(len(devices), kind, config)]
    if wanted > len(devices):
        hint = "\n  in one process, JAX keeps the number of CPU devices that it started with" if kind == "cpu" else ""
        raise ConfigError(
            f"parallel.devices={wanted}: there are only {len(devices)} {kind} devices here; "
            f"choose at most {len(devices)}, or auto{hint}"
        )
    return devices[:wanted]


def check_platform() -> None:
    """Starts JAX on the platform that it chooses by itself, for a verb without `parallel` in its config.

    Raises:
        ConfigError: if the environment asks for one that is not there.
    """
    try:
        jax.devices()
    except (RuntimeError, AssertionError) as error:
        raise _no_such_device("auto", error) from None


def _no_such_device(platform: str, error: Exception) -> ConfigError:
    """The error for a missing platform; names the setting that asks for it, of the config or else of the environment."""
    said = platform_said()
    if platform == "auto" and said:
        reason = f"{said}: JAX finds no such device here; change this setting of the environment"
    else:
        by_environment = f" with {said} in the environment" if said else ""
        reason = f"parallel.platform={platform}: JAX finds no such device here{by_environment}; leave it at auto"
    first = next(iter(str(error).splitlines()), "")
    return ConfigError(
        f"{reason}, or install the extra for it: cuda12, cuda13 or tpu" + (f"\n  JAX says: {first}" if first else "")
    )


def peak_device_mb(device: jax.Device) -> float | None:
    """The peak memory of programs on a device, in megabytes (10⁶ bytes); None where it is not measured, as on a CPU."""
    statistics = device.memory_stats() or {}
    peak = statistics.get("peak_bytes_in_use")
    return None if peak is None else peak / 1e6


def _shared_devices(devices: list[jax.Device], count: int, config: Config) -> list[jax.Device]:
    """Equally many devices of each of several processes, process by process; the same list in all of them."""
    found: dict[int, list[jax.Device]] = {number: [] for number in range(count)}
    for device in devices:
        found[device.process_index].append(device)
    most, wanted, trials = min(map(len, found.values())), config.parallel.devices, num_trials(config)
    kind = devices[0].platform
    if wanted == "auto":
        sizes = (config.training.global_batch_size, config.training.eval_batch_size)
        if kind == "cpu" and trials == 1:
            most = min(most, max(1, _useful_cpu_devices(config) // count))
        fits = (
            own
            for own in range(most, 0, -1)
            if has_whole_trials(trials, own * count) or all(size % (own * count) == 0 for size in sizes)
        )
        own = next(fits, 0)
        if not own:
            raise ConfigError(
                f"training.global_batch_size={sizes[0]}, training.eval_batch_size={sizes[1]}: {count} processes cannot share "
                f"them equally; choose multiples of {count}"
            )
    else:
        own = wanted // count
        if own > most:
            raise ConfigError(
                f"parallel.devices={wanted}: {own} in each of {count} processes, and one of them has {most} {kind} devices; "
                f"choose at most {most * count}, or auto"
            )
    return [device for number in range(count) for device in sorted(found[number], key=lambda device: device.id)[:own]]


def _meet(devices: list[jax.Device]) -> None:
    """Connects the devices of all processes by a first sum.

    Raises:
        PeerError: if they cannot be connected.
    """
    mesh = Mesh(np.array(devices), ("all",), axis_types=(AxisType.Auto,))
    parts = NamedSharding(mesh, PartitionSpec("all"))
    ones = jax.make_array_from_callback((len(devices),), parts, lambda _: np.ones(1, np.float32))
    try:
        with discarded_output():  # gloo reports each connection there
            jax.block_until_ready(jax.jit(lambda x: x.sum(), out_shardings=NamedSharding(mesh, PartitionSpec()))(ones))
    except jax.errors.JaxRuntimeError as error:
        peers().explain(error)
        said = next(iter(str(error).splitlines()), "")
        raise PeerError(
            f"process {peers().rank} on {socket.gethostname()}: its devices cannot be connected with the others': {said}\n"
            "  each machine's name must resolve, in /etc/hosts or DNS, to an address that the other machines can reach"
        ) from error


def _worthwhile(most: int, platform: str, config: Config) -> int:
    """The largest number of devices, up to `most`, that is worth its overhead, and divides both batch sizes or the trials.

    XLA computes a large matrix product on all cores of the CPU by itself, and then two devices only have more to add up: an FNN
    784-512-10 takes 1.4 times as long on two. Of a convolutional network's operations some, as pooling and the gradients by its
    kernels, hardly do; its step takes 0.8 to 1 times as long on two, but 1.5 times for 64 images of 8 × 8 pixels, and that of a
    recurrent network for 32 windows of a series 6 times.
    """
    trials = num_trials(config)
    batch_sizes = (config.training.global_batch_size, config.training.eval_batch_size)
    if platform == "cpu":
        most = min(most, _cores(), trials if trials > 1 else _useful_cpu_devices(config))
    if has_whole_trials(trials, most):
        return most
    return next(count for count in range(most, 0, -1) if all(size % count == 0 for size in batch_sizes))


def _useful_cpu_devices(config: Config) -> int:
    """The most simulated devices that shorten a single network's step, given cores enough."""
    training = config.training
    if isinstance(config.model, FNN):
        return 1
    examples = min(training.global_batch_size, training.eval_batch_size)
    values = training.global_batch_size * math.prod(dataset_spec(config.data).input_shape)
    return max(1, min(examples // _SMALLEST_CPU_SHARE, values // _LEAST_CPU_VALUES))


def _cores() -> int:
    return min(num_cores(), _MOST_CPU_DEVICES)


def _make_cpu_devices(count: int) -> None:
    """Simulates `count` CPU devices, unless the user's XLA_FLAGS set their number, or JAX has started already."""
    if "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", ""):
        return
    # Refused where JAX has started, in a later job of a sweep: the devices that are there then count.
    with contextlib.suppress(RuntimeError):
        jax.config.update("jax_num_cpu_devices", count)
