"""What every figure shares: the look, colours that differ for every eye and in grey, and whole files.

with canvas(path, width=6, height=4) as figure:
    figure.add_subplot().plot(x, y, color=BLUE)
"""

import functools
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnjax.reporting.figures.drawing import import_matplotlib, plain_matplotlib
from nnjax.reporting.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

# Okabe and Ito's palette: told apart with any colour vision, and unlike in lightness.
BLUE, ORANGE, RED, BLACK, GREY = "#0072B2", "#E69F00", "#D55E00", "#000000", "#767676"
_DPI = 120

_STYLE: dict[str, Any] = {
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
    "figure.constrained_layout.use": True,
    "svg.fonttype": "none",  # letters, not their outlines: small, and can be searched
    "svg.hashsalt": "nnjax",  # else the names inside are drawn by lot
    "text.parse_math": False,  # a class may be named "$5 or $10"
}

# Asked after matplotlib's own font for what it lacks, where one is installed.
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
    """A figure to draw on, which is saved to `path`, whole or not at all, on leaving.

    Args:
        path: the PNG file.
        width: in inches.
        height: in inches.
        svg: save an SVG beside it too, the same bytes for the same figure.
    """
    with plain_matplotlib(_STYLE | {"font.family": _fonts()}), warnings.catch_warnings():
        from matplotlib.figure import Figure

        # A character that no font has is drawn as a box, and that is all that comes of it.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure = Figure(figsize=(width, height))
        yield figure
        look: dict[str, Any] = {"dpi": _DPI, "bbox_inches": "tight", "pad_inches": 0.12}
        with replacing(path) as temporary:
            figure.savefig(temporary, format="png", **look)
        if svg:
            with replacing(path.with_suffix(".svg")) as temporary:
                figure.savefig(temporary, format="svg", metadata={"Date": None}, **look)


Extent = tuple[float, float, float, float]  # left, right, bottom, top


@contextmanager
def tiles(path: Path, count: int, title: str, *, side: float, caption: float = 0.0) -> Iterator[tuple["Axes", list[Extent]]]:
    """A nearly square grid of pictures, saved as `canvas` does.

    All are on the same axes, since axes for each would take most of the time.

    Args:
        path: the PNG file.
        count: number of pictures.
        title: stands over the grid.
        side: of a picture, in inches.
        caption: height left free above each picture, in inches.

    Yields:
        The axes, in inches, and the square on them where each picture goes: see `draw_tile`.
    """
    rows, columns = grid_shape(count)
    gap = 0.12
    width, height = columns * (side + gap), rows * (side + caption + gap)
    with canvas(path, width, height) as figure:
        figure.set_layout_engine("none")
        figure.text(0, 1 + 0.06 / height, title, fontsize=10, va="bottom")
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        places = []
        for index in range(count):
            row, column = divmod(index, columns)
            left, bottom = column * (side + gap), height - (row + 1) * (side + caption + gap) + gap
            places.append((left, left + side, bottom, bottom + side))
        yield axes, places
        axes.set(xlim=(0, width), ylim=(0, height), aspect="auto")  # each picture had set its own


def draw_tile(axes: "Axes", place: Extent, picture: "NDArray[Any]", **look: Any) -> Extent:
    """TrialParams a picture in the middle of a square, as large as fits, and returns where it lies.

    Args:
        axes: as `tiles` yields them.
        place: the square.
        picture: [h, w] or [h, w, 3].
        look: options of `imshow`.
    """
    left, right, bottom, top = place
    longest = max(picture.shape[:2])
    down, across = ((1 - length / longest) * (right - left) / 2 for length in picture.shape[:2])
    extent = (left + across, right - across, bottom + down, top - down)
    axes.imshow(picture, extent=extent, interpolation="nearest", **look)
    return extent


def preload() -> None:
    """Imports what drawing needs, which takes half a second: in a thread, that passes while the devices compute."""
    _fonts()
    import matplotlib.backends.backend_agg
    import matplotlib.figure  # noqa: F401


def line_looks(count: int) -> list[dict[str, Any]]:
    """Colours and line styles for `count` lines, no two alike up to 20."""
    colours = (BLUE, ORANGE, BLACK, RED, GREY)
    styles: tuple[Any, ...] = ("-", (0, (5, 1.2)), (0, (1, 1.2)), (0, (5, 1.2, 1, 1.2)))
    # Neighbours differ in both, so that they do in grey too.
    return [{"color": colours[i % 5], "linestyle": styles[i % 4]} for i in range(count)]


def log_scale_if_wide(axes: "Axes", values: Sequence[float]) -> None:
    """A logarithmic y axis where values above 0 span more than two decades and none is below; a 0 has no place on it."""
    finite = [value for value in values if math.isfinite(value) and value != 0]
    if finite and min(finite) > 0 and max(finite) > 100 * min(finite):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("")


def grid_shape(count: int) -> tuple[int, int]:
    """Rows and columns of a nearly square grid of `count` cells."""
    columns = math.ceil(math.sqrt(count))
    return math.ceil(count / columns), columns


@functools.cache
def _fonts() -> list[str]:
    import_matplotlib()
    from matplotlib.font_manager import fontManager

    installed = set(fontManager.get_font_names())
    return ["DejaVu Sans", *(font for font in _WIDE_FONTS if font in installed)]
