"""Draws the pictures of docs/00-words.md into docs/images: three kinds of software, two neurons, eight links.

python docs/drawings.py        # writes the PNG files again, byte by byte the same with the same version of matplotlib

The speeds and delays are those of `conf/link`, and times come from the formula alpha_beta of docs/network-models.md.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch
from omegaconf import OmegaConf

from nnjax.interconnect.catalogue import FORMULAS
from nnjax.reporting.figures.canvas import BLACK, BLUE, GREY, ORANGE, RED, canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROOT = Path(__file__).parents[1]
GREEN, DARK_ORANGE = "#007A5A", "#8A5F00"  # dark enough for letters

LINES = {
    ("ethernet_1g",): ("Ethernet 1G", GREY),
    ("wifi",): ("Wi-Fi 5", RED),
    ("ethernet_10g",): ("Ethernet 10G", BLACK),
    ("roce_100g",): ("RoCE 100G", DARK_ORANGE),
    ("infiniband_400g", "roce_400g"): ("InfiniBand 400G, RoCE 400G", BLUE),
    ("nvlink",): ("NVLink 4", GREEN),
}
"""The lines of the third picture: presets with the same speed and delay share one."""

MESSAGES = {
    180: "180 B: the 45 weights\nof page 8",
    349_096: "349 kB: the CNN\nof page 10",
    4e9: "4 GB: a billion\nweights",
}


def link(preset: str) -> tuple[float, float]:
    """Bits a second and seconds one way of a preset of conf/link."""
    found = OmegaConf.load(ROOT / f"conf/link/{preset}.yaml")
    return float(found.bandwidth), float(found.latency)


def message_time(preset: str, size: float) -> float:
    """Seconds until a message of `size` bytes has arrived, without headers and losses."""
    bandwidth, latency = link(preset)
    return FORMULAS["alpha_beta"].function(
        rounds=1, latency=latency, sent_bytes=size, bandwidth=bandwidth, overhead=0, buffers=1
    )


def plain_axes(figure: "Figure", width: float, height: float) -> "Axes":
    """Axes for shapes: no frame, one unit is as long in x as in y."""
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(0, height), aspect="equal")
    axes.axis("off")
    return axes


def kinds_of_software(figure: "Figure") -> None:
    """Artificial intelligence, and inside it machine learning, and inside that deep learning."""
    axes = plain_axes(figure, 100, 54)
    boxes = [
        (1, 1, 98, 52, "#EDEDED", GREY, "artificial intelligence (AI)", "what seems to need a mind, by whatever means"),
        (4, 3, 92, 39, "#DCEBF5", BLUE, "machine learning (ML)", "examples set the numbers, no programmer does"),
        (7, 5, 86, 26, "#C7E3D8", GREEN, "deep learning (DL)", "a network of neurons with two or more hidden layers"),
    ]
    inside = [
        (47, "rules that people wrote: a chess program’s search, a diagnosis by if and then"),
        (36, "a line fitted to a link’s load; a spam filter that counts words"),
    ]
    for x, y, width, height, fill, edge, name, meaning in boxes:
        axes.add_patch(FancyBboxPatch((x, y), width, height, "round,pad=0,rounding_size=2", fc=fill, ec=edge, lw=1.4))
        axes.text(x + 2.5, y + height - 3, name, weight="bold", va="center", size=11)
        axes.text(x + width - 2.5, y + height - 3, meaning, va="center", ha="right", size=9, style="italic")
    for y, text in inside:
        axes.text(50, y - 1, text, va="center", ha="center", size=9)
    columns = [
        (14, "FNN: feed-forward", "every neuron is joined\nto all of the layer before", "full"),
        (43, "CNN: convolutional", "a neuron sees a small patch;\nall patches share weights", "patch"),
        (72, "RNN: recurrent", "a state goes from step to step;\nall steps share weights", "loop"),
    ]
    for x, name, meaning, kind in columns:
        axes.text(x + 7, 23.5, name, ha="center", va="center", weight="bold", size=9)
        axes.text(x + 7, 8.5, meaning, ha="center", va="center", size=8)
        _layers(axes, x, kind)


def _layers(axes: "Axes", x: float, kind: str) -> None:
    """A thumbnail of two layers of neurons, with the links of one kind of network."""
    above = [(x + 3.5 + 3.5 * index, 20.0) for index in range(3)]
    below = [(x + 3.5 * index, 13.0) for index in (range(1, 4) if kind == "loop" else range(5))]
    for column, (right, top) in enumerate(above):
        for row, (left, bottom) in enumerate(below):
            if kind == "full" or (kind == "patch" and 0 <= row - column <= 2) or (kind == "loop" and row == column):
                axes.plot([left, right], [bottom, top], color=GREY, lw=0.8, zorder=1)
        if kind == "loop" and column:
            _arrow(axes, above[column - 1], (right, top), RED, shrink=5)
    for place in below:
        axes.add_patch(Circle(place, 1, fc="white", ec=BLACK, zorder=2))
    for place in above:
        axes.add_patch(Circle(place, 1, fc=ORANGE, ec=BLACK, zorder=2))


def _arrow(axes: "Axes", start: tuple[float, float], end: tuple[float, float], color: str, shrink: float = 0) -> None:
    axes.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=9, color=color, shrinkA=shrink, shrinkB=shrink))


def two_neurons(figure: "Figure") -> None:
    """A cell and the formula of page 1, each part of the formula below the part of the cell that it stands for."""
    axes = plain_axes(figure, 100, 66)
    axes.text(2, 63.5, "in the brain", weight="bold", size=11, va="center")
    axes.text(2, 29.5, "in this package", weight="bold", size=11, va="center")
    axes.axhline(32, color="#CCCCCC", lw=1)
    _cell(axes)
    _formula(axes)


def _cell(axes: "Axes") -> None:
    body, heights = (46, 47), (57, 47, 37)
    for height in heights:
        axes.plot([3, 16], [height, height], color=GREY, lw=2.5)
        axes.add_patch(Circle((17.2, height), 1.2, fc=RED, ec="none", zorder=3))
        axes.plot([19.2, 25, 41], [height, height, 47 + (height - 47) * 0.25], color=BLUE, lw=2.5)
        for offset in (-2.2, 2.2):
            axes.plot([20, 25], [height + offset, height], color=BLUE, lw=1.4)
    axes.add_patch(Circle(body, 6.5, fc="#FBE3B0", ec=ORANGE, lw=2, zorder=3))
    axes.add_patch(Circle(body, 2, fc=ORANGE, ec="none", zorder=4))
    axes.plot([52.5, 80], [47, 47], color=GREEN, lw=3)
    for height in (55, 47, 39):
        axes.plot([80, 86], [47, height], color=GREEN, lw=2)
        axes.add_patch(Circle((86.8, height), 1.2, fc=RED, ec="none", zorder=3))
    for x, y, text, color in [
        (9.5, 60, "axons of\nother cells", GREY),
        (17.2, 33.8, "synapses", RED),
        (30, 58.5, "dendrites", BLUE),
        (46, 56.3, "cell body: fires if\nthe sum is strong", DARK_ORANGE),
        (66, 50, "axon", GREEN),
        (91.5, 59.5, "to other cells", GREY),
    ]:
        axes.text(x, y, text, color=color, ha="center", va="center", size=9)


def _formula(axes: "Axes") -> None:
    neuron = OmegaConf.load(ROOT / "conf/neuron.yaml")
    parts = [(f"x{index}", f"w{index}", *pair) for index, pair in enumerate(zip(neuron.inputs, neuron.weights, strict=True), 1)]
    parts.append(("bias", "w0", 1.0, neuron.bias))
    z = sum(value * weight for _, _, value, weight in parts)
    paper = {"fc": "white", "ec": "none", "pad": 1}
    for (name, name_of_weight, value, weight), height in zip(parts, (25, 18, 11, 4), strict=True):
        axes.text(9.5, height, f"{name} = {value}", ha="center", va="center", size=10, color=BLACK if name == "bias" else GREY)
        axes.plot([15, 40.5], [height, 14.5 + (height - 14.5) * 0.3], color=BLUE, lw=1 + 4 * weight, zorder=1)
        place = (23, height + (14.5 - height) * 0.22)
        axes.text(*place, f"{name_of_weight} = {weight}", ha="center", va="center", size=9, color=RED, bbox=paper, zorder=2)
    axes.add_patch(Circle((46, 14.5), 6.5, fc="#FBE3B0", ec=ORANGE, lw=2))
    axes.text(46, 14.5, f"z = Σ w·x\n= {z:.4g}", ha="center", va="center", size=9)
    _arrow(axes, (52.5, 14.5), (58, 14.5), ORANGE)
    axes.add_patch(FancyBboxPatch((58, 10.5), 13, 8, "round,pad=0,rounding_size=1", fc="#FBE3B0", ec=ORANGE, lw=2))
    axes.plot([60, 64.5, 69], [12.5, 12.5, 16.8], color=BLACK, lw=1.8)
    _arrow(axes, (71, 14.5), (86, 14.5), GREEN)
    axes.text(78, 16.5, f"y = {max(0.0, z):.4g}", ha="center", va="center", size=10, color=GREEN)
    axes.text(91.5, 14.5, "to the next\nlayer", ha="center", va="center", size=9, color=GREY)
    for x, y, text, color in [
        (46, 23.3, "weighted sum", DARK_ORANGE),
        (64.5, 21, "activation: relu", DARK_ORANGE),
        (30, 26.5, "weights", RED),
    ]:
        axes.text(x, y, text, color=color, ha="center", va="center", size=9)


def links(figure: "Figure") -> None:
    """How long a message takes on each link, by its size: the delay where it is small, the speed where it is large."""
    axes = figure.add_subplot()
    sizes = np.logspace(1, 10.5, 200)
    for presets, (name, color) in LINES.items():
        times = [message_time(presets[0], size) for size in sizes]
        axes.plot(sizes, times, color=color)
        axes.annotate(name, (sizes[-1], times[-1]), (5, 0), textcoords="offset points", va="center", color=color, size=8.5)
    for size, text in MESSAGES.items():
        axes.axvline(size, color=BLACK, ls=":", lw=0.9)
        axes.text(size * 1.25, 2e4, text, va="top", size=8)
    axes.set(xscale="log", yscale="log", xlim=(10, sizes[-1]), ylim=(1e-6, 3e4))
    axes.set_xticks([1e1, 1e3, 1e6, 1e9], ["10 B", "1 kB", "1 MB", "1 GB"])
    axes.set_yticks([1e-6, 1e-3, 1, 60, 3600], ["1 µs", "1 ms", "1 s", "1 min", "1 h"])
    axes.minorticks_off()
    axes.set(title="Until a message has arrived", xlabel="size of the message")


DRAWINGS = {
    "00-words_ai.png": (kinds_of_software, 8.0, 4.32),
    "00-words_neurons.png": (two_neurons, 8.0, 5.28),
    "00-words_links.png": (links, 7.4, 3.9),
}


def draw(folder: Path, names: Iterable[str] = DRAWINGS) -> None:
    """Writes pictures into a folder."""
    for name in names:
        drawing, width, height = DRAWINGS[name]
        with canvas(folder / name, width, height) as figure:
            drawing(figure)


if __name__ == "__main__":
    draw(ROOT / "docs/images")
