"""The times of a step in the lab, measured against predicted, and the error of each point.

lab_points(rows, run_dir / "figures/netlab.png")
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from nnjax.reporting.figures.canvas import BLACK, BLUE, GREY, ORANGE, RED, canvas

_KINDS: dict[str, dict[str, Any]] = {
    "unlimited": {"marker": "+", "color": GREY},
    "calibration": {"marker": "x", "color": BLACK},
    "judged": {"marker": "o", "color": BLUE},
    "judged, loss": {"marker": "^", "color": RED},
    "straggler": {"marker": "s", "color": ORANGE},
}
_BAND = 0.2


def lab_points(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draws every point: at the left measured against predicted, at the right each error.

    Args:
        rows: with kind, processes, label, loss, measured, predicted (seconds) and error (a share of the measured time).
        path: the PNG file.
    """
    judged = [row for row in rows if row["kind"] == "judged"]
    with canvas(path, width=10.5, height=max(4.6, 0.24 * len(rows) + 1.2)) as figure:
        left, right = figure.subplots(1, 2, width_ratios=[1, 1.15])
        times = [row[key] * 1e3 for row in rows for key in ("measured", "predicted")]
        ends = [0.8 * min(times), 1.25 * max(times)]
        left.plot(ends, ends, color=BLACK, linewidth=1)
        left.fill_between(
            ends, [end * (1 - _BAND) for end in ends], [end * (1 + _BAND) for end in ends], color=GREY, alpha=0.15
        )
        for kind, style in _KINDS.items():
            some = [row for row in rows if _kind(row) == kind]
            if some:
                measured, predicted = ([row[key] * 1e3 for row in some] for key in ("measured", "predicted"))
                left.scatter(measured, predicted, s=30, label=kind, zorder=3, **style)
        left.set(xscale="log", yscale="log", xlim=ends, ylim=ends, xlabel="measured step, ms", ylabel="predicted step, ms")
        for axis in (left.xaxis, left.yaxis):
            axis.set_major_formatter("{x:g}")
            axis.set_minor_formatter("")
        left.set_title("Time of a step (band: ±20 %)")
        left.legend(loc="upper left")
        places = list(range(len(rows)))[::-1]
        colours = [_KINDS[_kind(row)]["color"] for row in rows]
        right.axvspan(-100 * _BAND, 100 * _BAND, color=GREY, alpha=0.15)
        right.barh(places, [100 * row["error"] for row in rows], color=colours, height=0.7)
        right.axvline(0, color=BLACK, linewidth=1)
        right.set_yticks(places, [f"{row['processes']} ranks, {row['label']}" for row in rows], fontsize=7.5)
        right.yaxis.tick_right()
        right.set_xlabel("error of the prediction, %")
        typical = f"; median of {len(judged)} judged: {median(abs(row['error']) for row in judged):.1%}" if judged else ""
        right.set_title(f"Error of each point{typical}")


def _kind(row: Mapping[str, Any]) -> str:
    return "judged, loss" if row["kind"] == "judged" and row["loss"] else str(row["kind"])
