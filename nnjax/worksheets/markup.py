"""Sub- and superscripts of a trace's formulas: "w_a1", "x1", "e^−z_a" as pieces, HTML and matplotlib's mathtext.

pieces("e^−z_a × x1")        # [Piece("e"), Piece("−z", "sup"), Piece("a", "supsub"), Piece(" × x"), Piece("1", "sub")]
to_html("w_a1")              # "w<sub>a1</sub>"
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Place = Literal["", "sub", "sup", "supsub"]

# a letter, perhaps with ∂ or Δ before it, an underscore and an index; or an input: x and its number
_INDEXED = re.compile(r"(?<![A-Za-z0-9_])([∂Δ]?[^\W\d_])_([A-Za-z0-9]+(?:[.,][0-9]+)*)|(?<![A-Za-z0-9_])(x)([0-9]+)")
_POWER = re.compile(r"(?<![A-Za-z0-9_])e\^")
_SIMPLE = re.compile(r"−?[A-Za-z0-9_.]+")


@dataclass(frozen=True)
class Piece:
    """A part of a formula, and where it stands; "supsub" is the index of a superscript."""

    text: str
    place: Place = ""


def pieces(text: str) -> list[Piece]:
    """Splits a formula into its pieces."""
    return [piece for piece in _pieces(text) if piece.text]


def _pieces(text: str) -> Iterator[Piece]:
    end = 0
    for match in _POWER.finditer(text):
        if match.start() < end:  # inside the exponent before
            continue
        yield from _indexed(text[end : match.end() - 1], "", "sub")
        end = _end_of_exponent(text, match.end())
        yield from _indexed(text[match.end() : end], "sup", "supsub")
    yield from _indexed(text[end:], "", "sub")


def _indexed(text: str, place: Place, index: Place) -> Iterator[Piece]:
    end = 0
    for match in _INDEXED.finditer(text):
        letter, name, x, digits = match.groups()
        yield Piece(text[end : match.start()] + (letter or x), place)
        yield Piece(name or digits, index)
        end = match.end()
    yield Piece(text[end:], place)


def _end_of_exponent(text: str, start: int) -> int:
    """Where an exponent ends: at its closing bracket, or after one number or symbol."""
    if text[start : start + 1] != "(":
        match = _SIMPLE.match(text, start)
        return match.end() if match else start
    depth = 0
    for place in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if depth == 0:
            return place + 1
    return len(text)


def to_html(text: str) -> str:
    """A formula as HTML; everything else in it is escaped."""
    found, inside = "", False
    for piece in pieces(text):
        is_above = piece.place in ("sup", "supsub")
        if is_above != inside:
            found += "<sup>" if is_above else "</sup>"
            inside = is_above
        escaped = html.escape(piece.text)
        found += f"<sub>{escaped}</sub>" if piece.place in ("sub", "supsub") else escaped
    return found + ("</sup>" if inside else "")


def to_words(text: str) -> list[str]:
    """A formula as words between which a line may break, each in mathtext where it has an index or a power."""
    words: list[list[Piece]] = [[]]
    for piece in pieces(text):
        first, *others = piece.text.split(" ")
        words[-1].append(Piece(first, piece.place))
        for other in others:
            # an exponent in brackets is one word: its formula would not survive a break
            if piece.place in ("sup", "supsub"):
                words[-1].append(Piece(f" {other}", piece.place))
            else:
                words.append([Piece(other, piece.place)])
    return [_mathtext(word) for word in words if any(piece.text for piece in word)]


def _mathtext(word: list[Piece]) -> str:
    if all(not piece.place for piece in word):
        return "".join(piece.text for piece in word)
    found, inside = "", False
    for piece in word:
        is_above = piece.place in ("sup", "supsub")
        if is_above != inside:
            found += "^{" if is_above else "}"
            inside = is_above
        escaped = re.sub(r"([\\{}$%#&_^])", r"\\\1", piece.text).replace(" ", r"\ ").replace("′", r"{\prime}")
        found += f"_{{{escaped}}}" if piece.place in ("sub", "supsub") else escaped
    return rf"$\mathregular{{{found}{'}' if inside else ''}}}$"
