"""The tables of a traffic report: collectives, bytes by algorithm, ways to average gradients, memory, prediction, scaling.

for part in traffic_tables(report):
    console.print(part)

Columns are named as in nccl-tests. Bytes are exact or in powers of ten (kB, MB, GB: 10³, 10⁶, 10⁹ bytes); algbw and busbw are
GB/s of 10⁹ bytes.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nnjax.reporting.fitted_table import Column, FittedTable, Row
from nnjax.reporting.text import bytes_text, three_digits, time_text, unit_text

_MOST_ROWS = 40  # of collectives in the terminal; the files have all
_MOST_LAYERS = 2  # of which all are named


def traffic_tables(report: Mapping[str, Any]) -> Iterator[FittedTable | str]:
    """Yields tables and sentences, in the order in which they are read."""
    settings, compiled = report["settings"], report["compiled"]
    yield _heading(settings, compiled)
    rows = report["collectives"]
    if not rows:
        yield "Nothing is sent: one device trains the network, or each device trains whole networks of its own."
    else:
        yield collective_table(rows)
        if len(rows) > _MOST_ROWS:
            yield f"and {len(rows) - _MOST_ROWS} more in traffic.csv"
        yield _gradients_line(report["bytes"])
        yield "bufs: buffers; size is that of all of them; time in µs; algbw and busbw in GB/s, 10⁹ bytes; as nccl-tests"
        yield algorithm_table(report["bytes"]["by_algorithm"])
        yield f"packets of at most link.mtu={settings['mtu']} bytes; on the wire with all headers and frames, without answers"
        yield _formula_lines(report["bytes"]["by_algorithm"])
        if not any(row["packets"] for row in rows):
            yield f"All devices are in one machine (device.per_machine): nothing travels on link={settings['link']}"
    yield from compiled["remarks"]
    if names := compiled["named_by_order"]:
        yield f"Named by their place in the gradient tree alone: {', '.join(names)}"
    if report.get("ways"):
        yield way_table(report["ways"])
    yield from _computing_lines(report)
    if rows:
        yield _prediction_line(report["prediction"], settings)
        yield scaling_table(report["prediction"]["scaling"])
        if any(effect["goodput"]["value"] < 1 for effect in report["prediction"]["losses"]):
            yield loss_table(report["prediction"]["losses"])
    yield from _run_lines(report["prediction"])
    for note in report["prediction"]["notes"]:
        yield f"Note: {note}"


def collective_table(rows: Sequence[Mapping[str, Any]]) -> FittedTable:
    """The first collectives: those of each step, then those of each call of the compiled program."""
    columns = [
        Column("#", right=True, whole=True),
        Column("per"),
        Column("collective"),
        Column("what, layers"),
        Column("size (B)", right=True),
        Column("count", right=True),
        Column("type"),
        Column("redop"),
        Column("bufs", right=True),
        Column("time", right=True),
        Column("algbw", right=True),
        Column("busbw", right=True),
    ]
    cells = [
        [
            str(row["number"]),
            row["per"],
            row["collective"],
            _layers_text(row),
            f"{row['size']}",
            f"{row['count']}",
            row["type"],
            row["redop"],
            str(row["buffers"]),
            three_digits(row["time"] * 1e6),
            three_digits(row["algbw"]),
            three_digits(row["busbw"]),
        ]
        for row in rows[:_MOST_ROWS]
    ]
    return FittedTable(columns, [Row(some) for some in cells])


def algorithm_table(rows: Sequence[Mapping[str, Any]]) -> FittedTable:
    """What the busiest device sends, by algorithm."""
    columns = [Column("algorithm"), *(Column(name, right=True) for name in _SENT)]
    cells = [
        [
            row["algorithm"],
            bytes_text(row["sent_per_step"]),
            str(row["packets_per_step"]),
            bytes_text(row["wire_per_step"]),
            bytes_text(row["sent_per_epoch"]),
            bytes_text(row["sent_per_run"]),
            time_text(row["communicating"]),
        ]
        for row in rows
    ]
    return FittedTable(columns, [Row(some) for some in cells])


_SENT = ("sent a step", "packets", "on the wire", "sent an epoch", "sent a run", "time a step")


def way_table(rows: Sequence[Mapping[str, Any]]) -> FittedTable:
    """The ways of parallel.gradients, side by side."""
    names = ("collectives", "buffers", "sent a step", "on the wire", "optimizer", "memory", "exchange", "step")
    columns = [Column("gradients", breakable=True), *(Column(name, right=True) for name in names)]
    cells = []
    for row in rows:
        if row.get("refused"):
            cells.append([f"{row['gradients']}: {row['refused']}", *[""] * len(names)])
            continue
        cells.append(
            [
                row["gradients"],
                str(row["collectives"]),
                str(row["buffers"]),
                bytes_text(row["sent_per_step"]),
                bytes_text(row["wire_per_step"]),
                bytes_text(row["optimizer"]),
                bytes_text(row["memory"]),
                time_text(row["communicating"]),
                time_text(row["step_time"]),
            ]
        )
    return FittedTable(columns, [Row(some) for some in cells])


def scaling_table(points: Sequence[Mapping[str, Any]]) -> FittedTable:
    """The predicted efficiency by number of devices and algorithm."""
    algorithms = list(dict.fromkeys(point["algorithm"] for point in points))
    found = {(point["devices"], point["algorithm"]): point for point in points}
    columns = [Column("devices", right=True)]
    columns += [Column(f"{algorithm}: step, efficiency", right=True) for algorithm in algorithms]
    rows = []
    for devices in dict.fromkeys(point["devices"] for point in points):
        cells = [str(devices)]
        for algorithm in algorithms:
            point = found.get((devices, algorithm))
            cells.append("" if point is None else f"{time_text(point['step_time'])}, {point['efficiency']:.1%}")
        rows.append(Row(cells))
    return FittedTable(columns, rows)


def loss_table(losses: Sequence[Mapping[str, Any]]) -> FittedTable:
    """What each transport makes of the link's loss."""
    columns = [Column("transport"), Column("goodput", right=True), Column("step", right=True)]
    cells = [[row["transport"], f"{row['goodput']['value']:.3g}", time_text(row["step_time"])] for row in losses]
    return FittedTable(columns, [Row(some) for some in cells])


def _heading(settings: Mapping[str, Any], compiled: Mapping[str, Any]) -> str:
    devices, simulated = settings["devices"], compiled["simulated_devices"]
    text = f"{settings['model']} on {settings['data']}, {devices} device{'s' if devices > 1 else ''}, "
    text += f"batch {settings['global_batch_size']}, gradients={settings['gradients']}; "
    text += f"{settings['link']}, {settings['device']}, {settings['algorithm']}"
    if simulated < devices:
        text += f"\nCompiled for {simulated} devices, each with the share of one of {devices}; group sizes are scaled."
    return text


def _layers_text(row: Mapping[str, Any]) -> str:
    layers = row["layers"]
    named = ", ".join(layers) if len(layers) <= _MOST_LAYERS else f"{layers[0]} … {layers[-1]}"
    phase = row["phase"].removeprefix("batch_")
    return f"{phase} {named}" if named else phase


def _gradients_line(sizes: Mapping[str, Any]) -> str:
    gradients, parameters = sizes["gradients"], sizes["parameters"]
    relation = "the same as" if gradients == parameters else "NOT the same as"
    return f"Gradients a step: {gradients} bytes, {relation} the parameters' {parameters}"


def _formula_lines(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = [f"  {row['algorithm']}: {row['formula']}" for row in rows]
    return "\n".join(["Bytes that the busiest device sends for an all-reduce:", *lines])


def _computing_lines(report: Mapping[str, Any]) -> Iterator[str]:
    flops, memory = report["flops"], report["memory"]
    ratio = flops["per_byte_sent"]
    sent = f", {unit_text(ratio, 'FLOP')} for each byte that a device sends" if ratio else ""
    yield f"Computing: {unit_text(flops['step'], 'FLOP')} a step and device{sent}"
    if memory.get("total") is not None:
        parts = ", ".join(f"{name} {bytes_text(memory[name])}" for name in ("parameters", "optimizer", "temporary"))
        room = f"; the device has {bytes_text(memory['device'])}" + (", LESS" if memory["total"] > memory["device"] else "")
        yield f"Memory of a device: {bytes_text(memory['total'])} ({parts}; the rest is data){room}"


def _prediction_line(prediction: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    step = {name: prediction[name]["value"] for name in ("computing", "exposed", "step_time", "utilisation")}
    ratio = prediction["computing_by_communicating"]
    return (
        f"Predicted step: {time_text(step['step_time'])} = computing {time_text(step['computing'])} + waiting for the network "
        f"{time_text(step['exposed'])}; devices compute {step['utilisation']:.1%} of the time; computing : communicating "
        f"{three_digits(ratio or 0.0)}; overlap {prediction['overlap']} (formulas {prediction['step_time']['formula']}, "
        f"{prediction['computing']['formula']}; {settings['algorithm']})"
    )


def _run_lines(prediction: Mapping[str, Any]) -> Iterator[str]:
    run, failures = prediction["run"], prediction["failures"]
    if run is not None:
        text = f"Predicted run: {time_text(run['seconds']['value'])} for {run['steps']} steps"
        if run["expected"] is not None:
            text += f", {time_text(run['expected']['value'])} with failures"
        yield text + (f", cost {run['cost']['value']:.4g}" if run["cost"] is not None else "")
    if failures is not None:
        every, young, daly = (time_text(failures[name]["value"]) for name in ("mean_time", "young", "daly"))
        goodput = failures["goodput"]["value"]
        yield f"Failures: one in {every}; a checkpoint every {daly} (Daly; Young {young}) leaves a goodput of {goodput:.2%}"
