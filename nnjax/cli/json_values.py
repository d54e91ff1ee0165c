"""Translates pasted JSON values into Hydra's grammar, whose keys have no quotes.

    from_json('model.layers=[{"size": 2, "bias": true}]', reads)      # "model.layers=[{size:2,bias:true}]"

Only overrides that Hydra cannot read are translated, and only if all of the value is JSON; the values stay exactly the same.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from nnjax.cli.hydra_internals import Quote, QuotedString
from nnjax.config.stored_files import with_unique_keys

_KEY = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)
_QUOTED = re.compile(r"""(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')(?P<colon>\s*:)?""")
_WORDS = {"True": "true", "False": "false", "None": "null"}


def from_json(text: str, reads: Callable[[str], bool]) -> str:
    """Returns an override whose value, or whose every value of a sweep, is JSON, in Hydra's grammar.

    Args:
        text: ``key=value``; returned unchanged if Hydra reads it, or if it is no JSON.
        reads: whether Hydra reads an override.
    """
    key, equals, value = text.partition("=")
    if not equals or '"' not in value or reads(text):
        return text
    try:
        written = ",".join(map(as_hydra, _values(value)))
    except ValueError:
        return text
    return f"{key}={written}"


def corrected(text: str, reads: Callable[[str], bool]) -> str | None:
    """Returns an override without the quotes around its keys; None if it has none, or if Hydra cannot read the result."""
    key, equals, value = text.partition("=")
    bare = _QUOTED.sub(_bare_key, value)
    if bare == value or not equals:
        return None
    pieces = re.split(r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""", bare)
    pieces[::2] = [re.sub(r"\b(True|False|None)\b", lambda match: _WORDS[match[1]], piece) for piece in pieces[::2]]
    fixed = f"{key}={''.join(pieces)}"
    return fixed if reads(fixed) else None


def _bare_key(match: re.Match[str]) -> str:
    name = match["text"][1:-1]
    return f"{name}{match['colon']}" if match["colon"] and _KEY.fullmatch(name) else match[0]


def _values(text: str) -> list[Any]:
    """The JSON values of a text, with commas between them.

    Raises:
        ValueError: if it holds anything else, or a key twice.
    """
    decoder = json.JSONDecoder(object_pairs_hook=with_unique_keys)
    found, place = [], 0
    while True:
        place += len(text[place:]) - len(text[place:].lstrip())
        value, place = decoder.raw_decode(text, place)
        found.append(value)
        rest = text[place:].lstrip()
        if not rest:
            return found
        if rest[0] != ",":
            raise ValueError(f"no JSON at {rest}")
        place = len(text) - len(rest) + 1


def reads_as_number(text: str) -> bool:
    """Whether Hydra, and a spreadsheet, would read a text as a number, such as the file name 1e5."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def as_hydra(value: Any) -> str:
    """Returns a value of JSON in Hydra's grammar.

    Raises:
        ValueError: for a key that needs quotes there.
    """
    match value:
        case dict():
            if not all(map(_KEY.fullmatch, value)) or {"null", "true", "false", "nan", "inf"} & {key.lower() for key in value}:
                raise ValueError("a key that only quotes make one")
            return f"{{{','.join(f'{key}:{as_hydra(item)}' for key, item in value.items())}}}"
        case list():
            return f"[{','.join(map(as_hydra, value))}]"
        case str():
            return QuotedString(value, Quote.double if "'" in value else Quote.single).with_quotes()
        case float():
            return repr(value)
        case _:
            return json.dumps(value)
