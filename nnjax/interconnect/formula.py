"""A formula with its source and range, and a figure: a number with the formula and the inputs that gave it.

    rate = figure("TCP's rate", "mathis", mss=1448, rtt=0.02, loss=0.001, acks=2)
    rate.value, rate.unit              # 15.86e6, "bit/s"
    rate.outside                       # () : all inputs lie in the formula's range
    FORMULAS["mathis"].source          # "Mathis, Semke, …"

`nnjax.interconnect.catalogue` has the formulas; `docs/network-models.md` lists them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nnjax.config.types import Bounds

Relation = tuple[str, Callable[[Mapping[str, float]], bool]]


@dataclass(frozen=True)
class Input:
    """An input of a formula.

    Attributes:
        unit: "s", "bytes", "bit/s", …; empty for a plain number.
        bounds: the values for which the formula is valid; others are computed, and named in `Figure.outside`.
    """

    unit: str
    bounds: Bounds


@dataclass(frozen=True)
class Formula:
    """A formula that can be computed.

    Attributes:
        name: its key in `FORMULAS`.
        text: the formula, with the names of its inputs.
        source: paper, standard or documentation; "derived here" with the reason otherwise.
        validity: what it takes for granted, in words.
        unit: of the result; empty for a plain number.
        inputs: by the names of the function's arguments.
        function: computes it.
        relations: between inputs, in words, with what tests them; the formula is valid where all hold.
    """

    name: str
    text: str
    source: str
    validity: str
    unit: str
    inputs: Mapping[str, Input]
    function: Callable[..., float] = field(repr=False, compare=False)
    relations: tuple[Relation, ...] = field(default=(), repr=False, compare=False)

    def outside(self, inputs: Mapping[str, float]) -> tuple[str, ...]:
        """Names the inputs that lie outside the range: ``("loss=0.5 must be at most 0.3",)``."""
        alone = (
            f"{name}={value:g} must be {self.inputs[name].bounds}"
            for name, value in inputs.items()
            if not self.inputs[name].bounds.contains(value)
        )
        return (*alone, *(words for words, holds in self.relations if not holds(inputs)))


@dataclass(frozen=True)
class Figure:
    """A predicted number.

    Attributes:
        name: what it is.
        value: infinite where there is no limit, as of TCP's rate without loss.
        unit: of the value; empty for a plain number or a share.
        formula: the name of its formula in `FORMULAS`.
        inputs: of the formula, by name, in the units of `Formula.inputs`.
        outside: the inputs for which the formula is not valid, in words; empty if it holds.
    """

    name: str
    value: float
    unit: str
    formula: str
    inputs: Mapping[str, float]
    outside: tuple[str, ...] = ()


ANY = Input("", Bounds(at_least=0))
AT_LEAST_ONE = Input("", Bounds(at_least=1))
BYTES = Input("bytes", ANY.bounds)
DEVICES = Input("devices", AT_LEAST_ONE.bounds)
RATE = Input("bit/s", Bounds(above=0))
SECONDS = Input("s", ANY.bounds)
SHARE = Input("", Bounds(at_least=0, at_most=1))


def up_to(limit: float) -> Input:
    """A probability for which a formula is valid up to `limit`."""
    return Input("", Bounds(at_least=0, at_most=limit))


def formula(
    function: Callable[..., float],
    text: str,
    source: str,
    validity: str,
    unit: str,
    *,
    name: str = "",
    relations: tuple[Relation, ...] = (),
    **inputs: Any,
) -> Formula:
    """Makes a formula, with the function's name if none is given."""
    return Formula(name or function.__name__, text, source, validity, unit, inputs, function, relations)
