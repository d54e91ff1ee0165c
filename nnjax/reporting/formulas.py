"""The formulas of the activations, in symbols and with a number in the place of z.

written = formula(default_activation("tanh"))
written.value                                      # "(e^z − e^−z) / (e^z + e^−z)"
substitute(written.derivative, z=3.02, value=0.995248)          # "1 − 0.995248²"
"""

import re
from dataclasses import dataclass

from nnjax.config.options import ELU, Activation, LeakyReLU, PlainActivation, PlainActivationName
from nnjax.reporting.text import number_text


@dataclass(frozen=True)
class Formula:
    """An activation f(z) and its derivative f′(z), as text in z and, where that is shorter, f."""

    value: str
    derivative: str


_LOGISTIC = "1 / (1 + e^−z)"
_NORMAL = "½ · (1 + erf(z / √2))"
_PLAIN: dict[PlainActivationName, Formula] = {
    "relu": Formula("max(z, 0)", "1 for z > 0, else 0"),
    "tanh": Formula("(e^z − e^−z) / (e^z + e^−z)", "1 − f²"),
    "sigmoid": Formula(_LOGISTIC, "f · (1 − f)"),
    "gelu": Formula(f"z · {_NORMAL}", f"{_NORMAL} + z · e^(−½ · z²) / √(2 · π)"),
    "silu": Formula("z / (1 + e^−z)", "(1 + z − f) / (1 + e^−z)"),
    "softplus": Formula("ln(1 + e^z)", _LOGISTIC),
    "identity": Formula("z", "1"),
}


def formula(config: Activation) -> Formula:
    """How an activation is written, with the slope or alpha of its config."""
    match config:
        case LeakyReLU(negative_slope=slope):
            return Formula(f"z for z ≥ 0, else {number_text(slope)} · z", f"1 for z ≥ 0, else {number_text(slope)}")
        case ELU(alpha=alpha):
            return Formula(
                f"z for z > 0, else {number_text(alpha)} · (e^z − 1)", f"1 for z > 0, else {number_text(alpha)} · e^z"
            )
        case PlainActivation(name=name):
            return _PLAIN[name]


def substitute(text: str, z: float, value: float) -> str:
    """A formula with numbers for its symbols; of one with two cases, the case that holds and why.

    Args:
        text: a formula in z and f.
        z: what stands for z.
        value: what stands for f, which is f(z).
    """
    if cases := re.fullmatch("(.+) for z ([≥>]) 0, else (.+)", text):
        positive, sign, negative = cases.groups()
        if z > 0 or (z == 0 and sign == "≥"):
            return f"{substitute(positive, z, value)}, as {number_text(z)} {sign} 0"
        return f"{substitute(negative, z, value)}, as {number_text(z)} {'<' if sign == '≥' else '≤'} 0"
    text = text.replace("^−z", f"^{number_text(-z)}").replace("^z", f"^{number_text(z)}")
    for symbol, number in (("z", z), ("f", value)):
        # A negative number needs no brackets where a formula or a bracket begins with it, unless it is squared.
        text = re.sub(rf"(^|\()?(?<![a-z]){symbol}(?![a-z])(²?)", _Written(number), text)
    return text.replace("·", "×")


@dataclass(frozen=True)
class _Written:
    """Writes a number in the place of a symbol that a pattern found."""

    number: float

    def __call__(self, match: re.Match[str]) -> str:
        before, square = match[1], match[2]
        text = number_text(self.number)
        if text.startswith("−") and (before is None or square):
            text = f"({text})"
        return f"{before or ''}{text}{square}"
