"""Which devices a run uses. Call `select_devices` before anything else touches JAX.

devices = select_devices(config.parallel, batch_sizes=(128, 1000))     # [CpuDevice(id=0), CpuDevice(id=1)]
"""

import contextlib
import os
from collections.abc import Sequence

import jax

from nnjax.config.errors import ConfigError
from nnjax.config.schema import Parallel

# Below this share of a batch, calling a fake CPU device costs more than it computes.
_SMALLEST_CPU_SHARE = 16
_MOST_CPU_DEVICES = 8


def select_devices(parallel: Parallel, batch_sizes: Sequence[int]) -> list[jax.Device]:
    """Starts JAX on the platform asked for and picks devices.

    Args:
        parallel: how many devices, and of what platform.
        batch_sizes: global batch sizes that the devices must divide; with `devices=auto` as many devices are taken as do.

    Returns:
        The devices, at least one.

    Raises:
        ConfigError: if the platform is not there, or has too few devices.
    """
    if parallel.platform != "auto":
        jax.config.update("jax_platforms", "cuda,rocm" if parallel.platform == "gpu" else parallel.platform)
    _make_cpu_devices(_most_cpu_devices(batch_sizes) if parallel.devices == "auto" else parallel.devices)
    try:
        devices = jax.devices()
    except RuntimeError as error:
        raise ConfigError(
            f"parallel.platform={parallel.platform}: JAX finds no such device here; leave it at auto, or install the extra "
            f"(cuda12, cuda13 or tpu)\n  JAX says: {str(error).splitlines()[0]}"
        ) from None
    platform = devices[0].platform
    if parallel.devices == "auto":
        most = _most_cpu_devices(batch_sizes) if platform == "cpu" else len(devices)
        return devices[: _largest_divisor(min(most, len(devices)), batch_sizes)]
    if parallel.devices > len(devices):
        raise ConfigError(
            f"parallel.devices={parallel.devices}: there are only {len(devices)} {platform} devices here; "
            f"choose at most {len(devices)}, or auto"
        )
    return devices[: parallel.devices]


def _most_cpu_devices(batch_sizes: Sequence[int]) -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    most = min(cores, _MOST_CPU_DEVICES, min(batch_sizes) // _SMALLEST_CPU_SHARE)
    return _largest_divisor(max(most, 1), batch_sizes)


def _largest_divisor(most: int, batch_sizes: Sequence[int]) -> int:
    return next(count for count in range(most, 0, -1) if all(size % count == 0 for size in batch_sizes))


def _make_cpu_devices(count: int) -> None:
    """Has the CPU show `count` devices, unless the person's XLA_FLAGS already say how many, or JAX is already running."""
    if "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", ""):
        return
    # Refused where JAX has started (a second run in one process): the devices that are there then count.
    with contextlib.suppress(RuntimeError):
        jax.config.update("jax_num_cpu_devices", count)
