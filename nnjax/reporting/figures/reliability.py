"""A reliability diagram: how often a classifier is right, by how sure it is, before and after temperature scaling.

reliability_diagram(summary["calibration"], run_dir / "figures/calibration.png")
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnjax.reporting.figures.canvas import BLUE, GREY, ORANGE, sheet
from nnjax.reporting.text import percent_text, temperature_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FEW = 10  # examples
_SMALLEST, _LARGEST = 8.0, 160.0  # marks, in square points


def reliability_diagram(calibration: Mapping[str, Any], path: Path) -> None:
    """Draws accuracy over confidence, as trained and, where a temperature was fitted, with it.

    Marks on the diagonal are calibrated; below it the network is surer than it is right. A mark's area is the share of the
    examples in its bin: where small ones lie, chance decides, and the line leaves out those of fewer than ten examples. One
    panel shows both, since panels take most of the time, which every training spends.

    Args:
        calibration: as in `summary.json`.
        path: the PNG file.
    """
    before, after = (percent_text(calibration[f"ece_{state}"]) for state in ("before", "after"))
    with sheet(path, width=3.9, height=3.4) as figure:
        axes = figure.add_subplot()
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=(0, (5, 1.2)))
        if calibration["fitted_on"]:
            _draw_bins(axes, calibration, "before", "s", ORANGE, f"as trained, error {before}")
            _draw_bins(axes, calibration, "after", "o", BLUE, f"{temperature_text(calibration['temperature'])}, error {after}")
        else:
            _draw_bins(axes, calibration, "before", "o", BLUE, f"as trained, error {before}; nothing was fitted")
        axes.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1.02), ylim=(0, 1.02))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_ticks([0, 0.25, 0.5, 0.75, 1], ["0", "25%", "50%", "75%", "100%"])
        axes.set_title("calibration on the test split; areas are shares of examples")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.06), borderaxespad=0, fontsize=8)


def _draw_bins(axes: "Axes", calibration: Mapping[str, Any], state: str, marker: str, color: str, label: str) -> None:
    filled = [each[state] for each in calibration["bins"] if each[state]["count"]]
    x, y = [each["confidence"] for each in filled], [each["accuracy"] for each in filled]
    total = sum(each["count"] for each in filled)
    areas = [_SMALLEST + (_LARGEST - _SMALLEST) * each["count"] / total for each in filled]
    line = [(each["confidence"], each["accuracy"]) for each in filled if each["count"] >= _FEW]
    axes.plot(*zip(*line, strict=True) if line else ((), ()), color=color, linewidth=0.8, alpha=0.6)
    axes.scatter(x, y, s=areas, color=color, marker=marker, label=label, clip_on=False, zorder=3)
