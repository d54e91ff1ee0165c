"""A training step's traffic: bytes by layer, and the timeline of one step.

draw_traffic(report, run_dir / "figures" / "traffic.png")
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnjax.reporting.figures.canvas import BLACK, BLUE, GREY, ORANGE, RED, canvas
from nnjax.reporting.text import shorten, si_text, time_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PHASES = {
    "gradients": BLUE,
    "parameters": ORANGE,
    "batch_statistics": RED,
    "metrics": BLACK,
    "other": GREY,
    "padding": "#CCCCCC",
}
"""Colours by what is sent."""

_MOST_LAYERS = 24
_NAME = 24  # characters


def draw_traffic(report: Mapping[str, Any], path: Path) -> None:
    """Draws the bytes of a step's buffers by layer, and when the step computes and sends.

    Args:
        report: as `nnjax.interconnect.traffic_report` makes it.
        path: the PNG file.
    """
    layers = report["layers"]
    with canvas(path, width=7.6, height=2.9 + 0.2 * min(max(len(layers), 3), _MOST_LAYERS)) as figure:
        bars, times = figure.subplots(2, 1, height_ratios=[max(min(len(layers), _MOST_LAYERS), 3) * 0.2 + 0.5, 1.4])
        _draw_layers(bars, layers)
        _draw_timeline(times, report)


def _draw_layers(axes: "Axes", layers: Sequence[Mapping[str, Any]]) -> None:
    shown = list(layers)
    axes.set_title("bytes of a step's buffers, by layer")
    if not shown:
        axes.text(0.5, 0.5, "nothing is sent", ha="center", transform=axes.transAxes, color=GREY)
        axes.set_yticks([])
        return
    if len(shown) > _MOST_LAYERS:
        largest = sorted(shown, key=_bytes, reverse=True)[: _MOST_LAYERS - 1]
        rest = [row for row in shown if row not in largest]
        sums = {phase: sum(row.get(phase, 0) for row in rest) for phase in PHASES}
        shown = [row for row in shown if row in largest] + [{"layer": f"{len(rest)} smaller layers", **sums}]
    names = [shorten(row["layer"] or "no layer", _NAME) for row in shown]
    left = [0.0] * len(shown)
    for phase, color in PHASES.items():
        widths = [float(row.get(phase, 0)) for row in shown]
        if any(widths):
            axes.barh(range(len(shown)), widths, left=left, color=color, label=phase.replace("_", " "), height=0.7)
            left = [start + width for start, width in zip(left, widths, strict=True)]
    for place, total in enumerate(left):
        axes.annotate(f" {si_text(total)}B", (total, place), va="center", fontsize=7)
    axes.set_yticks(range(len(shown)), names)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.margins(x=0.12)
    axes.xaxis.set_major_formatter(lambda value, _: f"{si_text(value)}B" if value else "0")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(PHASES), fontsize=8)


def _draw_timeline(axes: "Axes", report: Mapping[str, Any]) -> None:
    prediction, settings = report["prediction"], report["settings"]
    rows = [row for row in report["collectives"] if row["per"] == "step"]
    end = max([prediction["backward_end"], *(row["end"] for row in rows if math.isfinite(row["end"]))])
    factor, unit = time_unit(end)
    forward, backward = prediction["forward_end"] * factor, prediction["backward_end"] * factor
    axes.broken_barh([(0, forward)], (0.6, 0.8), color="#7FB7DA", edgecolor="white", linewidth=0.5)
    axes.broken_barh([(forward, backward - forward)], (0.6, 0.8), color="#2A86C0", edgecolor="white", linewidth=0.5)
    total = max(end * factor, 1e-12)
    for name, start, stop in (("forward", 0.0, forward), ("backward, update", forward, backward)):
        if (stop - start) / total > 0.017 * len(name):
            axes.text((start + stop) / 2, 1.0, name, ha="center", va="center", fontsize=8, color="white")
    for row in rows:
        if not math.isfinite(row["end"]):
            axes.text(0.5, 0.08, "the step never ends", transform=axes.transAxes, ha="center", fontsize=8)
            break
        width = (row["end"] - row["start"]) * factor
        axes.broken_barh(
            [(row["start"] * factor, width)], (-0.4, 0.8), color=PHASES[row["phase"]], edgecolor="white", linewidth=0.5
        )
    axes.set_yticks([1.0, 0.0], ["computing", "sending"])
    axes.set_xlim(0, total * 1.02)
    axes.set_xlabel(unit)
    axes.grid(axis="y", visible=False)
    overlap = "overlap modelled" if prediction["overlap"] == "modelled" else "no overlap"
    what = f"{settings['devices']} × {settings['device']}, {settings['link']}, {settings['algorithm']}; {overlap}"
    axes.set_title(f"one step, predicted: {what}; computing {prediction['utilisation']['value']:.0%}")


def _bytes(row: Mapping[str, Any]) -> int:
    return sum(size for phase, size in row.items() if phase != "layer")
