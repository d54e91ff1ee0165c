"""Notation of a trace: numbers, sums and rows; the names of neurons and weights are in `nnjax.config.neuron_names`.

sum_text([0.02, -0.1])        # "0.02 − 0.1"
"""

from collections.abc import Sequence
from typing import Any

Row = dict[str, Any]

_MAX_TERMS = 6  # a longer sum shows its first terms, … and its last one


def number(value: float) -> str:
    """At most ten decimals, or seven significant digits below 0.001: hides rounding such as 0.30000000000000004."""
    text = f"{value:.7g}" if abs(value) < 1e-3 else f"{round(value, 10):.11g}"
    return text.replace("-", "−") if value else "0"


def operand(value: float) -> str:
    """A number as a factor: in brackets if negative."""
    return bracketed(number(value))


def bracketed(text: str) -> str:
    """A number's text as a factor or after a sign: in brackets if negative."""
    return f"({text})" if text.startswith("−") else text


def squared(text: str) -> str:
    """A number's text with ²: in brackets if it is negative or has an exponent."""
    return f"({text})²" if text.startswith("−") or "e" in text else f"{text}²"


def exponent(text: str) -> str:
    """A number's text as an exponent: in brackets if it has an exponent itself."""
    return f"({text})" if "e" in text else text


def sum_text(values: Sequence[float]) -> str:
    """Numbers added up: "0.02 + 0.12 − 0.6"."""
    first, *others = [number(value) for value in values]
    signed = [f" − {text[1:]}" if text.startswith("−") else f" + {text}" for text in others]
    return first + "".join(_abridged(signed, " + …"))


def terms_text(terms: Sequence[str]) -> str:
    """Terms added up: "w_a1 x1 + w_a2 x2 + w_a0"."""
    first, *others = terms
    return first + "".join(_abridged([f" + {term}" for term in others], " + …"))


def _abridged(terms: Sequence[str], gap: str) -> list[str]:
    """A sum's terms after the first, with the middle of a long sum left out."""
    return list(terms) if len(terms) < _MAX_TERMS else [*terms[: _MAX_TERMS - 3], gap, terms[-1]]


def row(at: Row, place: int | None, quantity: str, symbol: str, f: str, numbers: str, value: float) -> Row:
    """A row of a trace.

    Args:
        at: the row's example, phase, layer and neuron.
        place: number of the input, for rows about one input.
        quantity: kind of the number.
        symbol: its symbol.
        f: its formula.
        numbers: the formula with numbers instead of symbols.
        value: the result.
    """
    written = {"symbol": symbol, "formula": f, "numbers": numbers, "value": tidy(value)}
    return {**at, "input": place, "quantity": quantity, **written}


def tidy(value: float) -> float:
    """Rounds to 15 significant digits: 0.30000000000000004 becomes 0.3."""
    return float(f"{value:.15g}")
