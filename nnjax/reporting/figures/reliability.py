"""A reliability diagram: how often a classifier is right, by how sure it is, before and after temperature scaling.

reliability_diagram(summary["calibration"], run_dir / "figures/calibration.png")
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnjax.reporting.figures.canvas import BLUE, GREY, ORANGE, canvas
from nnjax.reporting.text import percent_text, temperature_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def reliability_diagram(calibration: Mapping[str, Any], path: Path) -> None:
    """Draws accuracy over confidence, and below it how many examples each bin holds; where a temperature was fitted, twice.

    Points on the diagonal are calibrated; below it the network is surer than it is right. Bins of fewer than ten examples are
    hollow, since chance decides where they lie.

    Args:
        calibration: as in `summary.json`.
        path: the PNG file.
    """
    bins = calibration["bins"]
    states = ("before", "after") if calibration["fitted_on"] else ("before",)
    with canvas(path, width=3.9 * len(states) + 0.2 * (len(states) == 1), height=4.7) as figure:
        grid = figure.subplots(2, len(states), height_ratios=[3.4, 1], squeeze=False, sharex=True, sharey="row")
        for column, state in enumerate(states):
            upper, lower = grid[:, column]
            _draw_bins(upper, bins, state)
            _draw_counts(lower, bins, state)
            error = percent_text(calibration[f"ece_{state}"])
            upper.set_title(f"{_titles(calibration)[state]}\ncalibration error {error}")
            if column == 0:
                upper.set_ylabel("accuracy")
                lower.set_ylabel("examples")
        kinds = {label: line for axes in grid[0] for line, label in zip(*axes.get_legend_handles_labels(), strict=True)}
        figure.legend(kinds.values(), kinds, loc="outside lower left", ncols=2, fontsize=8)


def _titles(calibration: Mapping[str, Any]) -> Mapping[str, str]:
    if not calibration["fitted_on"]:
        return {"before": "as trained; nothing was fitted"}
    return {"before": "as trained", "after": temperature_text(calibration["temperature"])}


def _draw_bins(axes: "Axes", bins: Sequence[Mapping[str, Any]], state: str) -> None:
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=(0, (5, 1.2)))
    filled = [each[state] for each in bins if each[state]["count"]]
    x, y = [each["confidence"] for each in filled], [each["accuracy"] for each in filled]
    axes.vlines(x, [min(pair) for pair in zip(x, y, strict=True)], [max(pair) for pair in zip(x, y, strict=True)], color=ORANGE)
    axes.plot(x, y, color=BLUE, linewidth=0.8, alpha=0.5)
    for few, face in ((False, BLUE), (True, "white")):
        shown = [each for each in filled if (each["count"] < 10) == few]
        if not shown:  # a line of no points has no extent, which the layout cannot take
            continue
        axes.plot(
            [each["confidence"] for each in shown],
            [each["accuracy"] for each in shown],
            linestyle="",
            marker="o",
            markersize=5,
            color=BLUE,
            markerfacecolor=face,
            clip_on=False,
            label="a bin of fewer than ten" if few else "a bin of ten examples or more",
        )
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}%")
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}%")


def _draw_counts(axes: "Axes", bins: Sequence[Mapping[str, Any]], state: str) -> None:
    counts = [each[state]["count"] for each in bins]
    width = bins[0]["to"] - bins[0]["from"]
    middles = [(each["from"] + each["to"]) / 2 for each in bins]
    axes.bar(middles, counts, width=0.9 * width, color=BLUE)
    axes.set_yscale("log")
    axes.set_ylim(bottom=0.7)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.yaxis.set_minor_formatter("")
    axes.set_xlabel("confidence")
