"""A number with a bound on its error: how far an answer may be off if every step before it was rounded.

a, b = Bounded(0.5), Bounded(0.3333, 0.00005)
total([product(a, b), a])            # Bounded(0.66665, 0.000025)

Each function propagates a bound that holds exactly, not to first order.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from nnjax.config.options import ELU, Activation, LeakyReLU

_SAME = 1e-9  # of a unit: a number this near to a multiple of the unit is one, apart from float64's rounding


@dataclass(frozen=True)
class Bounded:
    """A value, and the largest distance of what a person computes for it."""

    value: float
    error: float = 0.0


Keep = Callable[[Bounded], Bounded]
"""What happens to each answer before it is used."""


def exactly(found: Bounded) -> Bounded:
    """Keeps an answer as it is."""
    return found


def rounded(places: int) -> Keep:
    """Rounds each answer as a person does: half up, away from zero."""

    def keep(found: Bounded) -> Bounded:
        return Bounded(round_half_up(found.value, places))

    return keep


def within(places: int) -> Keep:
    """Keeps the exact value, and adds what rounding to `places` decimals can change."""
    unit = 10.0**-places

    def keep(found: Bounded) -> Bounded:
        multiple = found.value / unit
        if found.error == 0 and abs(multiple - round(multiple)) < _SAME * max(1.0, abs(multiple)):
            return found
        return Bounded(found.value, found.error + unit / 2)

    return keep


def round_half_up(value: float, places: int) -> float:
    """Rounds to decimals; 0.30000000000000004 counts as 0.3, so that its tie is one."""
    tidy = Decimal(f"{value:.12g}")
    return float(tidy.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)) + 0.0


def product(one: Bounded, other: Bounded) -> Bounded:
    """The product of two numbers."""
    error = abs(one.value) * other.error + abs(other.value) * one.error + one.error * other.error
    return Bounded(one.value * other.value, error)


def total(terms: Sequence[Bounded]) -> Bounded:
    """The sum of numbers."""
    return Bounded(sum(term.value for term in terms), sum(term.error for term in terms))


def scaled(factor: float, found: Bounded) -> Bounded:
    """A number times an exact factor."""
    return Bounded(factor * found.value, abs(factor) * found.error)


def _sigmoid(z: float) -> float:
    return 0.5 * (1 + math.tanh(z / 2))


def _normal(z: float) -> float:
    return 0.5 * (1 + math.erf(z / math.sqrt(2)))


def value_of(activation: Activation, z: Bounded) -> Bounded:
    """f(z); the caller keeps z away from a kink at 0 by more than its error."""
    v, e = z.value, z.error
    match activation:
        case LeakyReLU(negative_slope=slope):
            return z if v >= 0 else scaled(slope, z)
        case ELU(alpha=alpha):
            return z if v > 0 else Bounded(alpha * (math.exp(v) - 1), alpha * math.exp(v + e) * e)
    match activation.name:
        case "relu":
            return z if v > 0 else Bounded(0.0)
        case "tanh":
            return Bounded(math.tanh(v), e)
        case "sigmoid":
            return Bounded(_sigmoid(v), e / 4)
        case "gelu":
            return Bounded(v * _normal(v), 1.13 * e)  # the largest |f′| is 1.129
        case "silu":
            return Bounded(v * _sigmoid(v), 1.1 * e)  # the largest |f′| is 1.0999
        case "softplus":
            return Bounded(max(v, 0.0) + math.log1p(math.exp(-abs(v))), e)
    return z  # identity


def slope_of(activation: Activation, z: Bounded, y: Bounded) -> Bounded:
    """f′(z), from z or y as the trace's formulas write it."""
    v, e = z.value, z.error
    match activation:
        case LeakyReLU(negative_slope=slope):
            return Bounded(1.0 if v >= 0 else slope)
        case ELU(alpha=alpha):
            return Bounded(1.0) if v > 0 else Bounded(alpha * math.exp(v), alpha * math.exp(v + e) * e)
    match activation.name:
        case "relu":
            return Bounded(1.0 if v > 0 else 0.0)
        case "tanh":
            return Bounded(1 - y.value**2, 2 * abs(y.value) * y.error + y.error**2)
        case "sigmoid":
            return Bounded(y.value * (1 - y.value), abs(1 - 2 * y.value) * y.error + y.error**2)
        case "gelu":
            density = math.exp(-(v**2) / 2) / math.sqrt(2 * math.pi)
            return Bounded(_normal(v) + v * density, 0.8 * e)  # the largest |f″| is 0.798
        case "silu":
            share, rest = _sigmoid(v), 1 + v - y.value
            # (1 + z − y) · σ(z), where σ changes by at most e/4 and the bracket by at most e + the error of y
            bracket = e + y.error
            return Bounded(rest * share, share * bracket + abs(rest) * e / 4 + bracket * e / 4)
        case "softplus":
            return Bounded(_sigmoid(v), e / 4)
    return Bounded(1.0)  # identity
