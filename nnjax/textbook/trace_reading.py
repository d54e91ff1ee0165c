"""Reads parts of a `trace.json` that anybody may have written, and writes numbers and names as overrides.

Part("", trace)["settings"]["iterations"].whole()     # 2; DataError: settings.iterations: must be a whole number above 0
number_text(1e-7)                                     # "1e-07"
name_text("two words")                                # "'two words'"
"""

import math
import re
from typing import Any

from nnjax.config.errors import ConfigError, DataError
from nnjax.config.stored_files import one_line

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_READ_OTHERWISE = {"true", "false", "null", "nan", "inf"}
_BEFORE_QUOTE = re.compile(r"(\\*)'")
_AT_END = re.compile(r"\\+$")


class Part:
    """A value of the file with its place, for messages.

    Args:
        place: keys and numbers, separated by dots.
        value: as `json` read it.
    """

    def __init__(self, place: str, value: Any) -> None:
        self._place, self._value = place, value

    def __getitem__(self, key: str) -> "Part":
        found = self.get(key)
        if found is None:
            raise DataError(f"{self._at(key)}: is missing")
        return found

    def get(self, key: str) -> "Part | None":
        """The value of a key; None if it is missing or null."""
        value = self._typed(dict, "a mapping").get(key)
        return None if value is None else Part(self._at(key), value)

    def mapping(self) -> "dict[str, Part]":
        """The values by key."""
        return {key: Part(self._at(key), value) for key, value in self._typed(dict, "a mapping").items()}

    def items(self) -> "list[Part]":
        """The items of a list."""
        return [Part(self._at(str(place)), value) for place, value in enumerate(self._typed(list, "a list"))]

    def text(self) -> str:
        """A text."""
        text: str = self._typed(str, "a text")
        return text

    def truth(self) -> bool:
        """True or false."""
        truth: bool = self._typed(bool, "true or false")
        return truth

    def whole(self) -> int:
        """A whole number above 0."""
        number = self.number()
        if number < 1 or not number.is_integer():
            raise self._wrong("a whole number above 0")
        return int(number)

    def number(self) -> float:
        """A finite number."""
        if isinstance(self._value, bool) or not isinstance(self._value, int | float):
            raise self._wrong("a number")
        try:
            number = float(self._value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise self._wrong("a finite number")
        return number

    def row(self) -> list[float]:
        """A list of numbers, at least one."""
        return [item.number() for item in self.items()] or self._none("a number")

    def table(self) -> list[list[float]]:
        """Rows of numbers, equally long, at least one."""
        rows = [item.row() for item in self.items()] or self._none("a row")
        if len({len(row) for row in rows}) > 1:
            raise self._wrong("rows of one length")
        return rows

    def _none(self, what: str) -> Any:
        raise DataError(f"{self._place}: is empty; needs at least {what}")

    def _typed(self, kind: type, words: str) -> Any:
        if not isinstance(self._value, kind):
            raise self._wrong(words)
        return self._value

    def _wrong(self, words: str) -> DataError:
        return DataError(f"{self._place or 'the file'}: must be {words}; is this a trace.json?")

    def _at(self, key: str) -> str:
        shown = one_line(key)
        return f"{self._place}.{shown}" if self._place else shown


def number_text(value: float) -> str:
    """A number as Python writes it, without ".0" after a whole one."""
    return "0" if value == 0 else repr(value).removesuffix(".0")


def option_text(part: Part) -> str:
    """The name of an option, such as an activation.

    Raises:
        DataError: for a text that is no name.
    """
    name = part.text()
    if not _PLAIN.fullmatch(name):
        raise DataError(f"{one_line(name)}: must be the name of an option")
    return name


def name_text(name: str) -> str:
    """A class's name, quoted where it would be read as something else.

    Raises:
        ConfigError: for a name that overrides cannot hold.
    """
    if not name or not name.isprintable() or "${" in name:
        reason = "has ${ or letters that cannot be printed; overrides cannot hold it" if name else "is empty"
        raise ConfigError(f"classes: the name {one_line(name)!r} {reason}")
    if _PLAIN.fullmatch(name) and name.lower() not in _READ_OTHERWISE:
        return name
    escaped = _BEFORE_QUOTE.sub(r"\1\1\\'", name)  # Hydra takes a backslash for itself but before a quote
    return f"'{_AT_END.sub(lambda found: 2 * found[0], escaped)}'"
