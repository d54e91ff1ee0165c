"""Small pictures as text, for the inside of a page: PNG files as `data:` URIs.

picture_of(images[7], low=0, high=255)           # "data:image/png;base64,…"
sheet_of(kernels)                                # many small ones side by side, one file
"""

import base64
import io
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MOST_PIXELS = 64  # of a side
_SHEET = 620  # pixels, about the width of the page
_NEGATIVE, _ZERO, _POSITIVE = (np.array(rgb, np.float32) for rgb in ((179, 88, 6), (247, 247, 247), (84, 39, 136)))


def picture_of(image: NDArray[Any], low: float, high: float) -> str:
    """Returns an example's picture, from black at `low` to white at `high`.

    Args:
        image: [h, w, c]; other channels than three are shown by their mean.
        low: the smallest value.
        high: the largest.
    """
    scaled = (np.asarray(image, np.float32) - low) / ((high - low) or 1)
    shown = scaled if scaled.shape[2] == 3 else scaled.mean(axis=2)
    step = max(1, math.ceil(max(shown.shape[:2]) / _MOST_PIXELS))
    return data_uri(_bytes(255 * shown[::step, ::step]))


def sheet_of(kernels: NDArray[np.float32]) -> str:
    """Returns a sheet of weights, each kernel scaled by its largest weight.

    Args:
        kernels: [n, h, w, c]. Three channels are drawn as red, green and blue around grey; any other number by its mean, orange
            for negative weights, white for zero and purple for positive ones.
    """
    in_colour = kernels.shape[3] == 3
    shown = kernels if in_colour else kernels.mean(axis=3)
    largest = np.abs(shown).max(axis=tuple(range(1, shown.ndim)), keepdims=True)
    shown = np.nan_to_num(shown / np.where(largest > 0, largest, 1))
    colours = 255 * (shown + 1) / 2 if in_colour else _diverging(shown)
    count, height, width = colours.shape[:3]
    columns = min(count, 16 if max(height, width) <= 8 else 8)
    scale = max(1, _SHEET // (columns * (width + 1)))
    gap = max(2, scale // 2)
    high, wide = height * scale + gap, width * scale + gap
    rows = math.ceil(count / columns)
    sheet = np.zeros((rows * high - gap, columns * wide - gap, 4), np.uint8)  # transparent between the kernels
    for index, each in enumerate(colours):
        top, left = index // columns * high, index % columns * wide
        tile = _bytes(each).repeat(scale, axis=0).repeat(scale, axis=1)
        sheet[top : top + tile.shape[0], left : left + tile.shape[1], :3] = tile
        sheet[top : top + tile.shape[0], left : left + tile.shape[1], 3] = 255
    return data_uri(sheet)


def shares_picture(shares: NDArray[np.float64], scale: int = 4) -> str:
    """Returns a matrix of shares from 0 to 1 as shades of blue; the square root makes one in a hundred visible.

    Zero is transparent, so that the page shows through, in dark mode, too.

    Args:
        shares: [rows, columns].
        scale: pixels of a cell's side.
    """
    shade = np.sqrt(np.clip(shares, 0, 1))
    cells = np.zeros((*shares.shape, 4), np.uint8)
    cells[..., :3] = (63, 127, 196)
    cells[..., 3] = _bytes(255 * shade)
    return data_uri(cells.repeat(scale, axis=0).repeat(scale, axis=1))


def data_uri(pixels: NDArray[np.uint8]) -> str:
    """Returns pixels as a PNG file inside a URI.

    Args:
        pixels: [h, w] grey, [h, w, 3] RGB or [h, w, 4] RGBA.
    """
    from PIL import Image

    file = io.BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    if pixels.ndim == 3 and pixels.shape[2] == 4 and pixels.size > 100_000:
        picture = picture.quantize(255)  # a sheet of flat colours is a tenth of the size with a palette
    picture.save(file, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def _diverging(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """[..., 3] colours of values from -1 to 1."""
    size = np.abs(values)[..., None]
    ends = np.where((values < 0)[..., None], _NEGATIVE, _POSITIVE)
    return np.asarray(_ZERO + (ends - _ZERO) * size, np.float32)


def _bytes(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Values from 0 to 255, rounded; what is outside, or not finite, is cut."""
    return np.asarray(np.clip(np.nan_to_num(values), 0, 255).round(), np.uint8)
