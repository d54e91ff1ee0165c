"""The wording of a config's problems: key and value, what would be right, and where the value was set.

problem = Problem("optimizer.learning_rate", -1, "must be a number greater than 0")
raise_problems([problem], origins)
# ConfigError: optimizer.learning_rate=-1: must be a number greater than 0 (set on the command line)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from nnjax.config.errors import ConfigError
from nnjax.config.shell import shell_text

MISSING: Final = object()
"""The value of a key that is not there."""

_LONGEST_VALUE = 60
_MOST_OTHERS = 20


class Origins(Protocol):
    """Where the values of a config were set."""

    def describe(self, key: str) -> str | None:
        """Returns where a key was set: ``"conf/optimizer/adam.yaml:3"``, ``"the command line"``; None if unknown.

        For a group, this is where its option was chosen; for an item that was not set by itself, where its list was set.
        """


class _NoOrigins:
    def describe(self, key: str) -> str | None:
        return None


NO_ORIGINS: Final[Origins] = _NoOrigins()
"""Knows nothing: for configs that were not read from files."""


@dataclass(frozen=True)
class Problem:
    """A fault of one value.

    Attributes:
        key: the dotted key; items of a list are counted from 0, as on the command line: ``model.blocks.0.pool``.
        value: its value; MISSING if the key is absent.
        reason: what is wrong, and what would be right.
        help: further lines, shown if this is the first problem.
    """

    key: str
    value: object
    reason: str
    help: tuple[str, ...] = ()

    def line(self, origins: Origins) -> str:
        """Returns the problem as one self-contained line."""
        place = origins.describe(self.key)
        if self.value is MISSING:
            return f"{self.key}: missing; {self.reason}{f' (see {place})' if place else ''}"
        where = f" (set {'on' if place == 'the command line' else 'in'} {place})" if place else ""
        return f"{self.key}={show(self.value)}: {self.reason}{where}"


def raise_problems(problems: Sequence[Problem], origins: Origins, error: type[ConfigError] = ConfigError) -> None:
    """Raises one error for all problems, if there are any: the first one, its help, then the others.

    Raises:
        ConfigError: of the type `error`.
    """
    if problems:
        first, *others = problems
        lines = [*first.help, *(f"also: {problem.line(origins)}" for problem in others[:_MOST_OTHERS])]
        if len(others) > _MOST_OTHERS:
            lines.append(f"and {len(others) - _MOST_OTHERS} more")
        raise error("\n  ".join([first.line(origins), *lines]))


def show(value: object) -> str:
    """Writes a plain value as in an override, in one line, shortened if it is long."""
    text = _write(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def count(number: int, noun: str) -> str:
    """``"1 input"``, ``"3 inputs"``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _write(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case list() | tuple():
            return f"[{','.join(map(_write, value))}]"
        case Mapping():
            return f"{{{','.join(f'{key}:{_write(item)}' for key, item in value.items())}}}"
        case _:
            return shell_text(" ".join(str(value).split()))
