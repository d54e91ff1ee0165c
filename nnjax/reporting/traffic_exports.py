"""A predicted training step for other programs: a browser's trace viewer, and ASTRA-sim.

write_chrome(report, run_dir)                       # chrome_trace.json, for chrome://tracing and ui.perfetto.dev
write_astra_sim(report, link, layer_flops, run_dir) # workload.txt, network.yml, system.json, …

ASTRA-sim 2 reads Chakra traces. No release of MLCommons' Chakra is on PyPI, so the text format of ASTRA-sim 1 is written, which
Chakra's own `chakra_converter Text` turns into traces; `README.txt` beside the files has the commands.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nnjax.reporting.files import replacing

_MOST_RANKS = 8  # in a trace: all ranks do the same


def write_chrome(report: Mapping[str, Any], run_dir: Path) -> Path:
    """Writes `chrome_trace.json`: one step of each of the first ranks, in the Trace Event Format; times are in µs.

    A process is a rank, with a thread that computes and one that sends. An exchange that never ends is left out.
    """
    prediction, settings = report["prediction"], report["settings"]
    forward, backward = prediction["forward_end"], prediction["backward_end"]
    events: list[dict[str, Any]] = []
    for rank in range(min(settings["devices"], _MOST_RANKS)):
        events.append({"ph": "M", "name": "process_name", "pid": rank, "args": {"name": f"rank {rank}"}})
        for thread, name in enumerate(("computing", "sending")):
            events.append({"ph": "M", "name": "thread_name", "pid": rank, "tid": thread, "args": {"name": name}})
        for name, start, end in (("forward", 0.0, forward), ("backward and update", forward, backward)):
            events.append(_span(name, "computing", rank, 0, start, end, {}))
        for row in report["collectives"]:
            if row["per"] != "step" or not math.isfinite(row["end"]):  # what never ends cannot be drawn
                continue
            keys = ("number", "phase", "layers", "size", "count", "type", "redop", "group_size", "packets", "algbw", "busbw")
            arguments = {key: row[key] for key in keys}
            events.append(_span(row["collective"], row["phase"], rank, 1, row["start"], row["end"], arguments))
    other = {key: settings[key] for key in ("model", "data", "devices", "link", "device", "algorithm")}
    path = run_dir / "chrome_trace.json"
    trace = {"traceEvents": events, "displayTimeUnit": "ms", "otherData": {**other, "predicted": True}}
    _write(path, json.dumps(trace, indent=1, allow_nan=False) + "\n")
    return path


def _span(
    name: str, kind: str, rank: int, thread: int, start: float, end: float, arguments: Mapping[str, Any]
) -> dict[str, Any]:
    micro = {"ts": start * 1e6, "dur": (end - start) * 1e6}
    return {"ph": "X", "name": name, "cat": kind, "pid": rank, "tid": thread, **micro, "args": dict(arguments)}


def write_astra_sim(
    report: Mapping[str, Any], link: Mapping[str, Any], layer_flops: Mapping[str, float], run_dir: Path
) -> tuple[list[Path], list[str]]:
    """Writes a step's workload, and the network and system of ASTRA-sim's analytical model.

    Args:
        report: as `nnjax.interconnect.traffic_report` makes it.
        link: bandwidth in bits a second, latency in seconds.
        layer_flops: by layer, in order, those of an example's forward pass; they divide the predicted computing time.
        run_dir: the files go into its folder `astra-sim`.

    Returns:
        The files; and sentences about what the format cannot hold.
    """
    folder = run_dir / "astra-sim"
    folder.mkdir(exist_ok=True)
    devices, algorithm = report["settings"]["devices"], report["settings"]["algorithm"]
    ring = algorithm in ("ring", "hierarchical")
    workload, left_out = _workload(report, layer_flops)
    implementation = "ring" if ring else "doubleBinaryTree" if algorithm == "tree" else "halvingDoubling"
    system = {
        "scheduling-policy": "LIFO",
        "endpoint-delay": 0,
        "active-chunks-per-dimension": 1,
        "preferred-dataset-splits": 1,
        **{f"{kind}-implementation": [implementation] for kind in ("all-reduce", "all-gather", "reduce-scatter")},
        "all-to-all-implementation": ["ring"],
        "collective-optimization": "localBWAware",
        "local-mem-bw": 0,
        "boost-mode": 0,
    }
    # GB/s of 2³⁰ bytes and ns, as the analytical model takes them.
    network = (
        f"topology: [ {'Ring' if ring else 'Switch'} ]\nnpus_count: [ {devices} ]\n"
        f"bandwidth: [ {link['bandwidth'] / 8 / 2**30:g} ]  # GB/s of 2³⁰ bytes\nlatency: [ {link['latency'] * 1e9:g} ]  # ns\n"
    )
    left_out += [
        "headers, packets, loss, jitter, oversubscription, the overhead of a call: the model has bandwidth and latency alone",
        "machines of several devices: the network has one dimension",
    ]
    files = {
        "workload.txt": workload,
        "network.yml": network,
        "system.json": json.dumps(system, indent=2) + "\n",
        "remote_memory.json": json.dumps({"memory-type": "NO_MEMORY_EXPANSION"}) + "\n",
        "README.txt": _readme(devices, left_out),
    }
    for name, text in files.items():
        _write(folder / name, text)
    return [folder / name for name in files], left_out


def _workload(report: Mapping[str, Any], layer_flops: Mapping[str, float]) -> tuple[str, list[str]]:
    """The text format of ASTRA-sim 1: a line for each layer with gradients; µs, as Chakra takes them, and bytes."""
    gradients: dict[str, int] = {}
    rest: dict[str, int] = {}
    sharded = False
    for row in report["collectives"]:
        if row["per"] != "step":
            rest["metrics of a call"] = rest.get("metrics of a call", 0) + row["size"]
            continue
        sharded |= row["collective"] == "reduce_scatter"
        item = row["size"] // row["count"]
        for part in row["tensors"]:
            if part["phase"] == "gradients":
                gradients[part["layer"]] = gradients.get(part["layer"], 0) + part["count"] * item
            elif part["phase"] != "parameters":
                what = part["phase"].replace("_", " ")
                rest[what] = rest.get(what, 0) + part["count"] * item
    order = [layer for layer in layer_flops if layer in gradients]
    order += [layer for layer in gradients if layer not in layer_flops]
    seconds = _computing(report, layer_flops, order)
    lines = ["DATA", str(len(order))]
    for number, layer in enumerate(order):
        third = math.ceil(seconds[layer] * 1e6 / 3)
        inputs = 0 if number == 0 else third  # nothing needs the gradient by the data
        kind = "REDUCESCATTER" if sharded else "ALLREDUCE"
        lines.append(f"{layer} -1 {third} NONE 0 {inputs} NONE 0 {third} {kind} {gradients[layer]} 0")
    left_out = [f"{what}: {size} bytes" for what, size in rest.items()]
    if sharded:
        left_out.append(
            "the all-gather of the parameters after the update: the format has one exchange for each layer's weights"
        )
    left_out.append("buffers of several layers: each layer's gradients are an exchange of their own")
    return "\n".join(lines) + "\n", left_out


def _computing(report: Mapping[str, Any], layer_flops: Mapping[str, float], order: list[str]) -> dict[str, float]:
    """Seconds of computing by layer, in proportion to its operations; layers without weights count with the one before."""
    flops = dict.fromkeys(order, 0.0)
    current = order[0] if order else ""
    for layer, count in layer_flops.items():
        current = layer if layer in flops else current
        if current:
            flops[current] += count
    total = sum(flops.values()) or 1.0
    computing = report["prediction"]["computing"]["value"]
    return {layer: computing * count / total for layer, count in flops.items()}


def _readme(devices: int, left_out: list[str]) -> str:
    lines = [
        "One training step for ASTRA-sim, data parallel; https://astra-sim.github.io",
        "",
        "workload.txt is in the text format of ASTRA-sim 1. Chakra (https://github.com/mlcommons/chakra) makes traces from it,",
        "and the analytical model of ASTRA-sim 2 reads them, with network.yml and system.json:",
        "",
        f"  chakra_converter Text --input=workload.txt --output=step --num-npus={devices} --num-passes=1",
        "  AstraSim_Analytical_Congestion_Unaware --workload-configuration=step --system-configuration=system.json \\",
        "    --network-configuration=network.yml --remote-memory-configuration=remote_memory.json",
        "",
        "Times of computing are predicted (µs, rounded up), and divided among layers in proportion to their operations:",
        "a third forward, a third for the gradients by inputs, a third for those by weights.",
        "",
        "Left out:",
        *(f"  {line}" for line in left_out),
    ]
    return "\n".join(lines) + "\n"


def _write(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
