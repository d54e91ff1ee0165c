"""The tables of `experiments.trace`: each iteration's phases, the losses, and the results of the checks.

for part in trace_tables(trace):            # the dict of trace.json
    console.print(part)
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from nnjax.checks.sparse import records_text
from nnjax.reporting.closing_texts import dead_neurons_text

MAX_ROWS = 80
"""An iteration with more rows is summarised by the ranges of its values."""

_MAX_ITERATIONS = 10
_ELSEWHERE = "trace.html and trace.csv; show=all prints them here"
_RESULTS = {"z", "y", "loss", "probability", "delta", "weight"}
_RANGES = {"z": "z", "y": "y", "delta": "δ", "gradient": "∂E/∂w", "weight": "new w"}
_LEGEND = (
    "x input, t target, y output of a neuron, E loss, δ error term ∂E/∂z, η learning rate, w_a0 weight of the bias input 1"
)

Trace = Mapping[str, Any]


def trace_tables(trace: Trace, *, show_all: bool = False) -> Iterator[RenderableType]:
    """Yields a trace's texts and tables, in order.

    Args:
        trace: the content of `trace.json`.
        show_all: whether every row of every recorded iteration is shown; otherwise the files have more.
    """
    settings = trace["settings"]
    yield Text(f"{trace['title']}, {settings['loss']}, {settings['precision']}", style="bold")
    yield Text(f"{settings['learning_rate_rule']}", style="dim")
    if settings["recorded"] < settings["iterations"]:
        yield Text(f"Recorded: {records_text(settings['recorded'], settings['iterations'], 'iterations')}")
    yield Text(_LEGEND, style="dim")
    by_iteration = {number: list(rows) for number, rows in groupby(trace["rows"], key=lambda row: row["iteration"])}
    shown = list(trace["iterations"]) if show_all else _some(trace["iterations"])
    numbers = {iteration["number"] for iteration in shown}
    left_out = [iteration["number"] for iteration in trace["iterations"] if iteration["number"] not in numbers]
    for iteration in shown:
        number = iteration["number"]
        if left_out and iteration is shown[-1]:
            span = f"iterations {left_out[0]} to {left_out[-1]}"
            which = span if len(left_out) == left_out[-1] - left_out[0] + 1 else f"{len(left_out)} of {span}"
            yield Text(f"\n… {which} are in {_ELSEWHERE}")
        yield from _iteration(iteration, by_iteration[number], settings["batch_size"], show_all=show_all)
    yield ""
    yield losses_table(trace["iterations"], show_all=show_all)
    for iteration in shown:
        for remark in iteration["remarks"]:
            yield Text(f"Iteration {iteration['number']}: {remark}", style="yellow")
    if dead := dead_neurons_text(trace):
        yield Text(dead, style="yellow")
    yield ""
    yield checks_table(trace["checks"])


def _some(iterations: Sequence[Trace]) -> list[Trace]:
    """All iterations, or the first nine and the last of more than ten."""
    return list(iterations) if len(iterations) <= _MAX_ITERATIONS else [*iterations[: _MAX_ITERATIONS - 1], iterations[-1]]


def _iteration(iteration: Trace, rows: Sequence[Trace], batch_size: int, *, show_all: bool) -> Iterator[RenderableType]:
    rate, loss = number_text(iteration["learning_rate"]), number_text(iteration["loss"])
    yield Text(f"\nIteration {iteration['number']}: learning rate {rate}, loss {loss}", style="bold")
    if len(rows) > MAX_ROWS and not show_all:
        yield _ranges_table(rows)
        yield Text(f"{len(rows):,} rows, one an operation: too many to show here; all of them are in {_ELSEWHERE}", style="dim")
        return
    for phase, found in groupby(rows, key=lambda row: row["phase"]):
        yield _phase_table(phase, list(found), batch_size)


def _phase_table(phase: str, rows: Sequence[Trace], batch_size: int) -> Table:
    keys = ["layer", "neuron"] if rows[0]["layer"] else []
    keys += ["example"] if batch_size > 1 and any(row["example"] for row in rows) else []
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, title=phase, title_justify="left")
    for key in [*keys, "symbol"]:
        table.add_column(key, no_wrap=True)
    table.add_column("formula", overflow="fold")
    table.add_column("with numbers", overflow="fold")
    table.add_column("value", no_wrap=True)
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        table.add_row(
            *("" if row[key] is None else str(row[key]) for key in keys),
            row["symbol"],
            row["formula"],
            row["numbers"],
            number_text(row["value"]),
            style="bold" if row["quantity"] in _RESULTS else None,
            end_section=following is not None and any(row[key] != following[key] for key in ("neuron", "example")),
        )
    return table


def _ranges_table(rows: Sequence[Trace]) -> Table:
    """The smallest and largest value of each layer's quantities."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("layer", "quantity", "smallest", "largest"):
        table.add_column(name, no_wrap=True)
    found: dict[tuple[int, str], list[float]] = {}
    for row in rows:
        if row["quantity"] in _RANGES:
            found.setdefault((row["layer"], row["quantity"]), []).append(row["value"])
    for (layer, quantity), values in sorted(found.items(), key=lambda item: (item[0][0], list(_RANGES).index(item[0][1]))):
        table.add_row(str(layer), _RANGES[quantity], number_text(min(values)), number_text(max(values)))
    return table


def losses_table(iterations: Iterable[Trace], *, show_all: bool = False) -> Table:
    """Each iteration's loss on its batch, before and after the update; of many the first ones and the last."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("iteration", "learning rate", "loss before", "loss after"):
        table.add_column(name, no_wrap=True)
    every = list(iterations)
    before = 0
    for iteration in every if show_all else _some(every):
        if iteration["number"] > before + 1:
            table.add_row("…")
        before = iteration["number"]
        numbers = (number_text(iteration[key]) for key in ("learning_rate", "loss", "loss_after"))
        table.add_row(str(before), *numbers)
    return table


def checks_table(checks: Sequence[Trace]) -> Table:
    """The results of each check over all iterations."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, justify in (
        ("checked against", "left"),
        ("iterations", "right"),
        ("numbers", "right"),
        ("differ by at most", "left"),
    ):
        table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("agrees")
    for what in dict.fromkeys(check["what"] for check in checks):
        same = [check for check in checks if check["what"] == what]
        wrong = [check["iteration"] for check in same if check["agrees"] is False]
        compared = [check for check in same if check["agrees"] is not None]
        largest = max((check["largest_difference"] for check in compared), default=None)
        verdict = Text("yes", style="green")
        if wrong:
            verdict = Text(f"NO, in iteration {', '.join(map(str, wrong[:5]))}{' …' if wrong[5:] else ''}", style="bold red")
        elif not compared:
            verdict = Text("nothing to compare", style="yellow")
        notes = list(dict.fromkeys(check["note"] for check in same if check["note"]))
        if notes:
            verdict.append(f"; {notes[0]}{' (and more in other iterations)' if notes[1:] else ''}", style="dim")
        count = sum(check["compared"] for check in same)
        table.add_row(
            what, str(len(same)), f"{count:,}", "" if largest is None else f"{largest:.1e}" if largest else "0", verdict
        )
    return table


def number_text(value: float | None) -> str:
    """A number in the formulas' format: at most ten decimals, or seven significant digits below 0.001."""
    if value is None:
        return "nan"  # JSON has no number for it
    text = f"{value:.7g}" if abs(value) < 1e-3 else f"{round(value, 10):.11g}"
    return text.replace("-", "−") if value else "0"
