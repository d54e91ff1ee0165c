"""The buffers in which gradients travel: tensors of consecutive layers, from the last layer to the first.

    buckets = plan_buckets(params, layers=("dense_1", "output"), most_bytes=25 * 2**20)
    [tensor.name for tensor in buckets[0].tensors]           # ["output/bias", "output/kernel", "dense_1/bias", …]

The backward pass computes the last layer's gradients first, so the first buckets can leave before it ends. The plan follows
from shapes alone: a tree of `jax.ShapeDtypeStruct` serves as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import jax
import numpy as np

Path = tuple[Any, ...]


@dataclass(frozen=True)
class Tensor:
    """One tensor of a bucket.

    Attributes:
        name: its path, as `dense_1/kernel`.
        place: among the leaves of the tree, in JAX's order.
        shape: of the whole tensor.
        share: numbers that each device gets where a bucket is shared out; without sharing, all of them.
    """

    name: str
    place: int
    shape: tuple[int, ...]
    share: int

    @property
    def layer(self) -> str:
        """The layer that it belongs to: the first part of its name."""
        return self.name.partition("/")[0]

    @property
    def size(self) -> int:
        """Its numbers."""
        return prod(self.shape)


@dataclass(frozen=True)
class Bucket:
    """Tensors that travel in one buffer.

    Attributes:
        name: `bucket_1`, `bucket_2`, … in the order of issue, or its only tensor's name; also a scope in compiled programs.
        dtype: of all its numbers.
        tensors: in the order in which they lie in the buffer.
        shares: parts into which each tensor is cut, padded with zeros to equal length; 1 does not cut.
    """

    name: str
    dtype: np.dtype[Any]
    tensors: tuple[Tensor, ...]
    shares: int = 1

    @property
    def size(self) -> int:
        """Numbers in the buffer, padding included."""
        return self.shares * sum(tensor.share for tensor in self.tensors)

    @property
    def padding(self) -> int:
        """Numbers of the buffer that belong to no tensor."""
        return self.size - sum(tensor.size for tensor in self.tensors)


def scope_name(path: Path) -> str:
    """The name of a tensor, in scopes and messages: its path, as `dense_1/kernel`."""
    return jax.tree_util.keystr(path, simple=True, separator="/")


def plan_buckets(tree: Any, layers: Sequence[str], most_bytes: float, shares: int = 1) -> tuple[Bucket, ...]:
    """Collects the tensors of a tree into buckets.

    A bucket holds tensors of one type. It is full when the next tensor of that type would exceed `most_bytes`; a tensor that is
    larger has a bucket of its own. PyTorch's DistributedDataParallel has the same default, 25 MiB, but closes its first bucket
    at 1 MiB, and any bucket only once it has reached its limit (Li et al., "PyTorch Distributed: Experiences on Accelerating
    Data Parallel Training", 2020).

    Args:
        tree: nested dicts, layer by layer, of arrays or of their shapes.
        layers: the names of the layers, in order; tensors of others come last.
        most_bytes: of one bucket; 0 gives each tensor its own, and infinity all tensors of a type one.
        shares: parts into which each tensor is cut.

    Returns:
        The buckets, in the order in which their first tensors' gradients are computed.
    """
    order = {name: number for number, name in enumerate(layers)}
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    names = [scope_name(path) for path, _ in leaves]
    # Within a layer in the order of the tree; Python's sort keeps it.
    places = sorted(range(len(leaves)), key=lambda place: -order.get(names[place].partition("/")[0], -1))
    found: list[tuple[np.dtype[Any], list[Tensor]]] = []
    current: dict[np.dtype[Any], tuple[list[Tensor], int]] = {}
    for place in places:
        leaf = leaves[place][1]
        dtype, share = np.dtype(leaf.dtype), -(-prod(leaf.shape) // shares)
        tensor = Tensor(names[place], place, tuple(leaf.shape), share)
        size = share * shares * dtype.itemsize
        tensors, filled = current.get(dtype, ([], 0))
        if not tensors or filled + size > most_bytes:
            tensors, filled = [], 0
            found.append((dtype, tensors))
        tensors.append(tensor)
        current[dtype] = tensors, filled + size
    return tuple(
        Bucket(f"bucket_{number}", dtype, tuple(tensors), shares) for number, (dtype, tensors) in enumerate(found, start=1)
    )
