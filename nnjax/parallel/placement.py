"""Placement: one function, run by every device on its part of a batch or on its share of the trials.

The function is written for one device and one trial. Collectives use the axis name `AXIS`::

    placement = Placement("pmap", devices)
    state = placement.put(host_state)                          # a copy on each device
    step = placement.compile(step_of_one_device, donate=(0,))  # lax.pmean(grads, AXIS) inside
    state, metrics = step(state, placement.split(batch))
    placement.get(metrics)                                     # NumPy arrays

With several trials, per-trial arrays have a leading axis [trials, ...] on the host, and `map` calls a function once for each::

    placement = Placement("pmap", devices, num_trials=64)
    chunk = placement.compile(lambda state, batch: placement.map(lambda own: train(own, batch), state))
    placement.get(chunk(placement.put(host_states), batch))    # [64, ...]

A single network's batches are split over the devices. With fewer trials than devices, each trial's batches are split, too.
Otherwise each device trains whole trials on whole batches, without communication: on two CPU devices, 64 trials of a 64-256-10
network took 6.9 ms a step so, and 10.6 ms with every batch split.

Every array that crosses between host and devices has a leading axis of length `num_devices`, under `pmap` and `shard_map`
alike, so the two wrappers are interchangeable. `shard_map` runs with `check_vma=False`: with its default, gradients of
replicated parameters arrive already summed, and the `pmean` in the step would make them `num_devices` times too large.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import jax
import numpy as np
from jax import lax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from numpy.typing import NDArray

from nnjax.parallel.buckets import scope_name

AXIS = "data"
"""Name of the mapped axis: the devices that share a batch."""

_TRIALS_AXIS = "trials"  # the devices' axis where each has trials of its own; no collective uses it


def mean_over_devices(tree: Any) -> Any:
    """The mean of each array over the devices of `AXIS`, inside a compiled function, where its path is a scope."""

    def mean(path: Any, x: Any) -> Any:
        with jax.named_scope(scope_name(path)):
            return lax.pmean(x, AXIS)

    # With one device XLA would copy the arrays: 8 % of the time of an FNN's step.
    return tree if lax.axis_size(AXIS) == 1 else jax.tree_util.tree_map_with_path(mean, tree)


def computed(tree: Any) -> Any:
    """Waits until a tree's arrays are computed, and returns it; raises the error of a failed computation, such as no memory.

    Without it, `np.asarray` of an array whose computation found no memory on the CPU never returns and blocks SIGTERM.
    """
    return jax.block_until_ready(tree)


class Placement:
    """The devices of a run, and how arrays, functions and trials are laid out on them.

    Args:
        wrapper: `pmap` or `shard_map`.
        devices: at least one.
        num_trials: networks that are trained at once.
        at_once: the most trials that a device computes as one batch of networks (`vmap`); further ones follow in turn.

    Attributes:
        devices: in order.
        num_devices: their number.
        num_processes: the number of processes that they belong to; every process calls the same methods in the same order.
        platform: their kind: cpu, gpu, tpu.
        many: whether there are several trials; per-trial arrays then have a leading axis [trials, ...].
        whole_trials: whether each device trains trials of its own, and exchanges nothing.
    """

    def __init__(
        self,
        wrapper: Literal["pmap", "shard_map"],
        devices: Sequence[jax.Device],
        num_trials: int = 1,
        at_once: int = 1,
    ) -> None:
        self.devices = list(devices)
        self.num_devices = len(self.devices)
        self.num_processes = len({device.process_index for device in self.devices})
        self.platform = self.devices[0].platform
        self.many = num_trials > 1
        self._wrapper, self._num_trials = wrapper, num_trials
        self.whole_trials = self.many and num_trials >= self.num_devices
        self._axis = _TRIALS_AXIS if self.whole_trials else AXIS
        self._mesh = Mesh(np.array(self.devices), (self._axis,), axis_types=(AxisType.Auto,))
        self._sharding = NamedSharding(self._mesh, PartitionSpec(self._axis))
        # Copies all parts to every device; one program for each set of shapes.
        self._gather = jax.jit(lambda tree: tree, out_shardings=NamedSharding(self._mesh, PartitionSpec()))
        rounds = math.ceil(num_trials / self.num_devices) if self.whole_trials else num_trials
        # Groups of equal size, as far as possible: a group of another size would be compiled separately.
        groups = math.ceil(rounds / at_once)
        self._at_once = math.ceil(rounds / groups)
        self._rounds = groups * self._at_once if self.whole_trials else rounds
        # Devices with fewer trials in the last round are padded with repeats of the first ones; those results are discarded.
        self._rows = np.arange(self._rounds * (self.num_devices if self.whole_trials else 1)) % num_trials

    # --- to the devices ---

    def put(self, tree: Any) -> Any:
        """Shards per-trial arrays [trials, ...] over the devices; a single network's arrays [...] are replicated."""
        if self.whole_trials:
            return self.split(jax.tree.map(lambda x: np.asarray(x)[self._rows], computed(tree)))
        return self.replicate(tree)

    def put_batches(self, tree: Any) -> Any:
        """Shards training batches [steps, b, ...]; with several trials [trials, steps, b, ...]."""
        return self.put(tree) if self.whole_trials else self.split(tree, axis=2 if self.many else 1)

    def put_examples(self, tree: Any) -> Any:
        """Shards one batch [b, ...] that all trials share."""
        return self.replicate(tree) if self.whole_trials else self.split(tree)

    def own_part(self, batch_size: int) -> slice:
        """The part of a global batch that the devices of this process get; all of it where each trains whole trials."""
        if self.whole_trials or self.num_processes == 1:
            return slice(0, batch_size)
        own = [place for place, device in enumerate(self.devices) if device.process_index == jax.process_index()]
        part = batch_size // self.num_devices
        return slice(own[0] * part, (own[-1] + 1) * part)

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

    # --- back to the host ---

    def get(self, tree: Any) -> Any:
        """Inverse of `put`, as NumPy arrays; waits for them."""
        if not self.whole_trials:
            return self.fetch(tree)
        return jax.tree.map(lambda x: _joined(x)[: self._num_trials], self._on_host(tree))

    def get_outputs(self, array: jax.Array) -> NDArray[Any]:
        """Outputs for a batch of `put_examples`, on the host: [b, ...]; with several trials [trials, b, ...]."""
        if not self.many:
            return self.join(array)
        return np.asarray(self.get(array)) if self.whole_trials else self.join(array, axis=1)

    def fetch(self, tree: Any) -> Any:
        """The first device's copy of each array, as NumPy arrays; waits for it."""
        # x[0] would gather from all devices, and compile a program for that. The host gets views of a CPU's arrays; they are
        # copied, since a compiled call cannot take over the memory of an array that has views.
        parts = jax.device_get(jax.tree.map(lambda x: x.addressable_shards[0].data, computed(tree)))
        return jax.tree.map(lambda part: part.reshape(part.shape[1:]).copy(), parts)

    def join(self, array: jax.Array, axis: int = 0) -> NDArray[Any]:
        """Inverse of `split`: [num_devices, ..., b, ...] to [..., num_devices · b, ...], on the host."""
        return np.concatenate(self._on_host(array), axis=axis)

    def _on_host(self, tree: Any) -> Any:
        """Whole arrays [num_devices, ...], of which other processes may hold parts."""
        if self.num_processes == 1:
            return jax.tree.map(np.asarray, computed(tree))
        whole = computed(self._gather(jax.tree.map(self._global, computed(tree))))
        return jax.tree.map(lambda x: np.asarray(x.addressable_shards[0].data), whole)

    def _global(self, x: jax.Array) -> jax.Array:
        """An array of all devices, of which `pmap` returns only those of this process."""
        shape = (self.num_devices, *x.shape[1:])
        return jax.make_array_from_single_device_arrays(shape, self._sharding, [part.data for part in x.addressable_shards])

    def one_of(self, tree: Any, trial: int) -> Any:
        """One trial's part of a result of `get`."""
        return jax.tree.map(lambda x: x[trial], tree) if self.many else tree

    # --- functions ---

    def compile(self, function: Callable[..., Any], donate: tuple[int, ...] = ()) -> Any:
        """Wraps a function of one device; the result takes and returns arrays with a leading axis of the devices.

        If devices train whole trials, `AXIS` has size 1 on each device.

        Args:
            function: the computation of each device; all its arguments are pytrees of arrays.
            donate: arguments whose memory the results may take over.

        Returns:
            A function with `lower(*args).compile()`, as from `jax.jit`.
        """

        def alone(*args: Any) -> Any:
            # The arguments are not mapped; averages over the axis of one device remove it again.
            results = jax.vmap(lambda: function(*args), axis_name=AXIS, axis_size=1)()
            return jax.tree.map(lambda x: x[0], results)

        own = alone if self.whole_trials else function
        if self._wrapper == "pmap":
            return jax.pmap(own, axis_name=self._axis, devices=self.devices, donate_argnums=donate)

        def on_one_device(*args: Any) -> Any:
            results = own(*jax.tree.map(lambda x: x[0], args))
            return jax.tree.map(lambda x: x[None], results)

        shards = PartitionSpec(self._axis)
        mapped = jax.shard_map(on_one_device, mesh=self._mesh, in_specs=shards, out_specs=shards, check_vma=False)
        return jax.jit(mapped, donate_argnums=donate)

    def map(self, function: Callable[[Any], Any], tree: Any) -> Any:
        """Calls a function once for each of this device's trials; inside of `compile`.

        Args:
            function: called with one trial's arrays.
            tree: per-trial arrays [trials, ...]; a single network's [...].

        Returns:
            The results, [trials, ...] or [...].
        """
        if not self.many:
            return function(tree)
        if self._at_once == 1:
            return lax.map(function, tree)
        return lax.map(function, tree, batch_size=self._at_once) if self._at_once < self._rounds else jax.vmap(function)(tree)


def _joined(parts: NDArray[Any]) -> NDArray[Any]:
    return parts.reshape(-1, *parts.shape[2:])
