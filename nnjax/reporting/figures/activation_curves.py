"""Curves of activations and their derivatives, with a pre-activation value z marked.

curves = [ActivationCurve("tanh", z, tanh(z), 1 - tanh(z) ** 2, at=(0.641077, 0.589020))]
activation_curves(0.76, curves, run_dir / "figures/activations.png")
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nnjax.reporting.figures.canvas import BLACK, BLUE, GREY, RED, canvas
from nnjax.reporting.text import number_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS = 3
_MIN_LIMIT = 6.0  # beyond ±6 an S-shaped curve is flat


@dataclass(frozen=True)
class ActivationCurve:
    """One activation's curves.

    Attributes:
        name: the activation's name.
        z: [n] points.
        values: [n] f(z).
        derivatives: [n] f′(z).
        at: f and f′ at the marked z.
    """

    name: str
    z: NDArray[np.float64]
    values: NDArray[np.float64]
    derivatives: NDArray[np.float64]
    at: tuple[float, float]


def plot_range(z: float) -> NDArray[np.float64]:
    """The 241 points of a curve: symmetric around 0, with the marked z well inside."""
    limit = max(_MIN_LIMIT, 1.25 * abs(z))
    return np.linspace(-limit, limit, 241)


def activation_curves(z: float, curves: Sequence[ActivationCurve], path: Path) -> None:
    """Draws a panel for each activation: f as a solid line, f′ as a dashed one, both marked at z.

    Args:
        z: the value to mark.
        curves: the activations, drawn three in a row.
        path: the PNG file; an SVG is written beside it.
    """
    columns = min(_COLUMNS, len(curves))
    rows = -(-len(curves) // columns)
    with canvas(path, width=3.2 * columns, height=2.9 * rows, svg=True) as figure:
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, curve in zip(panels, curves, strict=False):
            _draw(axes, z, curve)
        for axes in panels[len(curves) :]:
            axes.set_axis_off()


def _draw(axes: "Axes", z: float, curve: ActivationCurve) -> None:
    axes.axhline(0, color=GREY, linewidth=0.8)
    axes.axvline(z, color=BLACK, linestyle=":", linewidth=1)
    styles = (
        ("f", curve.values, curve.at[0], {"color": BLUE, "linestyle": "-"}, "o"),
        ("f′", curve.derivatives, curve.at[1], {"color": RED, "linestyle": (0, (4, 1.5))}, "s"),
    )
    for name, values, at, style, marker in styles:
        axes.plot(curve.z, values, **style)
        axes.plot([z], [at], marker=marker, color=style["color"], markersize=6, markeredgecolor="white", zorder=3)
        end = (curve.z[-1], values[-1])
        axes.annotate(name, end, xytext=(4, 0), textcoords="offset points", va="center", color=style["color"], clip_on=False)
    axes.set_xlim(curve.z[0], curve.z[-1])
    axes.set_title(f"{curve.name}\nf = {number_text(curve.at[0])},  f′ = {number_text(curve.at[1])}")
    axes.set_xlabel(f"z, marked at {number_text(z)}")
    axes.locator_params(nbins=6)
