"""The first-layer filters of a convolutional network.

first_layer_filters(params["blocks"][0]["kernel"], run_dir / "figures/first_layer_filters.png")
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnjax.reporting.figures.canvas import draw_tile, tiles

_MAX_FILTERS = 64


def first_layer_filters(kernel: NDArray[Any], path: Path) -> None:
    """Draws a grid of the first 64 filters, each scaled by its largest weight.

    Three channels are drawn as red, green and blue around grey. One channel is drawn orange for negative weights, white for
    zero and purple for positive ones; any other number of channels likewise, by their mean.

    Args:
        kernel: [kh, kw, c, features] weights.
        path: the PNG file.
    """
    in_colour = kernel.shape[2] == 3
    filters = np.moveaxis(np.asarray(kernel, np.float32), -1, 0)
    shown = filters[:_MAX_FILTERS] if in_colour else filters[:_MAX_FILTERS].mean(axis=3)
    largest = np.abs(shown).max(axis=tuple(range(1, shown.ndim)), keepdims=True)
    scaled = shown / np.where(largest > 0, largest, 1)
    of_all = f"{len(shown)} of {len(filters)}" if len(filters) > len(shown) else str(len(filters))
    size = "×".join(str(side) for side in kernel.shape[:3])
    title = f"first layer: {of_all} filter{'s' if len(filters) > 1 else ''} {size}"
    if not in_colour:
        title += "\norange: negative, purple: positive"
    with tiles(path, len(scaled), title, side=0.55) as (axes, places):
        for place, weights in zip(places, scaled, strict=True):
            if in_colour:
                draw_tile(axes, place, (weights + 1) / 2)
            else:
                draw_tile(axes, place, weights, cmap="PuOr", vmin=-1, vmax=1)
