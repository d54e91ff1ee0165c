"""What the first layer of a convolutional network looks for.

first_layer_filters(params["blocks"][0]["kernel"], run_dir / "figures/first_layer_filters.png")
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnjax.reporting.figures.canvas import canvas, grid_shape, show_image

_MOST_FILTERS = 64


def first_layer_filters(kernel: NDArray[Any], path: Path) -> None:
    """A grid of the first 64 filters, each scaled by its own largest weight.

    Three channels are drawn as red, green and blue around grey; one channel as orange for negative and purple for positive
    weights; any other number as the mean over channels.

    Args:
        kernel: [kh, kw, c, features] weights.
        path: the PNG file.
    """
    in_colour = kernel.shape[2] == 3
    filters = np.moveaxis(np.asarray(kernel, np.float32), -1, 0)
    shown = filters[:_MOST_FILTERS] if in_colour else filters[:_MOST_FILTERS].mean(axis=3)
    largest = np.abs(shown).max(axis=tuple(range(1, shown.ndim)), keepdims=True)
    scaled = shown / np.where(largest > 0, largest, 1)
    rows, columns = grid_shape(len(scaled))
    with canvas(path, width=max(4.0, 0.75 * columns), height=0.75 * rows + 0.9) as figure:
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes in panels:
            axes.set_axis_off()
        for axes, weights in zip(panels, scaled, strict=False):
            if in_colour:
                show_image(axes, (weights + 1) / 2)
            else:
                show_image(axes, weights, cmap="PuOr", vmin=-1, vmax=1)
        of_all = f"first {len(shown)} of {len(filters)}" if len(filters) > len(shown) else str(len(filters))
        size = "×".join(str(side) for side in kernel.shape[:3])
        figure.suptitle(f"first layer: {of_all} filters, {size}", x=0.01, ha="left")
        if not in_colour:
            bar = figure.colorbar(panels[0].images[0], ax=list(panels), fraction=0.05, aspect=30, ticks=[-1, 0, 1])
            bar.set_ticklabels(["−max", "0", "+max"])
            bar.outline.set_visible(False)
