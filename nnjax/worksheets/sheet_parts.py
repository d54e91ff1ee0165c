"""What stands on a sheet: given numbers, blanks and worked answers, in plain text; the pages lay it out.

sheet = make_sheet(config, drawn, found)             # found: of nnjax.textbook.trace
sheet.blocks[0].lines[0].answer                      # "0.2400 ± 0.0001"
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from nnjax.config.neuron_names import weight_symbol
from nnjax.config.options import ELU, Activation, LeakyReLU
from nnjax.config.worksheet_options import PHASES, Phase, WorksheetConfig
from nnjax.textbook.notation import number
from nnjax.worksheets.drawn_numbers import Drawn
from nnjax.worksheets.hand_solution import key_of, solve
from nnjax.worksheets.rounding import round_half_up, within

_TITLES: dict[Phase, str] = {
    "forward": "Forward pass",
    "error": "Error",
    "backward": "Backward pass",
    "adjust": "Adjustment of the weights",
    "update": "New weights",
}
_ERRORS = {"half_mse": "half the squared error", "mse": "the mean squared error"}
_FLOAT = 1e-6  # of a unit: float64's rounding in a tolerance


@dataclass(frozen=True)
class Line:
    """A blank with its answer.

    Attributes:
        symbol: what is asked for.
        formula: in symbols.
        numbers: the formula with numbers.
        value: carried exactly, to at most ten decimals.
        rounded: to the sheet's decimals.
        tolerance: the largest difference from `rounded` of an answer that was rounded at each step; empty if there is none.
    """

    symbol: str
    formula: str
    numbers: str
    value: str
    rounded: str
    tolerance: str

    @property
    def answer(self) -> str:
        """The rounded value with its tolerance."""
        return f"{self.rounded} ± {self.tolerance}" if self.tolerance else self.rounded


@dataclass(frozen=True)
class Block:
    """The operations of a phase.

    Attributes:
        title: of the block.
        asked: whether they are exercises; otherwise they are given.
        lines: in order.
    """

    title: str
    asked: bool
    lines: Sequence[Line]


@dataclass(frozen=True)
class Drawing:
    """The network: its columns from the inputs to the outputs, each a list of names."""

    columns: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Sheet:
    """A sheet: exercises and answers.

    Attributes:
        title: of the network and its seed.
        given: names, each with equations such as "w_a1 = 0.3".
        task: sentences about what to do.
        blocks: the phases.
        drawing: the network.
        formulas: whether the exercises show them.
    """

    title: str
    given: Sequence[tuple[str, Sequence[str]]]
    task: Sequence[str]
    blocks: Sequence[Block]
    drawing: Drawing
    formulas: bool

    @property
    def blanks(self) -> int:
        """The number of answers asked for."""
        return sum(len(block.lines) for block in self.blocks if block.asked)


def make_sheet(config: WorksheetConfig, drawn: Drawn, found: Mapping[str, Any]) -> Sheet:
    """Makes a sheet of an exercise and its trace.

    Args:
        config: the worksheet's.
        drawn: the numbers.
        found: the trace of these numbers, by `nnjax.textbook.trace.trace`.
    """
    again = f", variant {drawn.variant}" if drawn.variant > 1 else ""
    places = config.round_to
    return Sheet(
        title=f"{_network_words(config, drawn)}, sheet {drawn.seed}{again}",
        given=_given(drawn, found),
        task=(
            f"Round each answer to {places} decimals, and go on with the rounded number.",
            f"E is {_ERRORS[config.loss.name]} of an example. {_rule_words(found)}",
        ),
        blocks=_blocks(config, drawn, found["rows"]),
        drawing=Drawing([found["network"]["inputs"], *(layer["neurons"] for layer in found["network"]["layers"])]),
        formulas=config.formulas,
    )


def _network_words(config: WorksheetConfig, drawn: Drawn) -> str:
    neurons = sum(len(layer.weights) for layer in drawn.exercise.layers)
    return f"{neurons} neuron{'' if neurons == 1 else 's'}" if config.model.name != "two_neuron" else "Two neurons"


def _rule_words(found: Mapping[str, Any]) -> str:
    rule = str(found["settings"]["learning_rate_rule"]).partition(";")[0]
    return f"{rule[0].upper()}{rule[1:]}."


def _given(drawn: Drawn, found: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    exercise, rows = drawn.exercise, []
    iterations, batches = found["iterations"], dict[tuple[int, ...], list[int]]()
    for iteration in iterations:
        batches.setdefault(tuple(exercise.examples(iteration["number"])), []).append(iteration["number"])
    for places, numbers in batches.items():
        of = f" of {_iteration_words(numbers)}" if len(batches) > 1 else ""
        for example, place in enumerate(places, start=1):
            which = f", example {example}{of}" if len(places) > 1 else of
            inputs = [f"x{at} = {number(x)}" for at, x in enumerate(exercise.inputs[place], start=1)]
            rows.append((f"Inputs{which}", inputs))
            targets = zip(exercise.names[-1], exercise.targets[place], strict=True)
            rows.append(
                (f"Target{'s' if len(exercise.names[-1]) > 1 else ''}{which}", [f"t_{n} = {number(t)}" for n, t in targets])
            )
    for layer, names in zip(exercise.layers, exercise.names, strict=True):
        for at, name in enumerate(names):
            equations = [f"{weight_symbol(name, i)} = {number(w)}" for i, w in enumerate(layer.weights[at], start=1)]
            if layer.biases is not None:
                fixed = "bias" if layer.learns_biases else "bias, not learnt"
                equations.append(f"{weight_symbol(name, 0)} = {number(layer.biases[at])} ({fixed})")
            rows.append((f"Neuron {name}, {_activation_words(layer.activation)}", equations))
    rates = [number(iteration["learning_rate"]) for iteration in iterations]
    if len(set(rates)) == 1:
        rows.append(("Learning rate", [f"η = {rates[0]}"]))
    else:
        rows.append(("Learning rate", [f"η = {rate} in iteration {at}" for at, rate in enumerate(rates, start=1)]))
    return rows


def _activation_words(activation: Activation) -> str:
    """The name, and the number without which a sheet that leaves out the formulas could not be solved."""
    match activation:
        case LeakyReLU(negative_slope=slope):
            return f"{activation.name}, slope {number(slope)}"
        case ELU(alpha=alpha):
            return f"{activation.name}, α = {number(alpha)}"
        case _:
            return activation.name


def _iteration_words(numbers: Sequence[int]) -> str:
    *others, last = map(str, numbers)
    return f"iterations {', '.join(others)} and {last}" if others else f"iteration {last}"


def _blocks(config: WorksheetConfig, drawn: Drawn, rows: Sequence[Mapping[str, Any]]) -> list[Block]:
    bounds = solve(drawn.exercise, within(config.round_to))
    last = max(PHASES.index(phase) for phase in config.steps)
    found = []

    def where(row: Mapping[str, Any]) -> tuple[int, Phase, int | None]:
        return row["iteration"], row["phase"], row["example"]

    blanks = (row for row in rows if (row["quantity"], row["input"]) != ("product", 0))
    for (iteration, phase, example), group in groupby(blanks, where):
        asked = phase in config.steps
        if not asked and iteration == config.iterations and PHASES.index(phase) > last:
            continue  # nothing that is asked for needs it
        lines = [_line(row, bounds[key_of(row)].error, config.round_to) for row in group]
        title = _TITLES[phase]
        if example is not None and drawn.exercise.batch > 1:
            title += f", example {example}"
        elif phase == "error" and drawn.exercise.batch > 1:
            title += ", mean"
        if config.iterations > 1:
            title = f"Iteration {iteration}: {title}"
        found.append(Block(title, asked, lines))
    return found


def _line(row: Mapping[str, Any], error: float, places: int) -> Line:
    symbol = f"new {row['symbol']}" if row["quantity"] == "weight" else row["symbol"]
    if row["quantity"] == "product":
        symbol = row["formula"]
    rounded, tolerance = rounded_answer(row["value"], error, places)
    formula = row["formula"] if row["quantity"] != "product" else ""
    return Line(symbol, formula, row["numbers"], number(row["value"]), rounded, tolerance)


def rounded_answer(value: float, error: float, places: int) -> tuple[str, str]:
    """Returns a value rounded to decimals, and the tolerance around it; empty if rounding at each step cannot change it.

    Args:
        value: the exact value.
        error: the bound on the distance of an answer that was rounded at each step, of `nnjax.worksheets.rounding.within`.
        places: number of decimals.
    """
    rounded = round_half_up(value, places)
    # both answers are multiples of the unit, and so is their difference
    units = math.floor((error + abs(rounded - value)) * 10**places + _FLOAT) if error else 0
    return f"{rounded:.{places}f}".replace("-", "−"), f"{units / 10**places:.{places}f}" if units else ""
