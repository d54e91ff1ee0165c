"""How the quantities of a trace are called and written: neurons a, b, c, weights w_a1, numbers and sums.

neuron_names([4, 4, 1])       # [["a", "b", "c", "d"], ["e", "f", "g", "h"], ["i"]]
weight_symbol("a", 0)         # "w_a0", the bias weight
sum_text([0.02, -0.1])        # "0.02 − 0.1"
"""

from collections.abc import Sequence
from string import ascii_lowercase
from typing import Any

Row = dict[str, Any]

_MOST_TERMS = 6  # a longer sum is written with its first terms, … and its last one


def number(value: float) -> str:
    """Ten decimals at most, seven significant digits of what is small: rounding, as in 0.30000000000000004, does not show."""
    text = f"{value:.7g}" if abs(value) < 1e-3 else f"{round(value, 10):.11g}"
    return text.replace("-", "−") if value else "0"


def operand(value: float) -> str:
    """A number as a factor: in brackets where it is negative."""
    return bracketed(number(value))


def bracketed(text: str) -> str:
    """A number's text where it is a factor or follows a sign: in brackets where it is negative."""
    return f"({text})" if text.startswith("−") else text


def squared(text: str) -> str:
    """A number's text with ²: in brackets where it is negative or has an exponent."""
    return f"({text})²" if text.startswith("−") or "e" in text else f"{text}²"


def exponent(text: str) -> str:
    """A number's text as an exponent: in brackets where it has one itself."""
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
    """All but the first of a sum's terms, the middle left out of many."""
    return list(terms) if len(terms) < _MOST_TERMS else [*terms[: _MOST_TERMS - 3], gap, terms[-1]]


def neuron_names(sizes: Sequence[int]) -> list[list[str]]:
    """The neurons' names, layer by layer: letters as in the textbook where there are enough of them, else ``h1.3``."""
    if sum(sizes) <= len(ascii_lowercase):
        letters = iter(ascii_lowercase)
        return [[next(letters) for _ in range(size)] for size in sizes]
    return [[f"h{layer}.{place}" for place in range(1, size + 1)] for layer, size in enumerate(sizes, start=1)]


def weight_symbol(neuron: str, place: int) -> str:
    """The weight of a neuron for its input of that number, counted from 1; 0 is the bias input: ``w_a1``, ``w_h1.3,12``."""
    return f"w_{neuron}{',' if '.' in neuron else ''}{place}"


def row(at: Row, place: int | None, quantity: str, symbol: str, f: str, numbers: str, value: float) -> Row:
    """A row of a trace.

    Args:
        at: what says where it belongs: example, phase, layer, neuron.
        place: number of the input, where it is about one.
        quantity: what kind of number it is.
        symbol: what it is called.
        f: its formula.
        numbers: the formula with numbers in the place of symbols.
        value: what that comes to.
    """
    written = {"symbol": symbol, "formula": f, "numbers": numbers, "value": tidy(value)}
    return {**at, "input": place, "quantity": quantity, **written}


def tidy(value: float) -> float:
    """15 significant digits: 0.30000000000000004, which is rounding, becomes 0.3."""
    return float(f"{value:.15g}")
