"""A placement of shapes: a run's programs can be compiled without any of its arrays.

    placement = AbstractPlacement("pmap", devices, standing_for=512)
    placement.compile(step).lower(placement.replicate(params), placement.split(batch)).compile().as_text()

`put`, `replicate` and `split` return `jax.ShapeDtypeStruct`, sharded as the arrays would be. The devices may be fewer than
those that the shapes are for: each then gets the share of one of the many, so that all shapes of a device are right.
"""

from collections.abc import Sequence
from typing import Any, Literal

import jax

from nnjax.parallel.placement import Placement


class AbstractPlacement(Placement):
    """As `Placement`, for shapes alone.

    Args:
        wrapper: `pmap` or `shard_map`.
        devices: simulated ones, for example.
        num_trials: networks that are trained at once.
        at_once: as for `Placement`.
        standing_for: the number of devices that share a batch; None for those that are given.
    """

    def __init__(
        self,
        wrapper: Literal["pmap", "shard_map"],
        devices: Sequence[jax.Device],
        num_trials: int = 1,
        at_once: int = 1,
        standing_for: int | None = None,
    ) -> None:
        super().__init__(wrapper, devices, num_trials, at_once)
        self._sharers = standing_for or self.num_devices

    def put(self, tree: Any) -> Any:
        """The shapes of what `Placement.put` returns."""
        if not self.whole_trials:
            return self.replicate(tree)
        return jax.tree.map(lambda x: self._shape((self._rounds, *x.shape[1:]), x.dtype), tree)

    def replicate(self, tree: Any) -> Any:
        """The shapes of what `Placement.replicate` returns."""
        return jax.tree.map(lambda x: self._shape(x.shape, x.dtype), tree)

    def split(self, tree: Any, axis: int = 0) -> Any:
        """The shapes of what `Placement.split` returns."""

        def cut(x: Any) -> jax.ShapeDtypeStruct:
            return self._shape((*x.shape[:axis], x.shape[axis] // self._sharers, *x.shape[axis + 1 :]), x.dtype)

        return jax.tree.map(cut, tree)

    def _shape(self, shape: tuple[int, ...], dtype: Any) -> jax.ShapeDtypeStruct:
        """Of an array of which each device has a part of this shape."""
        return jax.ShapeDtypeStruct((self.num_devices, *shape), dtype, sharding=self._sharding)
