"""The result of an autopsy: sentences, tables of norms, and a script that repeats the step.

console.print(cause_text(about, cause))
console.print(layer_table(layers)), console.print(course_table(course))
path.write_text(reproduction_script(run, step, plugins))
"""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from nnjax.config.diagnostics import count
from nnjax.reporting.text import number_text

_PARTS = {
    "normalised_inputs": "the inputs, as they are normalised and augmented",
    "loss_function": "the loss",
    "optimizer_update": "the update of the optimizer",
}
_MOST_ROWS = 21


def cause_text(step: int, split: str, cause: Mapping[str, Any] | str | None) -> str:
    """What went wrong first, in two or three lines.

    Args:
        step: counted from 1.
        split: "train", or "validation" for an evaluation after that step.
        cause: the operation, as plain values; the path of an array that was not finite before the step; None if all are finite.
    """
    when = f"step {step}" if split == "train" else f"the evaluation after step {step}"
    if cause is None:
        return (
            f"Repeated on one device, {when} gives finite numbers only. The training summed in another order, on its devices; "
            "the norms below show how near it was to the largest float."
        )
    if isinstance(cause, str):
        return f"{_array_name(cause)} is not finite before {when}: it went wrong earlier than the loss showed."
    part = _PARTS.get(str(cause["layer"]), f"layer {cause['layer']}" if cause["layer"] else "no layer")
    way = "the gradient" if cause["backward"] else "the forward pass" if cause["layer"] != "optimizer_update" else "the update"
    lines = [f"First result that is not finite, in {when}: {cause['operation']}, in {part}, in {way}"]
    lines += [f"  input {place}: {facts_text(facts)}" for place, facts in enumerate(cause["inputs"], 1)]
    lines.append(f"  result: {facts_text(cause['result'])}")
    if cause["place"]:
        lines.append(f"  at {cause['place']}")
    return "\n".join(lines)


def facts_text(facts: Mapping[str, Any]) -> str:
    """The numbers of an array in a line."""
    size = 1
    for length in facts["shape"]:
        size *= length
    parts = [f"{facts['dtype']}{list(facts['shape'])}"]
    if facts["nans"] + facts["infinities"] < size and facts["low"] is not None:
        low, high = number_text(facts["low"]), number_text(facts["high"])
        parts.append(low if low == high else f"{low} to {high}")
    parts += [
        f"{facts[name]:,} {word}"
        for name, word in (("zeros", "zeros"), ("nans", "NaN"), ("infinities", "infinite"))
        if facts[name] and size > 1
    ]
    if size == 1 and facts["nans"]:
        parts.append("NaN")
    if size == 1 and facts["infinities"]:
        parts.append("infinite")
    return ", ".join(parts)


def layer_table(layers: Sequence[Mapping[str, Any]]) -> Table:
    """A row for each layer: norms of its parameters, outputs and gradient in the step."""
    table = Table(title="The step, layer by layer", title_justify="left")
    for title in ("layer", "‖parameters‖", "outputs, rms", "largest", "not finite", "‖gradient‖"):
        table.add_column(title, justify="left" if title == "layer" else "right")
    for row in layers:
        numbers = [_text(row[name]) for name in ("params", "output", "largest")]
        table.add_row(row["name"], *numbers, f"{row['nonfinite']:,}" if row["nonfinite"] else "", _text(row["gradient"]))
    return table


def course_table(course: Sequence[Mapping[str, Any]]) -> Table:
    """A row for each of the steps before: loss and norms."""
    table = Table(title="The steps before it", title_justify="left")
    for title in ("step", "learning rate", "loss", "‖parameters‖", "‖gradient‖", "‖update‖"):
        table.add_column(title, justify="right")
    for row in course[-_MOST_ROWS:]:
        table.add_row(str(row["step"]), *(_text(row[name]) for name in ("rate", "loss", "params", "gradients", "update")))
    return table


def growth_text(name: str, step: int, times: float, last: int) -> str:
    """Where a norm began to grow."""
    steps = count(last - step, "step")
    return f"The {name} grew {number_text(times)} times in {steps}, from step {step} on: is the learning rate too high?"


def reproduction_script(run: str, step: int, split: str, plugins: Sequence[str], version: str) -> str:
    """A script that repeats the step from the saved files.

    Args:
        run: the run's folder.
        step: counted from 1.
        split: "train" or "validation".
        plugins: files that register the run's options.
        version: of nnjax.
    """
    what = f"step {step}" if split == "train" else f"the evaluation after step {step}"
    taking = (
        "    state, loss = replay.take()\n"
        "    finite = all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state.params))\n"
        '    print("loss", loss, "parameters finite" if finite else "parameters not finite")\n'
        if split == "train"
        else ""
    )
    return f'''"""Repeats {what} of a training that diverged: python reproduce.py

Written by nnjax {version}. Needs nnjax and the files in `diverged/` of the run; no dataset.
"""

import jax
import numpy as np

from nnjax.api.diverged_run import opened_step

RUN = {run!r}
PLUGINS = {list(plugins)!r}

with opened_step(RUN, PLUGINS) as replay:
    inputs, targets, examples = replay.found.batches[{step}]
    print("batch", inputs.shape, inputs.dtype, "largest", np.abs(inputs.astype(np.float64)).max())
{taking}    for layer in replay.layers():
        print(layer)
    print("cause:", replay.cause())
'''


def _array_name(path: str) -> str:
    return "The batch" if path.startswith(("[1]", "[2]")) else f"The array {path.removeprefix('[0]')} of the state"


def _text(number: float | None) -> str:
    return "" if number is None else number_text(number)
