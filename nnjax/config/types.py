"""The vocabulary of the schema: bounded numbers, durations and sizes of memory.

A field's annotation states its allowed values, and `nnjax.config.parsing` checks values against it::

    learning_rate: Annotated[float, Bounds(above=0)]
    warmup: Duration                                     # "500steps", "2epochs", "10000examples", "5%"
"""

import math
import re
from dataclasses import dataclass
from typing import Annotated, Literal

Unit = Literal["steps", "epochs", "examples", "%"]
_UNITS: dict[str, Unit] = {
    "step": "steps",
    "steps": "steps",
    "epoch": "epochs",
    "epochs": "epochs",
    "example": "examples",
    "examples": "examples",
    "%": "%",
}
_DURATION = re.compile(r"\s*([0-9][0-9_]*(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?)\s*([a-z]+|%)\s*", re.IGNORECASE)

_LONGEST = 1e12

LARGEST_INT = 2**63 - 1
"""The largest whole number that a config takes: no array has more elements along an axis."""

_BYTES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_MEMORY_SIZE = re.compile(r"\s*([0-9][0-9_]*(?:\.[0-9]+)?)\s*([kmgt]i?b?|b)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Bounds:
    """The interval that a number lies in; every end is optional.

    Attributes:
        at_least: smallest value allowed.
        above: value that must be exceeded.
        at_most: largest value allowed.
        below: value that must not be reached.
    """

    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None

    def contains(self, value: float) -> bool:
        """Whether `value` is finite and inside the interval."""
        return (
            -math.inf < value < math.inf
            and (self.at_least is None or value >= self.at_least)
            and (self.above is None or value > self.above)
            and (self.at_most is None or value <= self.at_most)
            and (self.below is None or value < self.below)
        )

    def __str__(self) -> str:
        """In words: ``"at least 0 and less than 1"``."""
        words = {
            "at least": self.at_least,
            "greater than": self.above,
            "at most": self.at_most,
            "less than": self.below,
        }
        return " and ".join(f"{word} {end:.12g}" for word, end in words.items() if end is not None)


Seed = Annotated[int, Bounds(at_least=0, at_most=2**32 - 1)]  # JAX silently drops the bits above 32
PositiveInt = Annotated[int, Bounds(at_least=1)]
NonNegativeInt = Annotated[int, Bounds(at_least=0)]
PositiveFloat = Annotated[float, Bounds(above=0)]
NonNegativeFloat = Annotated[float, Bounds(at_least=0)]
Probability = Annotated[float, Bounds(at_least=0, below=1)]


@dataclass(frozen=True)
class Duration:
    """A length of training in steps, epochs, examples or percent of the whole.

    One text has one unit, so two units cannot contradict each other.

    Attributes:
        value: positive number.
        unit: steps, epochs, examples or %.
    """

    value: float
    unit: Unit

    @classmethod
    def parse(cls, text: str) -> "Duration":
        """Reads ``"10epochs"``, ``"500 steps"``, ``"50_000examples"`` or ``"5%"``.

        Raises:
            ValueError: if the text is not a positive number followed by a unit.
        """
        match = _DURATION.fullmatch(text)
        unit = _UNITS.get(match[2].lower()) if match else None
        if match is None or unit is None:
            raise ValueError("a number and a unit, such as 500steps, 10epochs, 50000examples or 5%")
        value = float(match[1].replace("_", ""))
        if value == 0:
            raise ValueError("greater than zero")
        if value > _LONGEST:
            raise ValueError(f"at most {_LONGEST:g}")
        if unit in ("steps", "examples") and not value.is_integer():
            raise ValueError(f"a whole number of {unit}")
        if unit == "%" and value > 100:
            raise ValueError("at most 100%")
        return cls(value, unit)

    def in_steps(self, steps_per_epoch: int, global_batch_size: int, total_steps: int | None = None) -> int:
        """Converts the duration to optimizer steps, rounded to the nearest, at least one.

        Args:
            steps_per_epoch: steps that make an epoch.
            global_batch_size: examples per step, over all devices.
            total_steps: steps of the whole training, which percentages refer to.

        Raises:
            ValueError: for a percentage without `total_steps`.
        """
        if self.unit == "steps":
            steps = self.value
        elif self.unit == "epochs":
            steps = self.value * steps_per_epoch
        elif self.unit == "examples":
            steps = self.value / global_batch_size
        elif total_steps is not None:
            steps = self.value / 100 * total_steps
        else:
            raise ValueError("steps, epochs or examples: the length of training is what percents are of")
        return max(1, math.floor(steps + 0.5))

    def __str__(self) -> str:
        """As `parse` reads it: ``"10epochs"``."""
        number = int(self.value) if self.value == int(self.value) else self.value  # an int has no is_integer before Python 3.12
        return f"{number}{self.unit.removesuffix('s') if number == 1 else self.unit}"


@dataclass(frozen=True)
class MemorySize:
    """An amount of memory, as `parallel.memory_limit` takes it.

    Attributes:
        text: as it was written, such as ``"12GB"``.
        bytes: its value; k, M, G and T stand for powers of 1000, Ki, Mi, Gi and Ti for powers of 1024.
    """

    text: str
    bytes: int

    @classmethod
    def parse(cls, text: str) -> "MemorySize":
        """Reads ``"12GB"``, ``"1.5 TB"``, ``"800MiB"``, and ``"12G"`` as Slurm and systemd write it.

        Raises:
            ValueError: if the text is not a positive number followed by a unit of bytes.
        """
        match = _MEMORY_SIZE.fullmatch(text)
        size = (
            int(float(match[1].replace("_", "")) * _BYTES[match[2].lower().removesuffix("b")])
            if match and len(match[1]) < 30
            else 0
        )
        if size < 1:
            raise ValueError("a number and a unit, such as 12GB or 800MiB")
        return cls("".join(text.split()), size)

    def __str__(self) -> str:
        """As `parse` reads it: ``"12GB"``."""
        return self.text
