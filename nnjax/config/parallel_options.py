"""How a run is laid out over devices and processes: the group `parallel`.

Parallel(name="pmap", devices=2, platform="auto", gradients="buckets", bucket_bytes=MemorySize.parse("4MiB"))
"""

from dataclasses import dataclass
from typing import Literal

from nnjax.config.types import MemorySize, NonNegativeInt, PositiveFloat, PositiveInt

MemoryLimit = Literal["auto", "off"] | MemorySize

Gradients = Literal["automatic", "per_tensor", "buckets", "flat", "sharded"]
"""The ways to average gradients; `nnjax.parallel.averaging` has them."""

_BUCKET = MemorySize.parse("25MiB")


@dataclass(frozen=True)
class Parallel:
    """How a step is sharded over devices.

    Attributes:
        name: the wrapper, `pmap` or `shard_map`; both compute the same.
        devices: how many, over all processes; `auto` takes every accelerator, or, on the CPU, as many simulated devices as
            there are cores, as far as they divide the batch and shorten a step.
        platform: where to run; `auto` leaves it to JAX.
        memory_limit: the memory that an experiment may take on the host and on each device; one that certainly takes more is
            refused before it allocates anything. `auto` measures the free memory, a size such as 12GB sets a limit, and `off`
            refuses nothing.
        processes: how many processes train together; `auto` takes those that an engine started (Open MPI, Slurm, Kubernetes, a
            TPU pod), or one. Without an engine, the command starts so many on this machine.
        peer_timeout: seconds without a sign of life after which a process counts as gone; all others end then.
        start_timeout: seconds in which all processes must have come.
        supervise: start a job that failed again from its last checkpoint, where the command itself started its processes.
        max_restarts: how often.
        elastic: start it again with as many processes as are left, as far as they divide the batches.
        gradients: how gradients are averaged over the devices; all ways compute the same, within the rounding of a sum.
            `automatic` leaves it to XLA what is sent together. `per_tensor` sends each tensor by itself, last layer first;
            `buckets` collects them into buffers of at most `bucket_bytes`; `flat` sends one buffer. `sharded` (ZeRO, stage 1)
            gives each device a share of the mean gradients and of the optimizer's memory; the devices exchange the parameters
            that they updated.
        bucket_bytes: the most that a buffer of `buckets` or `sharded` holds; PyTorch's DistributedDataParallel has 25MiB.
    """

    name: Literal["pmap", "shard_map"]
    devices: PositiveInt | Literal["auto"]
    platform: Literal["auto", "cpu", "gpu", "tpu"]
    memory_limit: MemoryLimit = "auto"
    processes: PositiveInt | Literal["auto"] = "auto"
    peer_timeout: PositiveFloat = 60.0
    start_timeout: PositiveFloat = 300.0
    supervise: bool = False
    max_restarts: NonNegativeInt = 3
    elastic: bool = False
    gradients: Gradients = "automatic"
    bucket_bytes: MemorySize = _BUCKET
