"""Reads what a compiled training step sends: its collectives, in the order issued, with the layers whose tensors they carry.

    reading = read_collectives(parse_program(text), leaves, layers=("dense_1", "output"))
    [collective.size for collective in reading.collectives if collective.per_step]

XLA's CPU backend combines the gradients' all-reduces into one of many operands, and lists their names. Each operand is matched
with a parameter: by its scope; else by the scope of the instruction that computed it and its shape; else by its shape in the
order of the gradient tree. Every parameter must be found exactly once, or the reading is refused.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from math import prod

from nnjax.interconnect.collective import ITEM_SIZES, Collective, Kind, Part, Phase
from nnjax.interconnect.program_text import COLLECTIVES, Array, Instruction, Place, Program, ProgramTextError, is_collective
from nnjax.interconnect.replica_groups import group_size

GRADIENTS, PARAMETERS, METRICS = "gradients", "parameters", "metrics"
"""Scopes of the training step's own exchanges; `nnjax.parallel.averaging` names them."""

_DTYPES = {
    "pred": "bool",
    "bf16": "bfloat16",
    **{f"{letter}{bits}": f"{name}{bits}" for letter, name in (("s", "int"), ("u", "uint")) for bits in (8, 16, 32, 64)},
    **{f"f{bits}": f"float{bits}" for bits in (16, 32, 64)},
    **dict.fromkeys(("f8e4m3", "f8e4m3fn", "f8e5m2", "f8e4m3fnuz", "f8e5m2fnuz", "f8e4m3b11fnuz", "f8e3m4"), "float8"),
}

_PASSES_ON = ("bitcast", "copy", "get-tuple-element", "convert", "transpose", "reshape", "optimization-barrier", "fusion")
_MOST_STEPS_BACK = 4


@dataclass(frozen=True)
class Leaf:
    """One trained tensor of a single network.

    Attributes:
        layer: the first part of its path.
        tensor: the rest, as "kernel".
        shape: of one network.
        dtype: as NumPy names it.
    """

    layer: str
    tensor: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def count(self) -> int:
        """Its numbers."""
        return prod(self.shape)


@dataclass(frozen=True)
class Reading:
    """What was read.

    Attributes:
        collectives: in the order in which they are issued, first those of a step and then those of a call.
        by_order: "layer/tensor" of those that only their place in the gradient tree tells apart from others of the same shape.
        remarks: sentences about what the program leaves open.
    """

    collectives: tuple[Collective, ...]
    by_order: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def read_collectives(
    program: Program,
    leaves: Sequence[Leaf],
    layers: Sequence[str],
    buckets: Mapping[str, Sequence[Part]] | None = None,
) -> Reading:
    """Reads the exchanges of a compiled chunk of training steps.

    Args:
        program: its text, parsed.
        leaves: the trained tensors, in the order of the gradient tree.
        layers: the names of the layers.
        buckets: the content of each bucket, by the scope that its exchange has.

    Raises:
        ProgramTextError: if an exchange cannot be read, or a parameter's gradient is in none.
    """
    reader = _Reader(program, tuple(leaves), tuple(dict.fromkeys((*layers, *(leaf.layer for leaf in leaves)))), buckets or {})
    # XLA drops most exchanges of one device with itself, but not all; they send nothing.
    places = [
        place
        for place in program.walk()
        if is_collective(place.instruction.opcode) and group_size(place.instruction, program.num_devices) > 1
    ]
    read = [(place, reader.collective(place)) for place in places]
    read = [(place, reader.completed(place, collective)) for place, collective in read]
    if places:
        reader.check()
    remarks = []
    if places and not program.is_scheduled:
        remarks.append("The program is not scheduled: its exchanges are listed in the order of its text.")
    if any(place.in_branch for place in places):
        remarks.append("An exchange is inside a branch of a condition; it is counted as if it were always taken.")
    expanded = tuple(_expanded(read))
    ordered = sorted(expanded, key=lambda collective: not collective.per_step)
    return Reading(tuple(ordered), tuple(reader.by_order), tuple(remarks))


def _expanded(read: Sequence[tuple[Place, Collective]]) -> Iterator[Collective]:
    """Repeats the exchanges of a loop of known length as often as it runs."""
    for times, group in groupby(read, key=lambda item: item[0].times):
        yield from [collective for _, collective in group] * times


class _Reader:
    """Labels collectives; notes which parameters were found."""

    def __init__(
        self, program: Program, leaves: tuple[Leaf, ...], layers: tuple[str, ...], buckets: Mapping[str, Sequence[Part]]
    ) -> None:
        self._program, self._leaves, self._layers, self._buckets = program, leaves, frozenset(layers), buckets
        self._left = list(leaves)
        self.by_order: list[str] = []

    def collective(self, place: Place) -> Collective:
        """One exchange, labelled as far as the scopes of its operands go."""
        instruction = place.instruction
        kind: Kind = COLLECTIVES[instruction.opcode.removesuffix("-start")]  # type: ignore[assignment]
        group = group_size(instruction, self._program.num_devices)
        arrays = _buffers(instruction, kind, group)
        dtypes = {_dtype(array) for array in arrays}
        if len(dtypes) > 1:
            raise ProgramTextError(f"{instruction.name}: carries numbers of several types, {', '.join(sorted(dtypes))}")
        sent: set[Phase] = set()
        parts: list[Part] = []
        for index, (scopes, array) in enumerate(zip(scopes_of_operands(instruction.op_name, len(arrays)), arrays, strict=True)):
            phase, found = self._operand(place, index, scopes, array)
            sent.add(phase)
            parts += found
        if not place.per_step and [part.tensor for part in parts] == ["sums"] * 3:
            parts = [Part("", name, part.count) for name, part in zip(("loss", "correct", "count"), parts, strict=True)]
        # XLA's CPU backend may combine BatchNorm's sums with the first gradients: see `phase_of`.
        phase = next(phase for phase in ("gradients", "parameters", "batch_statistics", "metrics", "other") if phase in sent)
        backward = "transpose(" in instruction.op_name or phase != "batch_statistics"
        return Collective(kind, dtypes.pop(), tuple(parts), group, phase, place.per_step, backward, len(arrays))

    def _operand(self, place: Place, index: int, scopes: Sequence[str], array: Array) -> tuple[Phase, tuple[Part, ...]]:
        """The phase of one operand, and what it carries: as its scopes name it, else as its shape and its producer do."""
        bucket = next((scope for scope in scopes if scope in self._buckets), None)
        layer = next((scope for scope in scopes if scope in self._layers), "")
        if bucket is not None:
            return ("parameters" if PARAMETERS in scopes else "gradients"), self._in_bucket(bucket, array, scopes)
        if not place.per_step:
            return "metrics", (Part("", "sums", array.size),)
        if GRADIENTS in scopes and (named := self._named(scopes[scopes.index(GRADIENTS) + 1 : -1], array)) is not None:
            return "gradients", (named,)
        if layer and GRADIENTS not in scopes:
            return "batch_statistics", (Part(layer, "statistics", array.size),)
        if METRICS not in scopes and (taken := self._taken(place, index, array)) is not None:
            return "gradients", (taken,)
        is_loss = METRICS in scopes or array.size == 1
        return ("metrics" if is_loss else "other"), (Part("", "loss" if is_loss else "other", array.size),)

    def completed(self, place: Place, collective: Collective) -> Collective:
        """The same, with the gradients that XLA combined into an exchange that has a layer's scope."""
        if not self._left or collective.phase != "batch_statistics" or collective.kind != "all_reduce":
            return collective
        arrays = _buffers(place.instruction, collective.kind, collective.group_size)
        taken = [self._taken(place, index, array) for index, array in enumerate(arrays)]
        parts = tuple(new or old for new, old in zip(taken, collective.parts, strict=True))
        return replace(collective, parts=parts, phase="gradients" if any(taken) else collective.phase)

    def check(self) -> None:
        """Raises a ProgramTextError if a parameter's gradient was in no exchange."""
        if self._left:
            names = ", ".join(f"{leaf.layer}/{leaf.tensor} {list(leaf.shape)}" for leaf in self._left[:3])
            raise ProgramTextError(
                f"the compiled program exchanges no gradient of {names}: its all-reduces cannot be told apart"
            )

    def _in_bucket(self, name: str, array: Array, scopes: Sequence[str]) -> tuple[Part, ...]:
        """The content of a bucket; of the gradients' buckets, it is then taken."""
        parts = self._buckets[name]
        if GRADIENTS in scopes:
            inside = {(part.layer, part.tensor) for part in parts}
            self._left = [leaf for leaf in self._left if (leaf.layer, leaf.tensor) not in inside]
        held = sum(part.count for part in parts)
        if array.size % held:
            raise ProgramTextError(f"{name}: the compiled program sends {array.size} values and the bucket holds {held}")
        return tuple(replace(part, count=part.count * (array.size // held)) for part in parts)  # of several trials at once

    def _named(self, path: Sequence[str], array: Array) -> Part | None:
        """The parameter of this path, which is then taken; None if there is none, or its size differs."""
        for leaf in self._left if path else ():
            if [leaf.layer, *leaf.tensor.split("/")] == list(path) and array.size % leaf.count == 0:
                self._left.remove(leaf)
                return Part(leaf.layer, leaf.tensor, array.size)
        return None

    def _taken(self, place: Place, index: int, array: Array) -> Part | None:
        """The parameter whose gradient an operand is, which is then taken; None if there is none like it."""
        like = [leaf for leaf in self._left if _is_like(leaf, array)]
        like = like or [leaf for leaf in self._left if leaf.count == array.size and leaf.dtype == _dtype(array)]
        if not like:
            return None
        layer = self._producer(place, index)
        own = [leaf for leaf in like if leaf.layer == layer]
        chosen = (own or like)[0]
        if len(own or like) > 1 and len({leaf.layer for leaf in own or like}) > 1:
            self.by_order.append(f"{chosen.layer}/{chosen.tensor}")
        self._left.remove(chosen)
        return Part(chosen.layer, chosen.tensor, array.size)

    def _producer(self, place: Place, index: int) -> str:
        """The layer in whose scope an operand was computed; empty if none is found."""
        instructions = self._program.computations[place.computation]
        name = place.instruction.operands[index] if index < len(place.instruction.operands) else ""
        for _ in range(_MOST_STEPS_BACK):
            instruction = instructions.get(name)
            if instruction is None:
                break
            scopes = scopes_of_operands(instruction.op_name, 1)[0]
            if layer := next((scope for scope in scopes if scope in self._layers), ""):
                return layer
            if instruction.opcode not in _PASSES_ON or not instruction.operands:
                break
            name = instruction.operands[0]
        return ""


def phase_of(part: Part, collective: Collective) -> str:
    """What a part of an exchange is for, where XLA combined several: a phase, or "padding"."""
    if part.tensor in ("statistics", "padding"):
        return {"statistics": "batch_statistics"}.get(part.tensor, part.tensor)
    return collective.phase if part.layer or collective.phase in ("metrics", "other") else "metrics"


def _buffers(instruction: Instruction, kind: str, group: int) -> tuple[Array, ...]:
    """The whole buffers of an exchange, as nccl-tests counts them: of all devices together for all_gather, reduce_scatter."""
    arrays = instruction.arrays
    if instruction.opcode in ("all-gather-start", "collective-permute-start"):  # operands, results, perhaps contexts
        count = len(instruction.operands)
        arrays = arrays[count : 2 * count]
    if not arrays:
        raise ProgramTextError(f"{instruction.name}: an exchange without a result")
    if kind == "reduce_scatter":
        arrays = tuple(replace(array, shape=(group, *array.shape)) for array in arrays)
    return arrays


def scopes_of_operands(op_name: str, count: int) -> list[list[str]]:
    """The scopes of each operand of an exchange.

    XLA lists the names of what it combined, as `jit(f)/while/body/(metrics/psum:gradients/dense_1/kernel/psum)`. Where the list
    is not of this length, all operands have the scopes that stand before it.
    """
    before, _, listed = op_name.partition("/(")
    names = listed.removesuffix(")").split(":") if listed.endswith(")") and "/(" in op_name else []
    if len(names) == count:
        return [[*_scopes(before), *_scopes(name)] for name in names]
    return [_scopes(before if listed else op_name)] * count


def _scopes(op_name: str) -> list[str]:
    """The scopes of an instruction, without the transformations around them: `transpose(jvp(dense_1))` gives dense_1."""
    return [re.sub(r"^(?:[\w.\-]+\()+|\)+$", "", part) for part in op_name.split("/")]


def _is_like(leaf: Leaf, array: Array) -> bool:
    """Whether an array has the shape of a parameter, perhaps of several trials at once."""
    return leaf.dtype == _dtype(array) and (array.shape == leaf.shape or array.shape[1:] == leaf.shape)


def _dtype(array: Array) -> str:
    name = _DTYPES.get(array.dtype, "")
    if name not in ITEM_SIZES:
        raise ProgramTextError(f"the compiled program exchanges numbers of the type {array.dtype}, which is not known here")
    return name
