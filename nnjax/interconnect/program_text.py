"""Parses the text of a compiled XLA program: its instructions, in the order in which they are issued, and its loops.

    program = parse_program(compiled.as_text())
    for place in program.walk():
        place.instruction.opcode, place.times, place.per_step      # "all-reduce", 1, True

The text is that of `jax.stages.Compiled.as_text`, an `HloModule`; its grammar is XLA's `hlo_parser`. A loop whose number of
rounds XLA knows (`known_trip_count`) multiplies what is inside; the loop over the training steps is the one without.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import prod

from nnjax.config.errors import UserError


class ProgramTextError(UserError):
    """The text of a compiled program has a form that is not known."""


@dataclass(frozen=True)
class Array:
    """One array of an instruction's result.

    Attributes:
        dtype: as XLA names it: f32, bf16, s32, pred.
        shape: of one device.
    """

    dtype: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Its numbers."""
        return prod(self.shape)


@dataclass(frozen=True)
class Instruction:
    """One instruction.

    Attributes:
        name: unique in its computation.
        opcode: as `all-reduce`.
        arrays: its result; of a tuple, all arrays of it in order.
        operands: names of instructions of the same computation.
        attributes: the text after the operands.
    """

    name: str
    opcode: str
    arrays: tuple[Array, ...]
    operands: tuple[str, ...]
    attributes: str = field(repr=False)

    @cached_property
    def op_name(self) -> str:
        """The scopes that JAX gave it, as `jit(f)/while/body/transpose(jvp(dense_1))/psum`; empty without any."""
        found = re.search(r'op_name="([^"]*)"', self.attributes)
        return found[1] if found else ""

    @cached_property
    def called(self) -> tuple[str, ...]:
        """Names of the computations that it runs; those of a reduction's sum are among them."""
        texts = re.findall(
            r"(?:calls|to_apply|body|condition|true_computation|false_computation|branch_computations|called_computations)"
            r"=(\{[^}]*\}|%?[\w.\-]+)",
            self.attributes,
        )
        return tuple(name.lstrip("%") for text in texts for name in re.findall(r"%?[\w.\-]+", text))

    @cached_property
    def trip_count(self) -> int | None:
        """The rounds of a loop; None where XLA does not know them."""
        found = re.search(r'"known_trip_count":\{"n":"?(\d+)', self.attributes)
        return int(found[1]) if found else None


@dataclass(frozen=True)
class Place:
    """An instruction where the program runs it.

    Attributes:
        instruction: the instruction.
        computation: the name of its computation.
        times: how often it runs in each step, or, outside of the steps, in each call.
        per_step: whether it is inside the loop over the steps.
        in_branch: whether it is inside a branch of a condition, which may be left out.
    """

    instruction: Instruction
    computation: str
    times: int
    per_step: bool
    in_branch: bool


@dataclass(frozen=True)
class Program:
    """A compiled program.

    Attributes:
        computations: by name, instructions by name in the text's order.
        entry: the name of the computation that a call runs.
        is_scheduled: whether that order is the one in which instructions are issued.
        num_devices: partitions times replicas.
    """

    computations: Mapping[str, Mapping[str, Instruction]]
    entry: str
    is_scheduled: bool
    num_devices: int

    def walk(self) -> Iterator[Place]:
        """Yields the instructions in the order in which they are issued, those of a loop or call once each.

        Raises:
            ProgramTextError: if a loop of unknown length lies inside of another.
        """
        yield from self._walk(self.entry, times=1, per_step=False, in_branch=False)

    def _walk(self, name: str, *, times: int, per_step: bool, in_branch: bool) -> Iterator[Place]:
        for instruction in self.computations[name].values():
            opcode = instruction.opcode
            if opcode == "while":
                rounds = instruction.trip_count
                is_steps = rounds is None and self._communicates(instruction.called)
                if is_steps and per_step:
                    raise ProgramTextError(
                        f"{instruction.name}: a loop of unknown length inside the loop over the steps exchanges data; "
                        "how often it does so cannot be read from the program"
                    )
                for called in instruction.called:
                    yield from self._walk(
                        called, times=times * (rounds or 1), per_step=per_step or rounds is None, in_branch=in_branch
                    )
            elif opcode in ("call", "fusion", "async-start", "conditional"):
                for called in instruction.called:
                    branch = in_branch or opcode == "conditional"
                    yield from self._walk(called, times=times, per_step=per_step, in_branch=branch)
            yield Place(instruction, name, times, per_step, in_branch)

    def _communicates(self, names: tuple[str, ...]) -> bool:
        """Whether a computation, or one that it runs, exchanges data."""
        return any(
            is_collective(instruction.opcode) or self._communicates(instruction.called)
            for name in names
            for instruction in self.computations.get(name, {}).values()
        )


COLLECTIVES = {
    "all-reduce": "all_reduce",
    "all-gather": "all_gather",
    "reduce-scatter": "reduce_scatter",
    "all-to-all": "all_to_all",
    "ragged-all-to-all": "all_to_all",
    "collective-permute": "collective_permute",
    "collective-broadcast": "broadcast",
}
"""XLA's opcodes of exchanges between devices, and our names; each may also come as a pair, `…-start` and `…-done`."""


def is_collective(opcode: str) -> bool:
    """Whether an opcode begins an exchange between devices."""
    return opcode.removesuffix("-start") in COLLECTIVES


def parse_program(text: str) -> Program:
    """Parses a program.

    Raises:
        ProgramTextError: if the text is not that of an HLO module.
    """
    if not text.startswith("HloModule"):
        raise ProgramTextError("the compiled program has no text that begins with HloModule: its exchanges cannot be read")
    header = text.partition("\n")[0]
    computations: dict[str, dict[str, Instruction]] = {}
    entry, current = "", None
    for line in text.splitlines()[1:]:
        if (opening := _OPENING.match(line)) is not None:
            current = computations[opening["name"]] = {}
            entry = opening["name"] if opening["entry"] else entry
        elif line.startswith("}"):
            current = None
        elif current is not None and (parts := _INSTRUCTION.match(line)) is not None:
            instruction = _instruction(parts["name"], _COMMENT.sub("", parts["rest"]))
            current[instruction.name] = instruction
    if not entry:
        raise ProgramTextError("the text of the compiled program has no ENTRY computation: its exchanges cannot be read")
    counts = (re.search(rf"\b{name}=(\d+)", header) for name in ("num_partitions", "replica_count"))
    num_devices = prod(int(found[1]) for found in counts if found)
    return Program(computations, entry, "is_scheduled=true" in header, num_devices)


_OPENING = re.compile(r"^(?P<entry>ENTRY )?%?(?P<name>[\w.\-]+) (?:\(.*\) -> .*)?\{$")
_INSTRUCTION = re.compile(r"^\s+(?:ROOT )?%?(?P<name>[\w.\-]+) = (?P<rest>.*)$")
_COMMENT = re.compile(r"/\*.*?\*/")
_ARRAY = re.compile(r"\b(?P<dtype>[a-z]\w*)\[(?P<shape>[\d,<=]*)\]")


def _instruction(name: str, rest: str) -> Instruction:
    end = _closing(rest, 0) + 1 if rest.startswith("(") else rest.index(" ")
    result, rest = rest[:end], rest[end:].lstrip()
    opcode, bracket, _ = rest.partition("(")
    if not bracket:
        raise ProgramTextError(f"{name}: the compiled program has an instruction without operands: {rest[:60]!r}")
    close = _closing(rest, len(opcode))
    operands, attributes = rest[len(opcode) + 1 : close], rest[close + 1 :]
    names = re.findall(r"%([\w.\-]+)", operands) if opcode not in ("constant", "parameter") else ()
    arrays = tuple(Array(found["dtype"], _shape(found["shape"])) for found in _ARRAY.finditer(result))
    return Instruction(name, opcode, arrays, tuple(names), attributes)


def _shape(text: str) -> tuple[int, ...]:
    return tuple(int(size.lstrip("<=")) for size in text.split(",") if size)


def _closing(text: str, start: int) -> int:
    """The place of the bracket that closes the one at `start`."""
    depth = 0
    for place in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if not depth:
            return place
    raise ProgramTextError(f"the compiled program has an open bracket in {text[:60]!r}")
