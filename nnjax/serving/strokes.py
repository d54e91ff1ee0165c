"""Finds a drawn or written figure on its ground: dark on light or light on dark, under uneven light.

    figure = find_figure(grey)                             # [h, w] float32, 0 black to 1 white
    figure.ink                                             # [a, b] float32, 1 on strokes, 0 elsewhere, cut to the figure

The ground is found by a morphological closing (Serra, 1982): it fills strokes, which are narrow, and keeps shadows, which are
wide. Ink is measured as a share of the ground at its place, so that pencil in a shadow counts as much as in the light.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nnjax.serving.grey_pictures import Grey, box_of, closing, resized, smoothed, spread, stroke_width
from nnjax.serving.pieces import pieces

_COARSE = 160  # pixels of the longer side, where the figure is searched
_FINE = 160  # of the figure's longer side
_WIDEST_STROKE = 0.3  # of the picture's longer side
_GROUND_STROKES = 3.5  # mean widths of a stroke that the ground is searched over
_LIKELIER = 1.3  # are dark strokes on a bright ground, which shadows fall upon
_LEAST_CONTRAST = 0.05  # between ink and ground, as a share of the ground
_NOISE = 0.08  # of the ground, as a share of the ink of strokes: more is smoothed away
_SPECK = 0.03  # a component of less ink, as a share of the largest's, is dirt
_SAME = 0.08  # values of a picture's border that differ by no more are one ground
_EQUAL = 0.03  # values of a figure and of the border that differ by no more: it is a gap between strokes that reach the border
_EVEN = 0.4  # share of the border that must be one ground, for more of it to be put around the picture


@dataclass(frozen=True)
class Figure:
    """A figure that was found.

    Attributes:
        ink: [a, b] 1 on strokes, 0 on the ground, cut to the figure's box.
        seen: [h, w] ink in the whole picture at a coarse size, 0 to 1, to show.
        dark_on_light: whether strokes are darker than the ground.
        contrast: between strokes and ground, as a share of the ground.
        parts: the number of separate pieces that were kept.
        clutter: ink around the figure, as a share of the figure's: its 95th per cent.
        shades: by how much the darkest strokes (their 95th per cent) exceed usual ones, as a share.
        value: the usual value of its pixels, 0 to 1.
        at_border: whether it reaches the picture's border, as one that was cropped tightly does; it may be cut off.
    """

    ink: Grey
    seen: Grey
    dark_on_light: bool
    contrast: float
    parts: int
    clutter: float
    shades: float
    value: float
    at_border: bool = False


@dataclass(frozen=True)
class _Found:
    """A figure at the coarse size, for one of the two polarities; `step` is how much darker it is than a frame around it."""

    ground: Grey
    seen: Grey
    mask: NDArray[np.bool_]
    level: float
    parts: int
    step: float

    def is_gap_in(self, other: "_Found") -> bool:
        """Whether it is small, and within the other's box: thick strokes leave such gaps."""
        (top, bottom, left, right), outer = self.box, other.box
        within = outer[0] <= top and bottom <= outer[1] and outer[2] <= left and right <= outer[3]
        return within and self.mask.sum() < 0.2 * other.mask.sum() and other.step > 0.6 * self.step

    @property
    def reaches_border(self) -> bool:
        """Whether it lies on a pixel of the border."""
        return bool(self.mask[0].any() or self.mask[-1].any() or self.mask[:, 0].any() or self.mask[:, -1].any())

    @property
    def box(self) -> tuple[int, int, int, int]:
        """As of `box_of`."""
        return box_of(self.mask.astype(np.float32))


def find_figure(grey: Grey) -> Figure | None:
    """Returns the figure in a picture; None if nothing stands out from the ground.

    Both polarities are tried. Strokes differ from a frame around them. Gaps between strokes do not: a frame around a gap shows
    more of the same ground. A figure that was cropped tightly has no frame: where nothing is found, or what is found reaches
    the border, or has the border's value, as a gap in thick strokes has, more ground is put around the picture, if its border
    is mostly of one value. (Around paper with a shadow it would look like a frame of its own.)

    Args:
        grey: [h, w] 0 for black to 1 for white.
    """
    figure = _figure_of(grey)
    border = _frame(grey)
    ground = _commonest(border)
    is_gap = figure is not None and abs(figure.value - float(np.median(ground))) < _EQUAL
    if figure is not None and not figure.at_border and not is_gap:
        return figure
    if len(ground) < _EVEN * len(border):
        return figure
    wider = _figure_of(_on_more_ground(grey, ground))
    return figure if wider is None else replace(wider, at_border=True)


def _figure_of(grey: Grey) -> Figure | None:
    """As `find_figure`, in the picture as it is."""
    dark, light = _search(grey), _search(1 - grey)
    if dark is None and light is None:
        return None
    if dark is None or light is None or dark.is_gap_in(light) or light.is_gap_in(dark):
        is_dark = light is None or (dark is not None and light.is_gap_in(dark))
    else:  # on paper; on a board or a screen nothing speaks for dark strokes
        is_dark = (_LIKELIER if _border(grey) > 0.3 else 1.0) * dark.step >= light.step
    found = dark if is_dark else light
    assert found is not None
    cut = _cut(grey if is_dark else 1 - grey, found)
    if cut is None:
        return None
    ink, shades = cut
    value = float(np.median(resized(grey, found.mask.shape)[found.mask]))
    return Figure(ink, found.seen, is_dark, found.level, found.parts, _clutter(found), shades, value, found.reaches_border)


def is_dark_on_light(grey: Grey) -> bool:
    """Whether more differs downwards from the border's median than upwards."""
    middle = _border(grey)
    return bool(middle - grey.min() > grey.max() - middle)


def _frame(grey: Grey) -> Grey:
    """The values of the border."""
    return np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])


def _border(grey: Grey) -> float:
    return float(np.median(_frame(grey)))


def _commonest(values: Grey) -> Grey:
    """Those values that lie within `_SAME` of the one that most others lie near, in order."""
    ordered = np.sort(values)
    first = np.searchsorted(ordered, ordered - _SAME, "left")
    last = np.searchsorted(ordered, ordered + _SAME, "right")
    counts = last - first
    most = np.flatnonzero(counts == counts.max())
    middle = most[len(most) // 2]
    return ordered[first[middle] : last[middle]]


def _on_more_ground(grey: Grey, ground: Grey) -> Grey:
    """A picture amid more of the ground: its values in any order, for flat ground would hide that its noise is noise."""
    margin = max(2, max(grey.shape) // 4)
    height, width = grey.shape
    wider = np.random.default_rng(0).choice(ground, (height + 2 * margin, width + 2 * margin))
    wider[margin : margin + height, margin : margin + width] = grey
    return wider


def _search(grey: Grey) -> _Found | None:
    """Finds a figure that is darker than its ground."""
    scale = min(1.0, _COARSE / max(grey.shape))
    coarse = resized(grey, scale)
    darkest = -_pooled(-grey, coarse.shape)  # of each pixel's area, where a thin stroke would pale in the mean
    size, found = max(3, round(_WIDEST_STROKE * max(coarse.shape))), None
    while True:
        ground = closing(coarse, size)
        ink = ((ground - darkest) / np.maximum(ground, 0.05)).astype(np.float32)
        levels = _levels(ink)
        for _ in range(2):
            if levels is not None and 10 * _spread_of(ink)[1] < levels[1] - levels[0]:
                break
            ink = smoothed(ink)  # pencil, and the noise of a dark room
            levels = _levels(ink)
        if levels is None:
            return found
        none, full = levels
        mask, parts = _figure_mask(ink, none + 0.5 * (full - none))
        if not parts:
            return found
        seen = np.clip((ink - none) / (full - none), 0, 1)
        found = _Found(ground, seen, mask, full - none, parts, _step(coarse, darkest, mask))
        narrower = max(5, round(_GROUND_STROKES * stroke_width(mask.astype(np.float32))))
        if narrower > 0.7 * size:
            return found
        size = narrower  # fills strokes still, and less of a shadow's corners


def _step(grey: Grey, darkest: Grey, mask: NDArray[np.bool_]) -> float:
    """How much darker a figure is than frames around its box; half as much where it reaches the border, as shadows do.

    The least of several frames counts, near and far: around a gap the near one may lie on strokes.
    """
    top, bottom, left, right = box_of(mask.astype(np.float32))
    size, widest, steps = max(bottom - top, right - left), round(0.2 * max(grey.shape)), []
    for margin in (size // 8, size // 2, size, max(size, widest)):
        around = grey[max(0, top - margin - 2) : bottom + margin + 2, max(0, left - margin - 2) : right + margin + 2]
        steps.append(_border(around) - float(np.median(darkest[mask])))
    reaches = mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any()
    return min(steps) * (0.5 if reaches else 1.0)


def _clutter(found: _Found) -> float:
    """Ink near the figure but off it: its 95th per cent, within half the figure's size."""
    top, bottom, left, right = found.box
    reach = 4 + max(bottom - top, right - left) // 2
    near = np.s_[max(0, top - reach) : bottom + reach, max(0, left - reach) : right + reach]
    figure = found.mask.astype(np.float32)
    for _ in range(3):  # its edges are half ink
        figure = spread(figure, True)
    around = found.seen[near][figure[near] < 0.5]
    return float(np.quantile(around, 0.95)) if len(around) else 0.0


def _pooled(grey: Grey, shape: tuple[int, ...]) -> Grey:
    """The largest value in each pixel's area, after the mean over a quarter of its side (against noise)."""
    height, width = shape
    times = min(4, grey.shape[0] // height, grey.shape[1] // width)
    areas = resized(grey, (height * times, width * times)).reshape(height, times, width, times)
    return np.asarray(areas.max((1, 3)))


def _levels(ink: Grey) -> tuple[float, float] | None:
    """The usual ink of the ground and of strokes; None where strokes do not stand out from the noise of the ground."""
    none, noise = _spread_of(ink)
    on = ink[ink > none + max(_LEAST_CONTRAST, 5 * noise)]
    if not len(on):
        return None
    full = float(np.quantile(on, 0.8))
    return none, float(np.median(ink[ink > none + 0.5 * (full - none)]))


def _spread_of(values: Grey) -> tuple[float, float]:
    """Median, and the standard deviation by the median deviation, which strokes hardly change."""
    middle = float(np.median(values))
    return middle, float(np.median(np.abs(values - middle))) / 0.6745


def _figure_mask(ink: Grey, above: float) -> tuple[NDArray[np.bool_], int]:
    """Where the figure is, and of how many pieces: without specks, and without what reaches in over the border."""
    labels, count = pieces(ink > above)
    if not count:
        return np.zeros(ink.shape, bool), 0
    mass = np.bincount(labels.ravel(), ink.ravel(), count + 1)
    mass[0] = 0
    border = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    inner = mass.copy()
    inner[border] = 0
    if inner.max() < 0.1 * mass.max():
        inner = np.where(mass == mass.max(), mass, 0)  # the figure itself reaches the border
    kept = inner >= _SPECK * inner.max()
    kept[0] = False
    return kept[labels], int(kept.sum())


def _cut(grey: Grey, found: _Found) -> tuple[Grey, float] | None:
    """Ink of the figure alone, from the picture at its full size, cut to the figure's box; and its `shades`."""
    wide = spread(spread(found.mask.astype(np.float32), True), True)
    top, bottom, left, right = box_of(wide)
    down, along = grey.shape[0] / wide.shape[0], grey.shape[1] / wide.shape[1]
    cut = np.ascontiguousarray(grey[int(top * down) : round(bottom * down), int(left * along) : round(right * along)])
    factor = _FINE / max(cut.shape)
    shape = max(1, round(cut.shape[0] * factor)), max(1, round(cut.shape[1] * factor))
    ground, near = (resized(np.ascontiguousarray(part[top:bottom, left:right]), shape) for part in (found.ground, wide))
    fine = resized(cut, shape) if factor > 0.5 else -_pooled(-cut, shape)
    ink = ((ground - fine) / np.maximum(ground, 0.05)).astype(np.float32)
    on = near > 0.5
    for _ in range(4):
        none, noise = _spread_of(ink[~on]) if (~on).any() else (0.0, 0.0)
        if noise < _NOISE * found.level:
            break
        ink = smoothed(ink)
    above = ink[on & (ink > none + 0.5 * found.level)]
    if not len(above):
        return None
    full, darkest = (float(value) for value in np.quantile(above, (0.5, 0.95)))
    # Half of the level is the edge of a stroke; values near it keep the antialiasing.
    ink = np.clip(2 * (ink - none) / (full - none) - 0.5, 0, 1) * on
    top, bottom, left, right = box_of(ink)
    return np.asarray(ink[top:bottom, left:right], np.float32), (darkest - full) / (full - none)
