"""Averages gradients over the devices in one of several ways, which differ in the messages that they send.

    averaging = Averaging("buckets", bucket_bytes=25 * 2**20, layers=("dense_1", "output"))
    grads = averaging.mean(grads)                                     # inside a compiled function, over `AXIS`

`automatic` leaves it to XLA which tensors are sent together. The other ways fix it: `per_tensor` sends each tensor by itself,
last layer first; `buckets` sends buffers of at most `bucket_bytes`; `flat` sends one buffer for each type of number. `sharded`
is stage 1 of ZeRO (Rajbhandari et al., "ZeRO: Memory Optimizations Toward Training Trillion Parameter Models", 2020): a device
gets only its share of the mean gradients (reduce-scatter), updates its share of the parameters with its share of the
optimizer's memory, and sends the new parameters to all others (all-gather). It uses buckets, too.

A reader of a compiled program finds each exchange by its scope, the end of `op_name`:

    gradients/LAYER/TENSOR/psum               automatic (XLA lists those that it combined) and per_tensor
    gradients/bucket_N/psum                   buckets and flat; `Averaging.buckets` lists the tensors of each
    gradients/bucket_N/reduce_scatter         sharded
    gradients/norm/psum                       sharded, with optimizer.clip_norm
    parameters/bucket_N/all_gather            sharded
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from nnjax.config.parallel_options import Gradients
from nnjax.parallel.buckets import Bucket, Tensor, plan_buckets
from nnjax.parallel.placement import AXIS, mean_over_devices

GRADIENTS_SCOPE, PARAMETERS_SCOPE = "gradients", "parameters"


@dataclass(frozen=True)
class Averaging:
    """How gradients are averaged over the devices of `AXIS`. With one device, nothing is exchanged.

    Attributes:
        gradients: the way.
        bucket_bytes: the most that a buffer holds, for `buckets` and `sharded`.
        layers: names of the layers, in order.
    """

    gradients: Gradients = "automatic"
    bucket_bytes: int = 0
    layers: tuple[str, ...] = ()

    @property
    def is_sharded(self) -> bool:
        """Whether each of several devices updates a share of the parameters."""
        return self.gradients == "sharded"

    @property
    def combines(self) -> bool:
        """Whether XLA may combine all-reduces of one step; see `compile_lowered`."""
        return self.gradients in ("automatic", "sharded")  # the latter's have other kinds

    def buckets(self, tree: Any, num_devices: int) -> tuple[Bucket, ...]:
        """The buffers that are sent, in the order in which they are issued; of `automatic` each tensor is one.

        Args:
            tree: the gradients, or arrays or shapes like them.
            num_devices: that share a batch.
        """
        most: float = {"buckets": self.bucket_bytes, "sharded": self.bucket_bytes, "flat": math.inf}.get(self.gradients, 0)
        return plan_buckets(tree, self.layers, most, num_devices if self.is_sharded else 1)

    def mean(self, grads: Any) -> Any:
        """The mean of each gradient over the devices: the same numbers in every way, within the rounding of their sum."""
        if lax.axis_size(AXIS) == 1:
            return grads
        if self.gradients == "automatic":
            with jax.named_scope(GRADIENTS_SCOPE):
                return mean_over_devices(grads)
        leaves, structure = jax.tree.flatten(grads)
        means, chain = list(leaves), _Chain()
        with jax.named_scope(GRADIENTS_SCOPE):
            for bucket in self.buckets(grads, 1):
                alone = bucket.tensors[0] if self.gradients == "per_tensor" else None
                with jax.named_scope(bucket.name if alone is None else alone.name):
                    buffer = jnp.concatenate([leaves[tensor.place].ravel() for tensor in bucket.tensors])
                    mean = chain.add(lax.pmean(chain.after(buffer), AXIS))
                    for tensor, part in _parts(mean, bucket.tensors):
                        means[tensor.place] = part.reshape(tensor.shape)
        return jax.tree.unflatten(structure, means)

    def scatter(self, grads: Any) -> Any:
        """This device's share of the mean of each gradient.

        Args:
            grads: of this device's part of the batch, whole tensors.

        Returns:
            A tree of shares, as from `share`; its padding is zero.
        """
        count = lax.axis_size(AXIS)
        leaves, structure = jax.tree.flatten(grads)
        shares, chain = list(leaves), _Chain()
        with jax.named_scope(GRADIENTS_SCOPE):
            for bucket in self.buckets(grads, count):
                with jax.named_scope(bucket.name):
                    rows = jnp.concatenate([_rows(leaves[tensor.place], count) for tensor in bucket.tensors], axis=1)
                    sums = chain.add(lax.psum_scatter(chain.after(rows), AXIS))
                    for tensor, part in _parts(sums / count, bucket.tensors):
                        shares[tensor.place] = part.reshape(share_shape(tensor.shape, count))
        return jax.tree.unflatten(structure, shares)

    def norm(self, shares: Any) -> jax.Array:
        """The L2 norm over all numbers of a tree of which each device holds its share."""
        squares = jnp.stack([jnp.sum(jnp.square(x)) for x in jax.tree.leaves(shares)]).sum()
        with jax.named_scope(f"{GRADIENTS_SCOPE}/norm"):
            return jnp.sqrt(lax.psum(squares, AXIS))

    def share(self, tree: Any) -> Any:
        """This device's share of each array, without any exchange: [share, 1, …], with as many axes as the whole array.

        Device i holds the i-th of equal parts of the flattened array, which is padded with zeros. The number of axes stays, as
        weight decay applies to arrays of two axes or more.
        """
        count, own = lax.axis_size(AXIS), lax.axis_index(AXIS)
        return jax.tree.map(lambda x: _rows(x, count)[own].reshape(share_shape(x.shape, count)), tree)

    def gather(self, shares: Any, like: Any) -> Any:
        """Whole arrays from all devices' shares.

        Args:
            shares: as from `share`.
            like: whole arrays, for their shapes.
        """
        leaves, structure = jax.tree.flatten(shares)
        whole, chain = list(leaves), _Chain()
        with jax.named_scope(PARAMETERS_SCOPE):
            for bucket in self.buckets(like, lax.axis_size(AXIS)):
                with jax.named_scope(bucket.name):
                    own = jnp.concatenate([leaves[tensor.place].ravel() for tensor in bucket.tensors])
                    rows = chain.add(lax.all_gather(chain.after(own), AXIS))
                    for tensor, part in _parts(rows, bucket.tensors):
                        whole[tensor.place] = part.ravel()[: tensor.size].reshape(tensor.shape)
        return jax.tree.unflatten(structure, whole)


AUTOMATIC = Averaging()
"""The default."""


def share_shape(shape: Sequence[int], count: int) -> tuple[int, ...]:
    """The shape of one of `count` equal shares of an array, with as many axes: [share, 1, …]."""
    return -(-math.prod(shape) // count), *[1] * (len(shape) - 1)


def _rows(x: jax.Array, count: int) -> jax.Array:
    """The array as one row for each device, padded with zeros: [count, share]."""
    return jnp.pad(x.ravel(), (0, -x.size % count)).reshape(count, -1)


def _parts(buffer: jax.Array, tensors: Iterable[Tensor]) -> Iterable[tuple[Tensor, jax.Array]]:
    """Cuts the last axis of a buffer into its tensors' parts."""
    first = 0
    for tensor in tensors:
        yield tensor, buffer[..., first : first + tensor.share]
        first += tensor.share


class _Chain:
    """Issues exchanges one after another, so that XLA neither combines nor reorders them.

    XLA's CPU backend removes the barriers before it combines all-reduces: it needs `compile_lowered(…, combines=False)`, too.
    """

    def __init__(self) -> None:
        self._last: jax.Array | None = None

    def after(self, value: jax.Array) -> jax.Array:
        """The value, available only when the exchange before is done."""
        if self._last is None:
            return value
        value, _ = lax.optimization_barrier((value, self._last))
        return value

    def add(self, exchanged: jax.Array) -> jax.Array:
        """Notes the result of an exchange."""
        self._last = exchanged
        return exchanged
