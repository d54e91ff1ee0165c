"""The tables of `experiments.neuron`: one row an operation, in symbols, in numbers, and what comes out.

relu = ActivationRow(default_activation("relu"), value=0.76, derivative=1.0)
console.print(neuron_table([(0.2, 0.1, 0.02), (1.0, 0.6, 0.6)], z=0.62, output=relu))
console.print(activations_table(0.62, [relu, tanh]))
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.table import Table

from nnjax.config.options import Activation
from nnjax.reporting.formulas import formula, substitute
from nnjax.reporting.text import number_text


@dataclass(frozen=True)
class ActivationRow:
    """An activation at one z.

    Attributes:
        config: which one.
        value: f(z).
        derivative: f′(z).
    """

    config: Activation
    value: float
    derivative: float


def neuron_table(terms: Sequence[tuple[float, float, float]], z: float, output: ActivationRow) -> Table:
    """The neuron from its inputs to its output and the derivative there.

    Args:
        terms: input, weight and product of each, the bias last, its input 1; none where z was given.
        z: the sum of the products.
        output: the neuron's activation at z.
    """
    name, written = output.config.name, formula(output.config)
    products = [product for _, _, product in terms]
    sums = [*products, z] if terms else []
    shown = iter(_aligned([*sums, output.value, output.derivative]))
    table = _table("", "formula", "with numbers", "value")
    for number, (value, weight, _) in enumerate(terms[:-1], start=1):
        numbers = f"{number_text(value)} × {_factor(weight)}"
        table.add_row(f"input {number}", f"x{number} · w{number}", numbers, next(shown))
    if terms:
        table.add_row("bias", "1.0 · w0", f"1.0 × {_factor(terms[-1][1])}", next(shown), end_section=True)
        table.add_row("z", "the sum of these", " + ".join(map(_factor, products)), next(shown), style="bold", end_section=True)
    for label, text, style in ((f"{name}(z)", written.value, "bold"), (f"{name}′(z)", written.derivative, "")):
        table.add_row(label, text, substitute(text, z, output.value), next(shown), style=style)
    return table


def bias_table(bias: float, without: ActivationRow, with_bias: ActivationRow) -> Table:
    """What a neuron says whose inputs are all 0: without its bias, and with it."""
    table = _table("all inputs 0", "z", f"{with_bias.config.name}(z)")
    zs, values = _aligned([0.0, bias]), _aligned([without.value, with_bias.value])
    table.add_row("without the bias", zs[0], values[0])
    table.add_row("with the bias", zs[1], values[1], style="bold")
    return table


def activations_table(z: float, rows: Sequence[ActivationRow]) -> Table:
    """Activations side by side, each at the same z."""
    table = _table(f"at z = {number_text(z)}", "formula", "value", "derivative")
    values = _aligned([row.value for row in rows])
    derivatives = _aligned([row.derivative for row in rows])
    for row, value, derivative in zip(rows, values, derivatives, strict=True):
        table.add_row(row.config.name, formula(row.config).value, value, derivative)
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, overflow="fold")
    return table


def _aligned(values: Sequence[float]) -> list[str]:
    """Numbers for a column, their decimal points below each other."""
    texts = [number_text(value) for value in values]
    before = [len(text.partition(".")[0]) for text in texts]
    return [" " * (max(before) - length) + text for text, length in zip(texts, before, strict=True)]


def _factor(value: float) -> str:
    text = number_text(value)
    return f"({text})" if text.startswith("−") else text
