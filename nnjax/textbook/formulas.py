"""Formulas of the activations and their derivatives, in symbols and with numbers.

tanh = default_activation("tanh")
formula(tanh, "z_a", "y_a")                                # "(e^z_a − e^−z_a) / (e^z_a + e^−z_a)"
with_numbers(tanh, 3.02, 0.995, derivative=True)           # "1 − 0.995²"
with_numbers(default_activation("relu"), 0.76, 0.76, derivative=True)     # "1, as 0.76 > 0"
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from nnjax.config.options import ELU, Activation, ActivationName, LeakyReLU
from nnjax.textbook.notation import bracketed, exponent, number, squared


@dataclass(frozen=True)
class _Formula:
    """Templates of an activation y = f(z) and its derivative f′(z).

    Placeholders: {z} alone, {(z)} as a factor or after a sign, {^z} and {^−z} as exponents, {z²} squared; the same for y; {s}
    for the slope or alpha.
    """

    value: str
    derivative: str


_FORMULAS: dict[ActivationName, _Formula] = {
    "relu": _Formula("max(0, {z})", "1 if {z} > 0, else 0"),
    "tanh": _Formula("(e^{^z} − e^{^−z}) / (e^{^z} + e^{^−z})", "1 − {y²}"),
    "sigmoid": _Formula("1 / (1 + e^{^−z})", "{y} × (1 − {y})"),
    "gelu": _Formula("½ × {(z)} × (1 + erf({z} / √2))", "½ × (1 + erf({z} / √2)) + {(z)} × e^(−½ × {z²}) / √(2 × π)"),
    "silu": _Formula("{z} / (1 + e^{^−z})", "(1 + {(z)} − {(y)}) / (1 + e^{^−z})"),
    "softplus": _Formula("ln(1 + e^{^z})", "1 / (1 + e^{^−z})"),
    "identity": _Formula("{z}", "1"),
    "leaky_relu": _Formula("max({z}, {s} × {(z)})", "1 if {z} ≥ 0, else {s}"),
    "elu": _Formula("{z} if {z} > 0, else {s} × (e^{^z} − 1)", "1 if {z} > 0, else {s} × e^{^z}"),
}
_CASES = re.compile(r"(.+) if {z} ([>≥]) 0, else (.+)")


def formula(config: Activation, z: str, y: str, *, derivative: bool = False) -> str:
    """An activation f(z), or its derivative f′(z), in symbols.

    Args:
        config: the activation.
        z: symbol of its argument.
        y: symbol of f(z), for derivatives that are shorter in f(z).
        derivative: write f′ instead of f.
    """
    symbols = {"z": z, "(z)": z, "z²": f"{z}²", "^z": z, "^−z": f"−{z}", "y": y, "(y)": y, "y²": f"{y}²"}
    return _template(config, derivative).format_map({**symbols, "s": _parameter(config)})


def with_numbers(
    config: Activation, z: float, y: float, *, derivative: bool = False, text: Callable[[float], str] = number
) -> str:
    """`formula` with numbers instead of symbols; a formula with two cases shows the case that holds, and why.

    Args:
        config: the activation.
        z: its argument.
        y: f(z).
        derivative: write f′ instead of f.
        text: formats z and y, with "−" as the minus sign.
    """
    written = {
        "z": text(z),
        "(z)": bracketed(text(z)),
        "z²": squared(text(z)),
        "^z": exponent(text(z)),
        "^−z": exponent(text(-z)),
    }
    written |= {"y": text(y), "(y)": bracketed(text(y)), "y²": squared(text(y)), "s": _parameter(config)}
    template = _template(config, derivative)
    if cases := _CASES.fullmatch(template):
        positive, sign, other = cases.groups()
        if z > 0 or (z == 0 and sign == "≥"):
            template = f"{positive}, as {{z}} {sign} 0"
        else:
            template = f"{other}, as {{z}} {'<' if sign == '≥' else '≤'} 0"
    return template.format_map(written)


def _template(config: Activation, derivative: bool) -> str:
    found = _FORMULAS[config.name]
    return found.derivative if derivative else found.value


def _parameter(config: Activation) -> str:
    match config:
        case LeakyReLU(negative_slope=parameter) | ELU(alpha=parameter):
            return number(parameter)
        case _:
            return ""
