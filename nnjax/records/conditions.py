"""Conditions on runs, as a person writes them: ``status=completed``, ``test_accuracy>0.98``, ``model!=cnn``, ``name~digits``.

conditions = [parse_condition(text) for text in ("model=cnn,fnn", "test_accuracy>98%")]
[facts for facts in rows if all(condition.holds(facts) for condition in conditions)]
"""

import operator
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal, TypeGuard, get_args

from nnjax.config.diagnostics import show
from nnjax.config.errors import ConfigError
from nnjax.config.types import MemorySize

Operator = Literal["=", "!=", "<", "<=", ">", ">=", "~"]

_CONDITION = re.compile(r"\s*([A-Za-z_][\w.-]*)\s*(!=|<=|>=|==|=|<|>|~)\s*(.*?)\s*", re.DOTALL)
_NUMBER = re.compile(r"([+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([A-Za-z]*|%)")
_DATE = re.compile(r"\d{4}-\d\d(-\d\d([ T]\d\d(:\d\d(:\d\d)?)?)?)?")
_COMMA = re.compile(r",(?![^\[]*\])")  # outside of brackets

_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True)
class Condition:
    """One condition on a run's facts.

    Attributes:
        key: name of a fact.
        operator: ``=`` and ``!=`` compare with each of the values, which may be patterns (`*`, `?`); ``~`` holds if the text of
            the fact contains the value, in upper or lower case; the others compare numbers, or dates. A date is all of its day,
            so that nothing on that day is before or after it.
        values: what it is compared with; one for all operators but ``=`` and ``!=``.
    """

    key: str
    operator: Operator
    values: tuple[str, ...]

    def holds(self, facts: Mapping[str, Any]) -> bool:
        """Whether a run meets the condition; one that lacks the fact meets only ``!=VALUE`` and ``=null``."""
        fact = facts.get(self.key)
        if self.operator == "=":
            return any(_equals(fact, value, units="." in self.key) for value in self.values)
        if self.operator == "!=":
            return not any(_equals(fact, value, units="." in self.key) for value in self.values)
        if fact is None:
            return False
        if self.operator == "~":
            return any(self.values[0].lower() in str(text).lower() for text in (fact if isinstance(fact, list) else [fact]))
        pair = _comparable(fact, self.values[0])
        return pair is not None and _ORDERS[self.operator](*pair)

    def fits(self, fact: object) -> bool:
        """Whether a fact, not None, is of a kind that can meet the condition: 9.0 is neither `>5s` nor `=5s`."""
        if self.operator in _ORDERS:
            return _comparable(fact, self.values[0]) is not None
        has_unit = (quantity[0] not in ("", "%") for value in self.values if (quantity := _quantity(value)))
        return self.operator == "~" or not _is_number(fact) or not any(has_unit)

    def __str__(self) -> str:
        """As `parse_condition` reads it."""
        return f"{self.key}{self.operator}{','.join(self.values)}"


def is_condition(text: str) -> bool:
    """Whether a word of a command line is a condition."""
    return _CONDITION.fullmatch(text) is not None


def parse_condition(text: str) -> Condition:
    """Reads a condition.

    Raises:
        ConfigError: if it is none, or asks for an order of something that is neither number nor date, or for an accuracy
            above 1.
    """
    match = _CONDITION.fullmatch(text)
    if match is None:
        allowed = " ".join(get_args(Operator))
        raise ConfigError(f"where={text}: must be a key, one of {allowed} and a value, such as 'test_accuracy>0.98'")
    key, found, value = match[1], match[2].replace("==", "="), match[3]
    if value == "" and found not in ("=", "!="):
        raise ConfigError(f"where={text}: the value is missing")
    if found in _ORDERS and not (_NUMBER.fullmatch(value) or _DATE.fullmatch(value)):
        raise ConfigError(f"where={text}: {value} must be a number (0.98, 98%, 5epochs) or a date (2026-11-23)")
    if key.endswith("_accuracy") and found != "~" and (_number(value) or 0) > 1:  # no run would ever meet it
        raise ConfigError(f"where={text}: an accuracy is a share, from 0 to 1; {value} per cent is {value}%")
    values = tuple(part.strip() for part in _COMMA.split(value)) if found in ("=", "!=") else (value,)
    return Condition(key, found, values)  # type: ignore[arg-type]


def _equals(fact: Any, value: str, *, units: bool) -> bool:
    """Whether a fact is what a person wrote, also with another form of its unit; a list also if one of its items is."""
    if isinstance(fact, list):
        return any(_equals(item, value, units=units) for item in fact) or show(fact) == value.replace(" ", "")
    if fact is None or isinstance(fact, bool):
        return show(fact) == value.lower()
    if _is_number(fact):
        return _number(value) == fact or _percent(value) == fact
    text = str(fact)
    if _DATE.fullmatch(value) and _DATE.match(text):  # a date is all of its day, a month all of its days
        return text.startswith(value.replace("T", " "))
    quantity = _quantity(value) if units else None
    if quantity and quantity[0] and _quantity(text) == quantity:  # 1epochs is 1epoch
        return True
    return text == value or fnmatchcase(text, value)  # a name may hold brackets


def _comparable(fact: object, value: str) -> tuple[Any, Any] | None:
    """Both sides of an order: numbers, numbers of the same unit, or dates as text; None if they have none."""
    if _is_number(fact):
        number = _percent(value) if value.endswith("%") else _number(value)
        return (float(fact), number) if number is not None and abs(fact) < 2**1000 else None
    if not isinstance(fact, str):
        return None
    one, other = _quantity(fact), _quantity(value)
    if one and other:
        return (one[1], other[1]) if one[0] == other[0] else None
    return (fact[: len(value)], value.replace("T", " ")) if _DATE.match(fact) and _DATE.fullmatch(value) else None


def _is_number(fact: object) -> TypeGuard[int | float]:
    return isinstance(fact, int | float) and not isinstance(fact, bool)


def _quantity(text: str) -> tuple[str, float] | None:
    """The unit and the number of a text such as 5epochs, or bytes of a size such as 12GB; None for other texts."""
    with suppress(ValueError):
        return "bytes", MemorySize.parse(text).bytes
    match = _NUMBER.fullmatch(text)
    number = _number(match[1]) if match else None
    if match is None or number is None:
        return None
    unit = match[2].lower()
    return unit.removesuffix("s") or unit, number


def _number(text: str) -> float | None:
    try:
        return float(text)
    except (ValueError, OverflowError):
        return None


def _percent(text: str) -> float | None:
    number = _number(text[:-1]) if text.endswith("%") else None
    return None if number is None else number / 100
