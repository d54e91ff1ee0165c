"""A classifier's mistakes: the confusion matrix, and the misclassified examples of highest loss.

confusion_matrix(labels, predictions, dataset.class_names, run_dir / "figures/confusion_matrix.png")
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nnjax.reporting.figures.canvas import BLACK, GREY, RED, canvas, draw_tile, sheet, tiles
from nnjax.reporting.text import short_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MAX_COUNTED = 20  # classes, for a number in every cell
_MAX_NAMED = 120  # classes, for names on the axes
_MAX_LISTED = 40  # mistakes in the list beside a large matrix
_NAME_LENGTH = 22


def confusion_matrix(labels: NDArray[Any], predictions: NDArray[Any], class_names: Sequence[str], path: Path) -> None:
    """Draws the confusion matrix, true classes by row and predicted ones by column; shades are shares of a row's examples.

    For up to 20 classes each cell shows its count. For more, a list beside the matrix names the commonest mistakes, and the
    figure grows with the number of classes so that their names stay readable.

    Args:
        labels: [n] true class numbers.
        predictions: [n] predicted class numbers.
        class_names: one for each class.
        path: the PNG file.
    """
    num_classes = len(class_names)
    counts = np.zeros((num_classes, num_classes), np.int64)
    np.add.at(counts, (np.asarray(labels, np.int64), np.asarray(predictions, np.int64)), 1)
    names = short_names(class_names, _NAME_LENGTH)
    right, total = int(np.trace(counts)), len(labels)
    title = f"{right:,} of {total:,} right ({100 * right / max(total, 1):.2f}%)"
    if num_classes <= _MAX_COUNTED:
        side = max(4.2, 0.48 * num_classes + 1.6)
        with sheet(path, width=side - 0.2, height=side - 0.9) as figure:
            axes = figure.add_subplot()
            _draw_matrix(figure, axes, counts, names, title)
            _write_counts(axes, counts)
    else:
        side = max(7.0, 0.115 * min(num_classes, _MAX_NAMED) + 2)
        with canvas(path, width=side + 4.6, height=side) as figure:
            axes, beside = figure.subplots(1, 2, width_ratios=[side, 4])
            _draw_matrix(figure, axes, counts, names, title)
            _list_confusions(beside, counts, names, min(_MAX_LISTED, int(3.1 * side)))


def _draw_matrix(figure: "Figure", axes: "Axes", counts: NDArray[np.int64], names: Sequence[str], title: str) -> None:
    from matplotlib.colors import PowerNorm

    # The square root makes one mistake in a hundred visible.
    norm = PowerNorm(0.5, vmin=0, vmax=1)
    image = axes.imshow(_shares(counts), cmap="Blues", norm=norm, interpolation="nearest")
    axes.grid(visible=False)
    axes.set(xlabel="predicted", ylabel="true")
    axes.set_title(title)
    font_size = 9 if len(names) <= 12 else 8 if len(names) <= 40 else 6.5
    axes.tick_params(length=0, labelsize=font_size)
    if len(names) <= _MAX_NAMED:
        axes.set_yticks(range(len(names)), names)
        cell = axes.get_position().width * figure.get_figwidth() * 72 / len(names)  # in points
        upright = max(map(len, names)) * 0.7 * font_size > cell
        axes.set_xticks(range(len(names)), names, rotation=90 if upright else 0)
    bar = figure.colorbar(image, ax=axes, fraction=0.035, pad=0.02, ticks=[0, 0.01, 0.1, 0.5, 1])
    bar.set_ticklabels(["0", "1%", "10%", "50%", "100%"])
    bar.ax.tick_params(length=0, labelsize=8)
    bar.set_label("share of the true class", fontsize=8)


def _write_counts(axes: "Axes", counts: NDArray[np.int64]) -> None:
    shares = _shares(counts)
    size = 9 if counts.max() < 1_000 and len(counts) <= 12 else 7
    for row, column in np.argwhere(counts):
        color = "white" if shares[row, column] > 0.3 else BLACK
        axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=color, fontsize=size)


def _list_confusions(axes: "Axes", counts: NDArray[np.int64], names: Sequence[str], most: int) -> None:
    mistakes = counts - np.diag(np.diag(counts))
    order = np.argsort(-mistakes, axis=None, kind="stable")[:most]
    pairs = [pair for pair in zip(*np.unravel_index(order, counts.shape), strict=True) if mistakes[pair]]
    axes.set_axis_off()
    axes.set_title("commonest mistakes, true → predicted" if pairs else "no mistakes")
    for line, (row, column) in enumerate(pairs):
        place: dict[str, Any] = {"xy": (0.1, 1), "xycoords": "axes fraction", "textcoords": "offset points", "fontsize": 9}
        below = -16 * (line + 1)
        axes.annotate(str(mistakes[row, column]), xytext=(0, below), ha="right", color=RED, **place)
        axes.annotate(f"{names[row]} → {names[column]}", xytext=(8, below), **place)


def _shares(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.asarray(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))


def worst_mistakes(
    images: NDArray[Any],
    labels: NDArray[Any],
    predictions: NDArray[Any],
    losses: NDArray[Any],
    confidence: NDArray[Any],
    class_names: Sequence[str],
    path: Path,
    *,
    count: int = 25,
) -> None:
    """Draws the misclassified examples of highest loss, with the true class, the predicted class and its confidence.

    If no example is misclassified, the figure says so and shows the examples of highest loss.

    Args:
        images: [n, h, w, c], uint8 or float; drawn from black (0, or the smallest negative value) to white (the largest value).
        labels: [n] true class numbers.
        predictions: [n] predicted class numbers.
        losses: [n] each example's loss.
        confidence: [n] each prediction's probability, from 0 to 1.
        class_names: one for each class.
        path: the PNG file.
        count: maximum number of examples.
    """
    wrong = np.flatnonzero(predictions != labels)
    chosen = wrong if len(wrong) else np.arange(len(labels))
    chosen = chosen[np.argsort(-losses[chosen], kind="stable")][:count]
    if len(wrong) == 0:
        title = f"no mistakes in {len(labels):,} test examples; the {len(chosen)} of highest loss"
    elif len(wrong) > len(chosen):
        title = f"the {len(chosen)} worst of {len(wrong):,} mistakes in {len(labels):,} test examples"
    else:
        mistakes = "the only mistake" if len(wrong) == 1 else f"all {len(wrong)} mistakes"
        title = f"{mistakes} in {len(labels):,} test examples"
    title += "\ntrue class, → the predicted one and how sure"
    low, high = min(float(images.min()), 0.0), float(images.max())
    names = short_names(class_names, 16)
    with tiles(path, len(chosen), title, side=1.5, caption=0.36) as (axes, places):
        for place, index in zip(places, chosen, strict=True):
            scaled = (np.asarray(images[index], np.float32) - low) / ((high - low) or 1)
            picture = scaled if scaled.shape[2] == 3 else scaled.mean(axis=2)
            left, _, _, top = draw_tile(axes, place, picture, cmap="gray", vmin=0, vmax=1)
            color = GREY if predictions[index] == labels[index] else RED
            above: dict[str, Any] = {"xy": (left, top), "textcoords": "offset points", "fontsize": 8}
            axes.annotate(names[labels[index]], xytext=(0, 14), **above)
            axes.annotate(f"→ {names[predictions[index]]}  {100 * confidence[index]:.0f}%", xytext=(0, 3), color=color, **above)
