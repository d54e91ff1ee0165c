"""The figures of a search: its course, the weight of each key, and every setting as a line across parallel axes.

draw_search(rows, ["error"], {"optimizer.learning_rate": True}, importances, run_dir / "figures/search.png")
draw_parallel_coordinates(rows, "error", {"optimizer.learning_rate": True}, run_dir / "figures/parallel_coordinates.png")
"""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnjax.reporting.figures.canvas import BLUE, GREY, ORANGE, RED, canvas, log_scale_if_wide
from nnjax.reporting.search_tables import Row, number_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_search(
    rows: Sequence[Row], objectives: Sequence[str], keys: Mapping[str, bool], importances: Mapping[str, float], path: Path
) -> None:
    """Draws the objective of each trial with the best one so far, and the importance of each key.

    With two objectives or more, the first two of each trial are drawn against each other, and a line joins the trials that no
    other one beats.

    Args:
        rows: of all trials.
        objectives: their names.
        keys: the searched ones.
        importances: by key; empty if there are none.
        path: the PNG file.
    """
    done = [row for row in rows if row["status"] == "completed"]
    with canvas(path, width=9.6 if importances else 6.0, height=3.6) as figure:
        panels = figure.subplots(1, 2 if importances else 1, squeeze=False, width_ratios=(2, 1) if importances else (1,))[0]
        if len(objectives) > 1:
            _draw_pair(panels[0], done, objectives)
        else:
            _draw_course(panels[0], rows, done, objectives[0])
        if importances:
            names = list(importances)[::-1]
            panels[1].barh(names, [importances[name] for name in names], color=BLUE, height=0.6)
            panels[1].set(xlim=(0, 1), title="share of the differences explained", xlabel="importance (fANOVA)")
            panels[1].grid(visible=False, axis="y")


def draw_parallel_coordinates(rows: Sequence[Row], objective: str, keys: Mapping[str, bool], path: Path) -> None:
    """Draws each completed trial as a line across one axis for each key and one for the objective.

    Args:
        rows: of all trials.
        objective: the name of the last axis; the best tenth of the trials by it is coloured, and the best one thicker.
        keys: the searched ones, each with whether its axis is logarithmic.
        path: the PNG file.
    """
    done = sorted((row for row in rows if row["status"] == "completed"), key=lambda row: -float(row[objective]))
    names = [*keys, objective]
    scales = {name: _Scale([row[name] for row in done], log=keys.get(name, False)) for name in names}
    with canvas(path, width=1.2 + 1.7 * len(names), height=4.0) as figure:
        axes = figure.add_subplot()
        for rank, row in enumerate(done):
            left = len(done) - rank  # trials that are no worse
            style: dict[str, Any] = {"color": GREY, "linewidth": 0.7, "alpha": 0.45}
            if left <= max(1, len(done) // 10):
                style = {"color": BLUE, "linewidth": 1.4, "alpha": 0.9}
            if left == 1:
                style = {"color": RED, "linewidth": 2.6}
            axes.plot(range(len(names)), [scales[name].place(row[name]) for name in names], **style)
        for index, name in enumerate(names):
            axes.axvline(index, color="black", linewidth=0.8)
            for place, text in scales[name].ticks():
                axes.text(index + 0.03, place, text, fontsize=7.5, va="center", bbox=_BEHIND)
        axes.set_xticks(range(len(names)), [name.replace(".", ".\n") for name in names])
        axes.set(xlim=(-0.1, len(names) - 0.6), ylim=(-0.05, 1.05), yticks=[])
        axes.spines["left"].set_visible(False)
        axes.grid(visible=False)
        axes.set_title(f"{len(done)} trials; blue: the best tenth by {objective}; red: the best")


_BEHIND: dict[str, Any] = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.8}


class _Scale:
    """An axis from 0 to 1 for the values of one key, in order where they are no numbers."""

    def __init__(self, values: Sequence[Any], *, log: bool) -> None:
        self._is_number = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
        self._log = log and self._is_number and all(value > 0 for value in values)
        shown = sorted(set(values)) if self._is_number else sorted(set(values), key=_natural)
        self._values = shown
        self._ends = (self._number(shown[0]), self._number(shown[-1])) if shown and self._is_number else (0.0, len(shown) - 1.0)

    def place(self, value: Any) -> float:
        """The height of a value."""
        low, high = self._ends
        number = self._number(value) if self._is_number else float(self._values.index(value))
        return (number - low) / (high - low) if high > low else 0.5

    def ticks(self) -> list[tuple[float, str]]:
        """Heights and labels: of all values of a few, else of five places."""
        if len(self._values) <= 8 and not any(isinstance(value, float) for value in self._values):
            return [(self.place(value), number_text(value)) for value in self._values]
        low, high = self._ends
        places = [index / 4 for index in range(5)]
        numbers = [low + place * (high - low) for place in places]
        return [(place, f"{math.exp(n) if self._log else n:.3g}") for place, n in zip(places, numbers, strict=True)]

    def _number(self, value: Any) -> float:
        return math.log(value) if self._log else float(value)


def _natural(value: Any) -> list[tuple[int, float, str]]:
    """Sorts text by the numbers in it: [64] before [128]."""
    parts = re.split(r"(\d+(?:\.\d+)?)", str(value))
    return [(1, float(part), "") if part[:1].isdigit() else (0, 0.0, part) for part in parts if part]


def _draw_course(axes: "Axes", rows: Sequence[Row], done: Sequence[Row], objective: str) -> None:
    axes.plot([row["trial"] for row in done], [row[objective] for row in done], "o", color=GREY, markersize=4, label="a trial")
    best: list[float] = []
    for row in done:
        best.append(min(row[objective], *best[-1:]) if best else row[objective])
    axes.step([row["trial"] for row in done], best, where="post", color=BLUE, label="the best so far")
    across = axes.get_xaxis_transform()  # heights are shares of the panel's
    for status, mark, colour in (("pruned", "|", ORANGE), ("diverged", "x", RED)):
        if numbers := [row["trial"] for row in rows if row["status"] == status]:
            axes.plot(numbers, [0.03] * len(numbers), mark, color=colour, transform=across, linestyle="", label=status)
    log_scale_if_wide(axes, [row[objective] for row in done])
    axes.set(title=f"validation {objective}", xlabel="trial")
    axes.legend()


def _draw_pair(axes: "Axes", done: Sequence[Row], objectives: Sequence[str]) -> None:
    first, second = objectives[:2]
    axes.plot([row[second] for row in done], [row[first] for row in done], "o", color=GREY, markersize=4, label="a trial")
    front: list[Row] = []
    for row in sorted(done, key=lambda row: (row[second], row[first])):
        if not front or row[first] < front[-1][first]:
            front.append(row)
    style: dict[str, Any] = {"where": "post", "marker": "o", "color": BLUE}
    axes.step([row[second] for row in front], [row[first] for row in front], label="not beaten in both", **style)
    values = [row[second] for row in done]
    if min(values) > 0 and max(values) > 30 * min(values):
        axes.set_xscale("log")
    else:
        axes.xaxis.set_major_formatter("{x:,.6g}")
    log_scale_if_wide(axes, [row[first] for row in done])
    axes.set(title=f"validation {first}" if first in ("error", "loss") else first, xlabel=second)
    axes.legend()
