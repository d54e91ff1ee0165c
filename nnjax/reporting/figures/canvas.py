"""Shared by all figures: the style, colours that differ for any colour vision and in grey, and atomic files.

with canvas(path, width=6, height=4) as figure:          # a layout that suits any texts
    figure.add_subplot().plot(x, y, color=BLUE)
with sheet(path, width=6, height=4) as figure:           # in less than half the time, for the figures of each training
    figure.add_subplot().plot(x, y, color=BLUE)
"""

import functools
import io
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from nnjax.reporting.figures.drawing import import_matplotlib, plain_matplotlib
from nnjax.reporting.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

# Okabe and Ito's palette: distinguishable with any colour vision, and different in lightness.
BLUE, ORANGE, RED, BLACK, GREY = "#0072B2", "#E69F00", "#D55E00", "#000000", "#767676"
_DPI = 120
_PAD = 0.12  # inches of white around a figure
_MARGIN = 4.0  # inches around the axes of a sheet, for texts; what stays white is cut off

STYLE: dict[str, Any] = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "figure.titlesize": 11,
    "svg.fonttype": "none",  # letters instead of outlines: smaller and searchable
    "svg.hashsalt": "nnjax",  # else the ids inside are random
    "text.parse_math": False,  # a class may be named "$5 or $10"
}

# Fallbacks, if installed, for characters that matplotlib's own font lacks.
_WIDE_FONTS = (
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Noto Sans",
    "Hiragino Sans",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "WenQuanYi Micro Hei",
    "IPAexGothic",
    "Arial Unicode MS",
)


@contextmanager
def canvas(path: Path, width: float, height: float, *, svg: bool = False) -> Iterator["Figure"]:
    """Yields a figure to draw on, and saves it atomically to `path` at the end.

    Args:
        path: the PNG file.
        width: in inches.
        height: in inches.
        svg: also save an SVG beside it; equal figures give equal bytes.
    """
    with _figure(width, height, "constrained") as figure:
        yield figure
        options: dict[str, Any] = {"bbox_inches": "tight", "pad_inches": _PAD}
        with replacing(path) as temporary:
            figure.savefig(temporary, format="png", **options)
        if svg:
            with replacing(path.with_suffix(".svg")) as temporary:
                figure.savefig(temporary, format="svg", metadata={"Date": None}, **options)


@contextmanager
def sheet(path: Path, width: float, height: float, *, columns: int = 1, gap: float = 0.0) -> Iterator["Figure"]:
    """As `canvas`, but the axes' places are given.

    Matplotlib finds a layout by measuring each text, and the edges of a figure by drawing it: more than half of the time. Here
    the axes lie on a larger sheet, which is drawn once, and the white around them is cut off. Texts may reach 4 inches beyond
    the axes.

    Args:
        path: the PNG file.
        width: of the axes with the gaps between them, in inches.
        height: of the axes, in inches.
        columns: number of axes beside one another.
        gap: between two of them, in inches.
    """
    from PIL import Image

    whole = width + 2 * _MARGIN, height + 2 * _MARGIN
    with _figure(*whole, None) as figure:
        across, down = (_MARGIN / length for length in whole)
        figure.subplots_adjust(across, down, 1 - across, 1 - down, wspace=gap * columns / (width - gap * (columns - 1)))
        yield figure
        file = io.BytesIO()
        figure.savefig(file, format="rgba")
        w, h = figure.canvas.get_width_height()
        pixels = np.frombuffer(file.getbuffer(), np.uint8).reshape(h, w, 4)
        with replacing(path) as temporary:
            Image.fromarray(_cropped(pixels)[..., :3]).save(temporary, format="png", dpi=(_DPI, _DPI))


@contextmanager
def _figure(width: float, height: float, layout: Literal["constrained"] | None) -> Iterator["Figure"]:
    given = {"axes.titley": 1.0} if layout is None else {}  # else the place of a title is found by measuring the axes' texts
    with plain_matplotlib(STYLE | given | {"font.family": fonts()}), warnings.catch_warnings():
        from matplotlib.figure import Figure

        # A character missing from all fonts is drawn as a box, without a warning.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        yield Figure(figsize=(width, height), dpi=_DPI, layout=layout)  # matplotlib saves with a figure's own dpi


def _cropped(pixels: "NDArray[np.uint8]") -> "NDArray[np.uint8]":
    """The part of an image [h, w, 4] that is not white, with a border."""
    drawn = pixels.view(np.uint32)[..., 0] != 2**32 - 1
    rows, columns = (np.flatnonzero(drawn.any(axis=axis)) for axis in (1, 0))
    pad = round(_PAD * _DPI)
    return pixels[max(rows[0] - pad, 0) : rows[-1] + 1 + pad, max(columns[0] - pad, 0) : columns[-1] + 1 + pad]


Extent = tuple[float, float, float, float]  # left, right, bottom, top


@contextmanager
def tiles(path: Path, count: int, title: str, *, side: float, caption: float = 0.0) -> Iterator[tuple["Axes", list[Extent]]]:
    """A nearly square grid of pictures, saved as by `canvas`.

    All pictures share one axes object, since separate ones would take most of the time.

    Args:
        path: the PNG file.
        count: number of pictures.
        title: text above the grid.
        side: a picture's side, in inches.
        caption: free height above each picture, in inches.

    Yields:
        The axes, in inches, and each picture's square on them, for `draw_tile`.
    """
    rows, columns = grid_shape(count)
    gap = 0.12
    width, height = columns * (side + gap), rows * (side + caption + gap)
    with sheet(path, width, height) as figure:
        axes = figure.add_subplot()
        axes.set_title(title, pad=4)
        axes.set_axis_off()
        places = []
        for index in range(count):
            row, column = divmod(index, columns)
            left, bottom = column * (side + gap), height - (row + 1) * (side + caption + gap) + gap
            places.append((left, left + side, bottom, bottom + side))
        yield axes, places
        axes.set(xlim=(0, width), ylim=(0, height), aspect="auto")  # each picture has changed them


def draw_tile(axes: "Axes", place: Extent, picture: "NDArray[Any]", **options: Any) -> Extent:
    """Draws a picture centred in a square, as large as fits, and returns its extent.

    Args:
        axes: from `tiles`.
        place: the square.
        picture: [h, w] or [h, w, 3].
        options: keyword arguments of `imshow`.
    """
    left, right, bottom, top = place
    longest = max(picture.shape[:2])
    down, across = ((1 - length / longest) * (right - left) / 2 for length in picture.shape[:2])
    extent = (left + across, right - across, bottom + down, top - down)
    axes.imshow(picture, extent=extent, interpolation="nearest", **options)
    return extent


def preload() -> None:
    """Imports matplotlib, which takes half a second; call it in a thread while the devices compute."""
    fonts()
    import matplotlib.backends.backend_agg
    import matplotlib.figure  # noqa: F401


def line_styles(count: int) -> list[dict[str, Any]]:
    """Colours and line styles for `count` lines, all different up to 20."""
    colours = (BLUE, ORANGE, BLACK, RED, GREY)
    styles: tuple[Any, ...] = ("-", (0, (5, 1.2)), (0, (1, 1.2)), (0, (5, 1.2, 1, 1.2)))
    # Neighbours differ in both, and so in grey too.
    return [{"color": colours[i % 5], "linestyle": styles[i % 4]} for i in range(count)]


def log_scale_if_wide(axes: "Axes", values: Sequence[float], *, times: float = 100) -> None:
    """Sets a logarithmic y axis if the largest value is more than `times` the smallest, none negative; zeros are not shown."""
    finite = [value for value in values if math.isfinite(value) and value != 0]
    if finite and min(finite) > 0 and max(finite) > times * min(finite):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("")


def grid_shape(count: int) -> tuple[int, int]:
    """Rows and columns of a nearly square grid of `count` cells."""
    columns = math.ceil(math.sqrt(count))
    return math.ceil(count / columns), columns


@functools.cache
def fonts() -> list[str]:
    """The families of matplotlib's own font and of the fallbacks that are installed."""
    import_matplotlib()
    from matplotlib.font_manager import fontManager

    installed = set(fontManager.get_font_names())
    return ["DejaVu Sans", *(font for font in _WIDE_FONTS if font in installed)]
