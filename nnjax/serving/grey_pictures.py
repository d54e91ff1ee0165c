"""Grey pictures as arrays: resized, strokes measured, widened and filled.

stroke_width(ink)                                      # 12.3 pixels
with_stroke_width(ink, 9.0)                            # narrower strokes
closing(grey, 49)                                      # what is left without dark strokes
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Grey = NDArray[np.float32]


def stroke_width(ink: Grey) -> float:
    """The mean width of strokes in pixels: twice the area divided by the length of its edge; 0 without ink.

    A stroke of width w and length l ≫ w has the area wl and the edge 2l. The edge is the total variation, which an antialiased
    edge does not change.
    """
    padded = np.pad(ink, 1)
    down, right = np.diff(padded, axis=0)[:, :-1], np.diff(padded, axis=1)[:-1]
    edge = float(np.sqrt(down**2 + right**2).sum())
    return 2 * float(ink.sum()) / edge if edge else 0.0


def with_stroke_width(ink: Grey, width: float) -> Grey:
    """Widens or narrows strokes to a mean width in pixels; the array grows by as much as strokes do, on all sides."""
    steps = round((width - stroke_width(ink)) / 2)
    if steps > 0:
        ink = np.pad(ink, steps)
    for step in range(abs(steps)):  # crosses and squares in turn make octagons
        ink = spread(ink, step % 2 == 1) if steps > 0 else 1 - spread(1 - ink, step % 2 == 1)
    return ink


def box_of(ink: Grey, above: float = 0.5) -> tuple[int, int, int, int]:
    """Top, bottom, left and right (bottom and right exclusive) of what lies above a value; the whole array if nothing does."""
    rows, columns = np.flatnonzero((ink > above).any(1)), np.flatnonzero((ink > above).any(0))
    if not len(rows):
        return 0, ink.shape[0], 0, ink.shape[1]
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def resized(grey: Grey, scale: float | tuple[int, int]) -> Grey:
    """Resizes [h, w] by a factor, or to (h, w): the mean over each pixel's area, bicubic where it grows."""
    height, width = grey.shape
    size = scale if isinstance(scale, tuple) else (max(1, round(height * scale)), max(1, round(width * scale)))
    if size == grey.shape:
        return grey
    method = Image.Resampling.BOX if size[0] <= height and size[1] <= width else Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(grey).resize(size[::-1], method))


def spread(ink: Grey, square: bool) -> Grey:
    """The largest of each pixel and its four neighbours, or its eight."""
    padded = np.pad(ink, 1, mode="edge")
    middle = np.maximum(np.maximum(padded[:-2], padded[2:]), padded[1:-1])
    if square:
        return np.maximum(np.maximum(middle[:, :-2], middle[:, 2:]), middle[:, 1:-1])
    return np.maximum(np.maximum(padded[1:-1, :-2], padded[1:-1, 2:]), middle[:, 1:-1])


def smoothed(ink: Grey) -> Grey:
    """The mean of 3 × 3 pixels."""
    padded = np.pad(ink, 1, mode="edge")
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    return np.asarray((rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) / np.float32(9))


def closing(grey: Grey, size: int) -> Grey:
    """Fills whatever is darker than its surroundings and narrower than a square of `size` pixels."""
    half = size // 2
    for axis in (0, 1):
        grey = _running(np.maximum, grey, half, axis)
    for axis in (0, 1):
        grey = _running(np.minimum, grey, half, axis)
    return grey


def _running(largest: np.ufunc, grey: Grey, half: int, axis: int) -> Grey:
    """The largest (or smallest) of the 2·half + 1 pixels around each, along an axis; by doubling, in log₂ steps."""
    widths = [(0, 0), (0, 0)]
    widths[axis] = (half, half)
    values = np.moveaxis(np.pad(grey, widths, mode="edge"), axis, 0)
    reach = 1  # each value already covers so many
    while reach < 2 * half + 1:
        step = min(reach, 2 * half + 1 - reach)
        values = largest(values[:-step], values[step:])
        reach += step
    return np.moveaxis(values, 0, axis)
