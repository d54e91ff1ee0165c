"""The numbers among a group of options, apart from its structure.

    numbers_of(config.optimizer)                           # {"learning_rate": 0.1, "parameter_groups.0.multiplier": 2.0, …}
    with_numbers(config.optimizer, {"learning_rate": 0.2})

Training passes these numbers to its compiled programs as arguments, so another number needs no other program. A number that is
0 switches something off, as does null: it belongs to the structure, and is not among the numbers.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from nnjax.config.registry import registered_as
from nnjax.config.types import Duration

T = TypeVar("T")

_STRUCTURE = frozenset({"newton_schulz_steps"})  # the iterations are unrolled
"""Names of numbers that the structure of a program follows from."""


def is_off(number: Any) -> bool:
    """Whether a number is the plain 0 that switches something off; False for an array, whose value is not known yet."""
    return isinstance(number, int | float) and number == 0


def numbers_of(options: Any) -> dict[str, float]:
    """Finds the numbers of options, by path; without zeros, truth values, text and durations.

    Options that a person registered have none: their functions may decide by the values.
    """
    found: dict[str, float] = {}
    if registered_as(options) is not None:
        return found
    for name, value in _parts(options):
        if is_dataclass(value) or isinstance(value, tuple):
            found |= {f"{name}.{path}": number for path, number in numbers_of(value).items()}
        elif isinstance(value, int | float) and not isinstance(value, bool) and value != 0 and name not in _STRUCTURE:
            found[name] = value
    return found


def with_numbers(options: T, numbers: Mapping[str, Any]) -> T:
    """Replaces the numbers of options, by path; a replacement may be an array."""
    changed = {}
    for name, value in _parts(options):
        own = {path.removeprefix(f"{name}."): number for path, number in numbers.items() if path.startswith(f"{name}.")}
        if name in numbers:
            changed[name] = numbers[name]
        elif own:
            changed[name] = with_numbers(value, own)
    if isinstance(options, tuple):
        return tuple(changed.get(name, value) for name, value in _parts(options))  # type: ignore[return-value]
    return replace(options, **changed)  # type: ignore[type-var]


def _parts(options: Any) -> list[tuple[str, Any]]:
    if isinstance(options, Duration):
        return []
    if isinstance(options, tuple):
        return [(str(index), value) for index, value in enumerate(options)]
    return [(field.name, getattr(options, field.name)) for field in fields(options)]
