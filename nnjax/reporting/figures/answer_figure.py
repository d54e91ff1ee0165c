"""How a picture got its answer: the steps of its preparation, where the network looked, and the probabilities.

draw_answer(path, name="photo.png", steps=prepared.steps, looked=heat, labels=labels, values=probabilities, spread=spread,
    is_class=True, remarks=prepared.notes)
"""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nnjax.reporting.figures.canvas import BLACK, BLUE, GREY, canvas
from nnjax.reporting.text import number_text, short_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_BARS = 12
_MOST_STEPS = 6
_SIDE = 2.1  # of a picture, in inches


def draw_answer(
    path: Path,
    *,
    name: str,
    steps: Sequence[tuple[str, NDArray[Any]]],
    looked: NDArray[Any] | None,
    labels: Sequence[str],
    values: NDArray[Any],
    spread: NDArray[Any],
    is_class: bool,
    remarks: Sequence[str] = (),
) -> None:
    """Draws pictures from the given one to the network's, an overlay of where it looked, and a bar for each class.

    Args:
        path: the PNG file.
        name: of the picture.
        steps: names and pictures, [h, w] or [h, w, 3] uint8; the last is what the network gets.
        looked: [h, w] by how much the answer falls where the picture is covered; None draws none.
        labels: one for each class or value.
        values: [k] probabilities, or values of a regression.
        spread: [k] their standard deviations over several trials.
        is_class: whether the values are probabilities.
        remarks: lines below the pictures.
    """
    shown = steps if len(steps) <= _MOST_STEPS else (steps[0], *steps[1 - _MOST_STEPS :])
    panels = len(shown) + (looked is not None)
    bars = min(len(labels), _MOST_BARS)
    widths = [1.0] * panels + [1.5]
    with canvas(path, width=_SIDE * sum(widths) + 0.4, height=max(_SIDE + 0.5, 0.2 * bars + 0.9)) as figure:
        *pictures, last = figure.subplots(1, panels + 1, width_ratios=widths)
        for axes, (title, picture) in zip(pictures, shown, strict=False):
            _draw_picture(axes, picture, title)
        if looked is not None:
            _draw_overlay(pictures[-1], shown[-1][1], looked)
        _draw_bars(last, labels, values, spread, is_class)
        shown_name = name.encode("utf-8", "backslashreplace").decode()  # matplotlib refuses the half of a surrogate pair
        figure.suptitle(shown_name, x=0.01, ha="left", fontsize=10)
        if remarks:
            figure.supxlabel(textwrap.fill("; ".join(remarks), int(17 * sum(widths) * _SIDE)), x=0.01, ha="left", fontsize=8)


def _draw_picture(axes: "Axes", picture: NDArray[Any], title: str) -> None:
    axes.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set_title("\n".join(textwrap.fill(line, 24) for line in title.splitlines()), fontsize=9)
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    axes.spines[:].set(visible=True, color=GREY, linewidth=0.5)  # a white picture has no edge of its own


def _draw_overlay(axes: "Axes", picture: NDArray[Any], looked: NDArray[Any]) -> None:
    """The network's picture in pale grey, under blue where it speaks for the answer and red where it speaks against it."""
    grey = picture if picture.ndim == 2 else picture.mean(axis=2)  # a blue or red picture would look like an answer
    _draw_picture(axes, (160 + grey * (95 / 255)).astype(np.uint8), "where it looked:\nblue for, red against")
    limit = float(np.abs(looked).max()) or 1.0
    axes.imshow(looked, cmap="RdBu", vmin=-limit, vmax=limit, alpha=0.8 * np.abs(looked) / limit, interpolation="nearest")


def _draw_bars(axes: "Axes", labels: Sequence[str], values: NDArray[Any], spread: NDArray[Any], is_class: bool) -> None:
    order = np.arange(len(labels)) if len(labels) <= _MOST_BARS else np.sort(np.argsort(-values, kind="stable")[:_MOST_BARS])
    names = short_names([labels[place] for place in order], 16)
    factor = 100 if is_class else 1
    best = int(values.argmax()) if is_class else -1
    colors = [BLUE if place == best else GREY for place in order]
    error = factor * spread[order] if spread.any() else None
    axes.barh(range(len(order)), factor * values[order], xerr=error, color=colors, height=0.7, ecolor=BLACK, capsize=2)
    for row, place in enumerate(order):
        text = f"{100 * values[place]:.1f}%" if is_class else number_text(float(values[place]))
        axes.annotate(f" {text}", (max(factor * float(values[place] + spread[place]), 0), row), va="center", fontsize=8)
    axes.set_yticks(range(len(order)), names)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    if is_class:
        axes.set_xlim(0, 118)
        axes.set_xticks([0, 50, 100], ["0", "50%", "100%"])
    axes.set_title("probability" if is_class else "value", fontsize=9)
