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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
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
    def in_turn(self) -> bool:
        """Whether buffers are sent one after another, in a fixed order; `compile_lowered` then needs `in_turn=True`."""
        return self.gradients != "automatic"

    def buckets(self, tree: Any, num_devices: int) -> tuple[Bucket, ...]:
        """The buffers that are sent, in the order in which they are issued; of `automatic` each tensor is one.

        Args:
            tree: the gradients, or arrays or shapes like them.
            num_devices: that share a batch.
        """
        most: float = {"buckets": self.bucket_bytes, "sharded": self.bucket_bytes, "flat": math.inf}.get(self.gradients, 0)
        found = plan_buckets(tree, self.layers, most, num_devices if self.is_sharded else 1)
        if self.gradients not in ("automatic", "per_tensor"):
            return found
        return tuple(replace(bucket, name=bucket.tensors[0].name) for bucket in found)

    def mean(self, grads: Any) -> Any:
        """The mean of each gradient over the devices: the same numbers in every way, within the rounding of their sum."""
        if lax.axis_size(AXIS) == 1:
            return grads
        if self.gradients == "automatic":
            with jax.named_scope(GRADIENTS_SCOPE):
                return mean_over_devices(grads)
        leaves, structure = jax.tree.flatten(grads)

        def buffer(bucket: Bucket) -> jax.Array:
            return jnp.concatenate([leaves[tensor.place].ravel() for tensor in bucket.tensors])

        with jax.named_scope(GRADIENTS_SCOPE):
            for tensor, part in _in_turn(self.buckets(grads, 1), buffer, lambda buffer: lax.pmean(buffer, AXIS)):
                leaves[tensor.place] = part.reshape(tensor.shape)
        return jax.tree.unflatten(structure, leaves)

    def scatter(self, grads: Any) -> Any:
        """This device's share of the mean of each gradient.

        Args:
            grads: of this device's part of the batch, whole tensors.

        Returns:
            A tree of shares, as from `share`; its padding is zero.
        """
        count = lax.axis_size(AXIS)
        leaves, structure = jax.tree.flatten(grads)

        def buffer(bucket: Bucket) -> jax.Array:
            return jnp.concatenate([_rows(leaves[tensor.place], count) for tensor in bucket.tensors], axis=1)

        with jax.named_scope(GRADIENTS_SCOPE):
            buckets = self.buckets(grads, count)
            for tensor, part in _in_turn(buckets, buffer, lambda rows: lax.psum_scatter(rows, AXIS) / count):
                leaves[tensor.place] = part.reshape(share_shape(tensor.shape, count))
        return jax.tree.unflatten(structure, leaves)

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

        def buffer(bucket: Bucket) -> jax.Array:
            return jnp.concatenate([leaves[tensor.place].ravel() for tensor in bucket.tensors])

        with jax.named_scope(PARAMETERS_SCOPE):
            buckets = self.buckets(like, lax.axis_size(AXIS))
            for tensor, rows in _in_turn(buckets, buffer, lambda own: lax.all_gather(own, AXIS)):
                leaves[tensor.place] = rows.ravel()[: tensor.size].reshape(tensor.shape)
        return jax.tree.unflatten(structure, leaves)


AUTOMATIC = Averaging()
"""The default."""


def share_shape(shape: Sequence[int], count: int) -> tuple[int, ...]:
    """The shape of one of `count` equal shares of an array, with as many axes: [share, 1, …]."""
    return -(-math.prod(shape) // count), *[1] * (len(shape) - 1)


def _rows(x: jax.Array, count: int) -> jax.Array:
    """The array as one row for each device, padded with zeros: [count, share]."""
    return jnp.pad(x.ravel(), (0, -x.size % count)).reshape(count, -1)


def _in_turn(
    buckets: Sequence[Bucket], buffer: Callable[[Bucket], jax.Array], exchange: Callable[[jax.Array], jax.Array]
) -> Iterator[tuple[Tensor, jax.Array]]:
    """Exchanges one buffer after another, so that XLA neither combines nor reorders them; see `compile_lowered`.

    Args:
        buckets: in order.
        buffer: makes the buffer of a bucket, [..., numbers], in the order of its tensors.
        exchange: does it.

    Yields:
        Each tensor with its part of the result, in which it has the place that its shares have in the buffer.
    """
    results: list[jax.Array] = []
    for bucket in buckets:
        with jax.named_scope(bucket.name):
            sent = buffer(bucket)
            if results:
                # The last result passes the barrier, too: without a use of it, XLA would take it out.
                sent, results[-1] = lax.optimization_barrier((sent, results[-1]))
            results.append(exchange(sent))
    for bucket, result in zip(buckets, results, strict=True):
        first = 0
        with jax.named_scope(bucket.name):
            for tensor in bucket.tensors:
                yield tensor, result[..., first : first + tensor.share]
                first += tensor.share
