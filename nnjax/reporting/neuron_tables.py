"""The tables of `experiments.neuron`: one row an operation, in symbols, with numbers, and the result.

relu = ActivationRow("relu", Result("max(0, z)", "max(0, 0.62)", 0.62), Result("1 if z > 0, else 0", "1, as 0.62 > 0", 1.0))
console.print(neuron_table([(0.2, 0.1, 0.02), (1.0, 0.6, 0.6)], z=0.62, activation=relu))
console.print(activations_table(0.62, [relu, tanh]))
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.table import Table

from nnjax.reporting.text import number_text


@dataclass(frozen=True)
class Result:
    """An operation and its result.

    Attributes:
        formula: in symbols.
        numbers: the formula with numbers.
        value: the result.
    """

    formula: str
    numbers: str
    value: float


@dataclass(frozen=True)
class ActivationRow:
    """An activation at one z.

    Attributes:
        name: the activation's name.
        output: f(z).
        derivative: f′(z).
    """

    name: str
    output: Result
    derivative: Result


def neuron_table(terms: Sequence[tuple[float, float, float]], z: float, activation: ActivationRow) -> Table:
    """The neuron from its inputs to its output, and the derivative at z.

    Args:
        terms: (input, weight, product) for each input, and last for the bias with input 1; empty if z was given.
        z: the sum of the products.
        activation: the neuron's, at z.
    """
    products = [product for _, _, product in terms]
    sums = [*products, z] if terms else []
    shown = iter(_aligned([*sums, activation.output.value, activation.derivative.value]))
    table = _table("", "formula", "with numbers", "value")
    for number, (value, weight, _) in enumerate(terms[:-1], start=1):
        numbers = f"{number_text(value)} × {_factor(weight)}"
        table.add_row(f"input {number}", f"x{number} × w{number}", numbers, next(shown))
    if terms:
        table.add_row("bias", "1.0 × w0", f"1.0 × {_factor(terms[-1][1])}", next(shown), end_section=True)
        table.add_row("z", "the sum of these", " + ".join(map(_factor, products)), next(shown), style="bold", end_section=True)
    for sign, result, style in (("", activation.output, "bold"), ("′", activation.derivative, "")):
        table.add_row(f"{activation.name}{sign}(z)", result.formula, result.numbers, next(shown), style=style)
    return table


def bias_table(bias: float, without: ActivationRow, with_bias: ActivationRow) -> Table:
    """A neuron's output for inputs of 0, without and with its bias."""
    table = _table("all inputs 0", "z", f"{with_bias.name}(z)")
    zs, values = _aligned([0.0, bias]), _aligned([without.output.value, with_bias.output.value])
    table.add_row("without the bias", zs[0], values[0])
    table.add_row("with the bias", zs[1], values[1], style="bold")
    return table


def activations_table(z: float, rows: Sequence[ActivationRow]) -> Table:
    """Activations side by side at the same z."""
    table = _table(f"at z = {number_text(z)}", "formula", "value", "derivative")
    values = _aligned([row.output.value for row in rows])
    derivatives = _aligned([row.derivative.value for row in rows])
    for row, value, derivative in zip(rows, values, derivatives, strict=True):
        table.add_row(row.name, row.output.formula, value, derivative)
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, overflow="fold")
    return table


def _aligned(values: Sequence[float]) -> list[str]:
    """Numbers for a column, aligned at the decimal point."""
    texts = [number_text(value) for value in values]
    before = [len(text.partition(".")[0]) for text in texts]
    return [" " * (max(before) - length) + text for text, length in zip(texts, before, strict=True)]


def _factor(value: float) -> str:
    text = number_text(value)
    return f"({text})" if text.startswith("−") else text
