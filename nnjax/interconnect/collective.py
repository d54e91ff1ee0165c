"""What a training step sends: its collectives, in the order in which they are issued.

    gradients = Collective("all_reduce", "float32", (Part("dense_1", "kernel", 7840),), group_size=2, phase="gradients")
    gradients.count, gradients.size                       # 7840 elements, 31360 bytes

Plain numbers without JAX: `nnjax.interconnect.compiled` reads them from a compiled program, the models of links take them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["all_reduce", "reduce_scatter", "all_gather", "all_to_all", "collective_permute", "broadcast"]

Phase = Literal["gradients", "parameters", "batch_statistics", "metrics", "other"]
"""What is sent: gradients; parameters that each device updated a share of; BatchNorm's sums; losses and counts."""

ITEM_SIZES = {
    **dict.fromkeys(("bool", "int8", "uint8", "float8"), 1),
    **dict.fromkeys(("int16", "uint16", "float16", "bfloat16"), 2),
    **dict.fromkeys(("int32", "uint32", "float32"), 4),
    **dict.fromkeys(("int64", "uint64", "float64"), 8),
}
"""Bytes of a number, by type."""


@dataclass(frozen=True)
class Part:
    """One tensor, or the part of one, that a collective carries.

    Attributes:
        layer: the layer that it belongs to; empty for none.
        tensor: "kernel", "bias", "scale", or what it is, as "statistics".
        count: numbers.
    """

    layer: str
    tensor: str
    count: int


@dataclass(frozen=True)
class Collective:
    """One exchange between devices.

    Attributes:
        kind: what is done.
        dtype: of its numbers, as NumPy names it.
        parts: what it carries, in order; padding is a part without a layer.
        group_size: devices that take part.
        phase: what it is for.
        per_step: whether every step does it; else every call of a compiled program, of many steps.
        backward: whether it is issued during the backward pass, or after it.
        buffers: separate buffers that it carries; gloo sends each by itself.
    """

    kind: Kind
    dtype: str
    parts: tuple[Part, ...]
    group_size: int
    phase: Phase
    per_step: bool = True
    backward: bool = True
    buffers: int = 1

    @property
    def count(self) -> int:
        """Numbers in the whole buffer, as nccl-tests counts: of all devices together for all_gather and reduce_scatter."""
        return sum(part.count for part in self.parts)

    @property
    def item_size(self) -> int:
        """Bytes of one number."""
        return ITEM_SIZES[self.dtype]

    @property
    def size(self) -> int:
        """Bytes of the whole buffer, as nccl-tests' `size`."""
        return self.count * self.item_size

    @property
    def buffer_counts(self) -> tuple[int, ...]:
        """Numbers in each buffer: those of a part each where there are as many parts; else nearly equal shares."""
        if self.buffers == len(self.parts):
            return tuple(part.count for part in self.parts)
        share, rest = divmod(self.count, self.buffers)
        return tuple(share + (index < rest) for index in range(self.buffers))

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers whose tensors it carries, each once."""
        return tuple(dict.fromkeys(part.layer for part in self.parts if part.layer))


def scaled(collectives: Sequence[Collective], simulated: int, num_devices: int) -> tuple[Collective, ...]:
    """The collectives of a program for `simulated` devices, as they are for `num_devices`.

    Each device's part of an all-gather or a reduce-scatter keeps its length where it is the device's own (BatchNorm's
    statistics), so the whole buffer grows with the group. Of shared parameters and gradients the whole stays, and padding is
    left out.
    """
    if simulated == num_devices:
        return tuple(collectives)

    def of_many(collective: Collective) -> Collective:
        parts = collective.parts
        if collective.kind == "all_gather" and collective.phase == "batch_statistics":
            parts = tuple(replace(part, count=part.count * num_devices // simulated) for part in parts)
        elif collective.kind in ("all_gather", "reduce_scatter"):
            parts = tuple(part for part in parts if part.layer)
        size = num_devices if collective.group_size == simulated else collective.group_size
        return replace(collective, parts=parts, group_size=size)

    return tuple(of_many(collective) for collective in collectives)
