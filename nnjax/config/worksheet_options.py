"""The config of `experiments.worksheet`, in a module of its own because `schema` is long enough.

config = parse(WorksheetConfig, values)
config.sheets, config.steps                     # 1, ("forward", "error", "backward", "adjust", "update")
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from nnjax.config.schema import TraceConfig
from nnjax.config.types import Bounds

Phase = Literal["forward", "error", "backward", "adjust", "update"]
PHASES: tuple[Phase, ...] = ("forward", "error", "backward", "adjust", "update")
"""The phases of a training step, in their order."""

Sheets = Annotated[int, Bounds(at_least=1, at_most=100)]
Places = Annotated[int, Bounds(at_least=3, at_most=8)]


@dataclass(frozen=True, kw_only=True)
class WorksheetConfig(TraceConfig):
    """`python -m experiments.worksheet`: printable exercises with fresh numbers, and worked answers.

    The numbers in `data` and `model` give the shape only: inputs, targets, weights and biases are drawn anew from `seed`.
    `iterations` training steps are asked for.

    Attributes:
        sheets: number of variants, with the seeds `seed`, `seed` + 1, …
        steps: the phases to work out; the phases before the last of them are printed with their values.
        decimals: of the drawn numbers.
        round_to: decimals to which every answer is rounded before it is used.
        formulas: print the formula beside each blank.
        dead_neurons: draw a hidden relu neuron that is dead in the first step (z ≤ 0 for every example); false draws none.
        format: of the files; `html` prints from a browser, `pdf` is drawn by matplotlib.
        paper: its size.
        answers: in the same file on pages of their own, or in a separate one.
    """

    sheets: Sheets
    steps: tuple[Phase, ...]
    decimals: Literal[1, 2]
    round_to: Places
    formulas: bool
    dead_neurons: bool
    format: Literal["html", "pdf"]
    paper: Literal["a4", "letter"]
    answers: Literal["together", "separate"]
