"""Data parallelism: one function, run by every device on its own part of the batch.

The function is written for one device and speaks to the others through the axis name "data"::

    spread = DataParallel("pmap", devices)
    state = spread.replicate(state)                        # a copy for each device
    step = spread.compile(step_of_one_device, donate=(0,))
    state, metrics = step(state, spread.split(batch))      # lax.pmean(grads, "data") inside
    spread.fetch(metrics)                                  # the first device's, as NumPy arrays

Every array that crosses has a leading axis of length `num_devices`, under `pmap` and `shard_map` alike, so the two can be
exchanged. `shard_map` runs with `check_vma=False`: with its default, gradients of replicated parameters arrive already summed,
and the `pmean` in the step would make them `num_devices` times too large.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import jax
import numpy as np
from jax import lax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

AXIS = "data"


def mean_over_devices(tree: Any) -> Any:
    """The mean of each array over the devices of the axis "data", inside of a compiled function."""
    # Of one device XLA would copy the arrays: 8 % of the time of an FNN's step.
    return tree if lax.axis_size(AXIS) == 1 else lax.pmean(tree, AXIS)


def computed(tree: Any) -> Any:
    """The tree, once its arrays are computed; raises what went wrong, such as memory that ran out.

    Without it, `np.asarray` of an array whose computation found no memory on the CPU waits for ever, deaf to SIGTERM.
    """
    return jax.block_until_ready(tree)


class DataParallel:
    """The devices of a run, and how functions and arrays are laid out on them.

    Args:
        name: the wrapper.
        devices: at least one.
        axis: by which name a function speaks to the other devices.

    Attributes:
        devices: in order.
        num_devices: how many.
        platform: what kind they are of.
    """

    def __init__(self, name: Literal["pmap", "shard_map"], devices: Sequence[jax.Device], axis: str = AXIS) -> None:
        self._name = name
        self.devices = list(devices)
        self._axis = axis
        self._mesh = Mesh(np.array(self.devices), (axis,), axis_types=(AxisType.Auto,))
        self._sharding = NamedSharding(self._mesh, PartitionSpec(axis))
        self.num_devices = len(self.devices)
        self.platform = self.devices[0].platform

    def replicate(self, tree: Any) -> Any:
        """Copies each array [...] to every device: [num_devices, ...]."""

        def copy(x: Any) -> jax.Array:
            x = np.asarray(x)
            return jax.make_array_from_callback((self.num_devices, *x.shape), self._sharding, lambda _: x[None])

        return jax.tree.map(copy, computed(tree))

    def split(self, tree: Any, axis: int = 0) -> Any:
        """Cuts `axis` of each array, the global batch, into equal parts: [num_devices, ..., batch / num_devices, ...].

        Device i gets the i-th part, in order.
        """

        def cut(x: Any) -> jax.Array:
            x = np.asarray(x)
            part = x.shape[axis] // self.num_devices
            shape = (self.num_devices, *x.shape[:axis], part, *x.shape[axis + 1 :])

            def part_of(index: Any) -> np.ndarray[Any, Any]:
                first = (index[0].start or 0) * part
                return np.asarray(x[(slice(None),) * axis + (slice(first, first + part),)][None])

            return jax.make_array_from_callback(shape, self._sharding, part_of)

        return jax.tree.map(cut, tree)

    def compile(self, function: Callable[..., Any], donate: tuple[int, ...] = ()) -> Any:
        """Wraps a function of one device; the result is called with, and returns, arrays as `replicate` and `split` make.

        Args:
            function: what each device computes; all its arguments are pytrees of arrays.
            donate: arguments whose memory the results may take over.

        Returns:
            A function with `lower(*args).compile()`, as `jax.jit` gives.
        """
        if self._name == "pmap":
            return jax.pmap(function, axis_name=self._axis, devices=self.devices, donate_argnums=donate)

        def on_one_device(*args: Any) -> Any:
            results = function(*jax.tree.map(lambda x: x[0], args))
            return jax.tree.map(lambda x: x[None], results)

        shards = PartitionSpec(self._axis)
        mapped = jax.shard_map(on_one_device, mesh=self._mesh, in_specs=shards, out_specs=shards, check_vma=False)
        return jax.jit(mapped, donate_argnums=donate)

    def fetch(self, tree: Any) -> Any:
        """The first device's copy of each array, as NumPy arrays; waits for it."""
        # x[0] would gather from all devices, and compile a program to do so. Of a CPU's arrays the host gets views, which are
        # copied, since a call cannot take over the memory of an array that is looked at.
        parts = jax.device_get(jax.tree.map(lambda x: x.addressable_shards[0].data, computed(tree)))
        return jax.tree.map(lambda part: part.reshape(part.shape[1:]).copy(), parts)

    def join(self, array: jax.Array) -> np.ndarray[Any, Any]:
        """The inverse of `split` along axis 0: [num_devices, b, ...] to [num_devices · b, ...], on the host."""
        parts = np.asarray(computed(array))
        return parts.reshape(-1, *parts.shape[2:])
