"""How a training state lies on the devices: whole on each of them, or with a share of the optimizer's memory on each.

    layout = StateLayout(placement, averaging, optimizer, params)
    state = layout.put(host_state)              # opt_state: [num_devices, share, …], device i holds the i-th part
    layout.get(state)                           # the whole arrays again, as NumPy arrays

On the host and in checkpoints a state is always whole. So a run can be resumed with another number of devices, or with another
way to average gradients.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import numpy as np
import optax

from nnjax.parallel.averaging import Averaging, share_shape
from nnjax.parallel.placement import Placement
from nnjax.training.state import Pytree, TrainState


class StateLayout:
    """Puts states on the devices, and gets them back.

    Args:
        placement: the devices, and the layout of the trials on them.
        averaging: how gradients are averaged; `sharded` gives each device a share of the optimizer's memory.
        optimizer: whose memory it is.
        params: of all trials, for their shapes.

    Attributes:
        is_sharded: whether each device holds a share of the optimizer's memory. A single device holds all of it, and so does
            one that trains whole trials.
    """

    def __init__(
        self, placement: Placement, averaging: Averaging, optimizer: optax.GradientTransformation, params: Pytree
    ) -> None:
        self.is_sharded = averaging.is_sharded and placement.num_devices > 1 and not placement.whole_trials
        self._placement = placement
        self._axis = 1 if placement.many else 0  # of the numbers, behind that of the trials
        self._shapes = _shapes_of_memory(optimizer, params, self._axis) if self.is_sharded else []

    def put(self, state: TrainState) -> TrainState:
        """Places a whole state, of NumPy arrays or on one device, on the devices; of shapes, with an `AbstractPlacement`."""
        placed: TrainState = self._placement.put(replace(state, opt_state=None) if self.is_sharded else state)
        if self.is_sharded:
            placed = replace(placed, opt_state=self._each(state.opt_state, self._cut, self._placement.put))
        return placed

    def get(self, state: TrainState) -> TrainState:
        """Inverse of `put`, as NumPy arrays; with a sharded state, every process of a run must call it."""
        whole: TrainState = self._placement.get(replace(state, opt_state=None) if self.is_sharded else state)
        if self.is_sharded:
            whole = replace(whole, opt_state=self._each(state.opt_state, self._join, self._placement.get))
        return whole

    def _each(self, memory: Pytree, share: Callable[[Any, tuple[int, ...]], Any], whole: Callable[[Any], Any]) -> Pytree:
        """Applies one function to the arrays that are like a parameter, and another to the rest, such as counts of steps."""
        leaves, structure = jax.tree.flatten(memory)
        pairs = zip(leaves, self._shapes, strict=True)
        return jax.tree.unflatten(structure, [whole(x) if shape is None else share(x, shape) for x, shape in pairs])

    def _cut(self, x: Any, shape: tuple[int, ...]) -> jax.Array:
        """From [trials, *shape] to [num_devices, trials, share, 1, …]."""
        if isinstance(x, jax.ShapeDtypeStruct):
            count = self._placement.num_devices
            own: jax.Array = self._placement.replicate(
                jax.ShapeDtypeStruct((*x.shape[: self._axis], *share_shape(shape, count)), x.dtype)
            )
            return own
        whole = np.asarray(x).reshape(*np.shape(x)[: self._axis], -1)
        padding = [(0, 0)] * self._axis + [(0, -whole.shape[-1] % self._placement.num_devices)]
        padded = np.pad(whole, padding)
        cut: jax.Array = self._placement.split(padded.reshape(*padded.shape, *share_shape(shape, 1)[1:]), self._axis)
        return cut

    def _join(self, x: jax.Array, shape: tuple[int, ...]) -> Any:
        """Inverse of `_cut`."""
        padded = self._placement.join(x, self._axis)
        lead = padded.shape[: self._axis]
        return padded.reshape(*lead, -1)[..., : int(np.prod(shape))].reshape(*lead, *shape)


def _shapes_of_memory(optimizer: optax.GradientTransformation, params: Pytree, axis: int) -> list[tuple[int, ...] | None]:
    """For each array of an optimizer's memory, the shape of the parameter that it is like; None for one that is like none."""

    def memory_of(shape_of: Callable[[tuple[int, ...]], tuple[int, ...]]) -> list[tuple[int, ...]]:
        shapes = jax.tree.map(lambda p: jax.ShapeDtypeStruct(shape_of(np.shape(p)[axis:]), p.dtype), params)
        return [leaf.shape for leaf in jax.tree.leaves(jax.eval_shape(optimizer.init, shapes))]

    def grown(shape: tuple[int, ...]) -> tuple[int, ...]:
        return int(np.prod(shape)) + 1, *shape[1:]

    # An array is like a parameter if it grows with it; the number of axes stays, since rules may depend on it.
    pairs = zip(memory_of(lambda shape: shape), memory_of(grown), strict=True)
    return [None if shape == larger else shape for shape, larger in pairs]
