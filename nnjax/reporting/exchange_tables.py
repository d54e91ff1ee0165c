"""The tables of one step over several devices: each weight's gradient on every device, the averages, and their differences.

for table in exchange_tables(trace["exchange"]):
    console.print(table)
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from nnjax.config.neuron_names import weight_symbol
from nnjax.reporting.text import number_text

_MAX_DEVICES = 4  # columns
_MAX_NEURONS, _MAX_INPUTS = 6, 8  # groups of rows in a layer's table, and rows in a group
_DIGITS = 6  # of a layer's largest gradient; the others have as many decimals


def exchange_tables(exchange: Mapping[str, Any]) -> Iterable[RenderableType]:
    """Yields the devices' examples, a table for each layer in the order of the backward pass, an overview and conclusions.

    Args:
        exchange: the result of `nnjax.textbook.exchange.exchange`.
    """
    yield _devices_table(exchange["devices"], exchange["loss"])
    for layer in exchange["layers"]:
        yield _layer_table(layer, exchange["devices"])
    yield _overview(exchange["layers"])
    yield Padding(Group(*map(Text, exchange["summary"])), (0, 0, 1, 0))


def _devices_table(devices: Sequence[Mapping[str, Any]], loss: Mapping[str, Any]) -> Table:
    """Each device's examples and their loss."""
    table = _table(f"One step on {len(devices)} device{'' if len(devices) == 1 else 's'}")
    table.add_column("")
    table.add_column("examples")
    table.add_column("mean loss", justify="right")
    for device, value in zip(devices, loss["devices"], strict=True):
        table.add_row(f"{device['label']}, {device['name']}", _range(device["examples"]), number_text(value))
    table.add_section()
    table.add_row("average of the devices", "", number_text(loss["average"]))
    everything = [example for device in devices for example in device["examples"]]
    table.add_row("all on one device", _range(everything), number_text(loss["single_device"]))
    return table


def _layer_table(layer: Mapping[str, Any], devices: Sequence[Mapping[str, Any]]) -> RenderableType:
    """The gradients of a layer's weights, neuron by neuron, the bias weight last."""
    sent = f"{_count(layer):,} gradients, {layer['bytes_sent']:,} bytes in float32"
    table = _table(f"{layer['name']}: each device sends {sent}", footer=True)
    table.add_column("weight", footer="largest\ndifference", no_wrap=True)
    for device in devices[:_MAX_DEVICES]:
        table.add_column(device["label"], justify="right", no_wrap=True)
    table.add_column("average", footer=_difference(layer), justify="right", no_wrap=True, style="bold")
    table.add_column("all on\none device", footer="0", justify="right", no_wrap=True, style="bold")
    table.add_column("neuron\naveraging", footer=_difference(layer, "neuron_averaging"), justify="right", no_wrap=True)

    own = layer["gradients"][:_MAX_DEVICES]
    columns = [*own, layer["average"], layer["single_device"], layer["neuron_averaging"]]
    form = _format(columns)
    for index, neuron in enumerate(layer["neurons"][:_MAX_NEURONS]):
        rows = [column["weights"][index][:_MAX_INPUTS] for column in columns]
        for place, values in enumerate(zip(*rows, strict=True), start=1):
            table.add_row(weight_symbol(neuron, place), *(_text(value, form) for value in values))
        if layer["average"]["biases"] is not None:
            table.add_row(weight_symbol(neuron, 0), *(_text(column["biases"][index], form) for column in columns))
        table.add_section()
    shown = _shown(layer, devices)
    return Group(table, Text(f"shown: {', '.join(shown)}; all of them are in trace.json\n", style="dim")) if shown else table


def _shown(layer: Mapping[str, Any], devices: Sequence[Mapping[str, Any]]) -> list[str]:
    """Which part of a layer's devices, neurons and inputs the table shows, for those that are cut."""
    inputs, neurons = layer["weight_shape"]
    sizes = (_MAX_DEVICES, len(devices), "devices"), (_MAX_NEURONS, neurons, "neurons"), (_MAX_INPUTS, inputs, "inputs")
    return [f"{most} of {size:,} {what}" for most, size, what in sizes if size > most]


def _overview(layers: Sequence[Mapping[str, Any]]) -> Table:
    """What each layer sends, and how far both kinds of averaging are from one device's gradient."""
    table = _table("Largest difference from the gradient of one device", footer=True)
    table.add_column("layer", footer="all")
    table.add_column("gradients", footer=f"{sum(map(_count, layers)):,}", justify="right")
    table.add_column("bytes sent", footer=f"{sum(layer['bytes_sent'] for layer in layers):,}", justify="right")
    table.add_column("data parallelism", justify="right")
    table.add_column("neuron averaging", justify="right")
    for layer in layers:
        differences = _difference(layer), _difference(layer, "neuron_averaging")
        table.add_row(layer["name"], f"{_count(layer):,}", f"{layer['bytes_sent']:,}", *differences)
    return table


def _table(title: str, *, footer: bool = False) -> Table:
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, show_footer=footer, title=title, title_justify="left", title_style="bold")


def _count(layer: Mapping[str, Any]) -> int:
    """Number of a layer's gradients."""
    inputs, neurons = layer["weight_shape"]
    return int(inputs * neurons) + len(layer["average"]["biases"] or ())


def _difference(layer: Mapping[str, Any], scheme: str = "largest") -> str:
    return f"{layer[f'{scheme}_difference']:.2g}"


def _range(examples: Sequence[int]) -> str:
    return f"{examples[0]}" if len(examples) == 1 else f"{examples[0]}–{examples[-1]}"


def _format(columns: Sequence[Mapping[str, Any]]) -> str:
    """A format that gives the largest value `_DIGITS` digits, and all values the same number of decimals."""
    rows = [row for column in columns for row in (*column["weights"], column["biases"] or ())]
    largest = max((abs(value) for row in rows for value in row if math.isfinite(value)), default=0.0)
    if not 1e-6 < largest < 10**_DIGITS:
        return f".{_DIGITS - 1}e"
    return f".{_DIGITS - 1 - math.floor(math.log10(largest))}f"


def _text(value: float, form: str) -> str:
    return format(value, form).replace("-", "−") if value else "0"
