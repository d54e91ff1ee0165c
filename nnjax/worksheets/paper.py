"""Pages of a PDF that are filled from the top: paragraphs and rows of cells in millimetres, with formulas in mathtext.

pages = Paper(pdf, *PAPERS["a4"])
pages.begin("Two neurons", "")
pages.row([Cell(["z_a", "="], 30), Cell([], 60, box=8)], rule=True)
pages.end()
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nnjax.worksheets.network_points import network_points
from nnjax.worksheets.sheet_parts import Drawing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAPERS = {"a4": (210.0, 297.0), "letter": (215.9, 279.4)}
"""Width and height in millimetres."""

_MARGIN = 15.0
_INCH = 25.4
_POINT = _INCH / 72
_PIXEL = _INCH / 96
_INK, _QUIET, _RULE = "#111111", "#555555", "#bbbbbb"
_LEADING = 1.55  # of the font size: room for an index below and a power above


@dataclass(frozen=True)
class Cell:
    """A part of a row.

    Attributes:
        words: between which a line may break; each may be mathtext.
        width: in millimetres.
        right: whether it stands to the right.
        box: height of a box to write in, in millimetres; 0 is none.
    """

    words: Sequence[str]
    width: float
    right: bool = False
    box: float = 0.0


class Paper:
    """The pages of a document; `y` is the distance from the top of the page, in millimetres."""

    def __init__(self, pdf: Any, width: float, height: float) -> None:
        self._pdf, self._size = pdf, (width, height)
        self._figure: Figure | None = None
        self._widths: dict[tuple[str, float, str], float] = {}
        self._drawn_to = 0.0
        self._title = ""
        self._page = 0
        self.width = width - 2 * _MARGIN
        self.y = 0.0

    def begin(self, title: str, beside: str) -> None:
        """Begins a sheet on a new page."""
        self._title, self._page = title, 0
        self._new_page()
        self.y += 6
        beside_width = self._width_of(beside, 9.5, "normal") if beside else 0.0
        self._text(_MARGIN, title, 13.5, weight="bold")
        if beside and self._width_of(title, 13.5, "bold") + beside_width + 6 > self.width:
            self.y += 8
        if beside:
            self._text(_MARGIN + self.width - beside_width, beside, 9.5)
        self.y += 5

    def end(self) -> None:
        """Writes the last page."""
        if self._figure is not None:
            self._pdf.savefig(self._figure)
            self._figure = None

    def paragraph(self, text: str) -> None:
        """Writes sentences over the whole width."""
        self.row([Cell(text.split(" "), self.width)], size=9.5)
        self.y += 1

    def caption(self, text: str, keep: float) -> None:
        """Writes a heading, on a new page if less than `keep` millimetres are left for it and its first rows."""
        if self.y + 9 + keep > self._bottom:
            self._new_page()
        self.y += 8
        self._text(_MARGIN, text, 10.5, weight="bold")
        self.y += 1.5

    def heads(self, texts: Sequence[str], widths: Sequence[float], right: int = 0) -> None:
        """Writes the names of columns; the last `right` of them stand to the right."""
        first = len(texts) - right
        cells = [
            Cell([text.replace(" ", "\u00a0")], width, right=at >= first)
            for at, (text, width) in enumerate(zip(texts, widths, strict=True))
        ]
        self.row(cells, size=8.0, rule=True, color=_QUIET)

    def row(
        self,
        cells: Sequence[Cell],
        *,
        size: float = 9.5,
        least: float = 0.0,
        rule: bool = False,
        color: str = _INK,
        on_new_page: Callable[[], None] | None = None,
    ) -> None:
        """Writes cells side by side, their lines broken between words; on a new page if they do not fit on this one.

        Args:
            cells: from left to right.
            size: of the font, in points.
            least: height of the row in millimetres, or more if its lines need it.
            rule: draw a line below.
            color: of the text.
            on_new_page: writes what a new page begins with.
        """
        lines = [self._lines(cell, size) for cell in cells]
        leading = size * _POINT * _LEADING
        height = max(least, max(map(len, lines)) * leading + 1.2)
        if self.y + height > self._bottom:
            self._new_page()
            if on_new_page is not None:
                on_new_page()
        top, x = self.y, _MARGIN
        for cell, parts in zip(cells, lines, strict=True):
            if cell.box:
                self._rectangle(x + 0.5, top + (height - cell.box) / 2, cell.width - 0.5, cell.box)
            self.y = top + (height - len(parts) * leading) / 2
            for part in parts:
                self.y += leading
                at = x + cell.width - sum(width for _, width in part) if cell.right else x
                for word, width in part:
                    self._text(at, word, size, color=color, raised=leading * 0.3)
                    at += width
            x += cell.width
        self.y = top + height
        if rule:
            self._line(_MARGIN, self.y, _MARGIN + self.width, self.y, _RULE, 0.5)

    def drawing(self, drawing: Drawing) -> float:
        """Draws a network to the right of what follows; returns the width that it takes, in millimetres."""
        points = network_points(drawing)
        width, left = points.width * _PIXEL, _MARGIN + self.width - points.width * _PIXEL
        for x1, y1, x2, y2 in points.edges:
            ends = (left + x1 * _PIXEL, self.y + y1 * _PIXEL, left + x2 * _PIXEL, self.y + y2 * _PIXEL)
            self._line(*ends, "#888888", 0.7)
        start = self.y
        for x, y, name, is_input in points.nodes:
            at_x, at_y = left + x * _PIXEL, start + y * _PIXEL
            self._node(at_x, at_y, is_input)
            text = rf"$\mathregular{{x_{{{name[1:]}}}}}$" if is_input else name
            self.y = at_y + 1.3
            self._text(at_x - self._width_of(text, 9.5, "normal") / 2, text, 9.5)
        self.y, self._drawn_to = start, start + points.height * _PIXEL
        return width + 6

    def below_drawing(self) -> None:
        """Goes below the drawing, if the text beside it is shorter."""
        self.y = max(self.y, self._drawn_to) + 2

    @property
    def _bottom(self) -> float:
        return self._size[1] - _MARGIN - 4

    def _new_page(self) -> None:
        from matplotlib.figure import Figure

        self.end()
        width, height = self._size
        self._figure = Figure(figsize=(width / _INCH, height / _INCH))
        self._page += 1
        self.y, self._drawn_to = _MARGIN, 0.0
        if self._page > 1:
            foot, self.y = f"{self._title}, page {self._page}", height - _MARGIN + 2
            self._text(_MARGIN, foot, 8, color=_QUIET)
            self.y = _MARGIN

    def _lines(self, cell: Cell, size: float) -> list[list[tuple[str, float]]]:
        """A cell's words with their widths, spaces included, line by line."""
        lines: list[list[tuple[str, float]]] = [[]] if cell.words else []
        space, used = size * _POINT * 0.32, 0.0
        for word in cell.words:
            width = self._width_of(word, size, "normal")
            if used and used + space + width > cell.width - (0 if cell.right else 2):
                lines.append([])
                used = 0.0
            if lines[-1]:
                before, old = lines[-1][-1]
                lines[-1][-1] = (before, old + space)
                used += space
            lines[-1].append((word, width))
            used += width
        return lines

    def _width_of(self, text: str, size: float, weight: str) -> float:
        """A text's width in millimetres."""
        from matplotlib.font_manager import FontProperties
        from matplotlib.textpath import text_to_path

        key = (text, size, weight)
        if key not in self._widths:
            font = FontProperties(family="DejaVu Sans", size=size, weight=weight)
            width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath="$" in text)
            self._widths[key] = float(width) * _POINT
        return self._widths[key]

    def _text(
        self, x: float, text: str, size: float, *, weight: str = "normal", color: str = _INK, raised: float = 0.0
    ) -> None:
        """Writes a text whose baseline is `raised` above y."""
        assert self._figure is not None
        width, height = self._size
        options: dict[str, Any] = {"size": size, "weight": weight, "color": color, "va": "baseline", "ha": "left"}
        self._figure.text(x / width, 1 - (self.y - raised) / height, text, **options)

    def _line(self, x1: float, y1: float, x2: float, y2: float, color: str, thickness: float) -> None:
        from matplotlib.lines import Line2D

        assert self._figure is not None
        width, height = self._size
        xs, ys = (x1 / width, x2 / width), (1 - y1 / height, 1 - y2 / height)
        self._figure.add_artist(Line2D(xs, ys, color=color, linewidth=thickness, zorder=0))

    def _rectangle(self, x: float, y: float, width: float, height: float) -> None:
        self._patch("Rectangle", x, y, width, height)

    def _node(self, x: float, y: float, is_input: bool) -> None:
        wide, high = (6.9, 5.8) if is_input else (6.9, 6.9)
        self._patch("Rectangle" if is_input else "Ellipse", x - wide / 2, y - high / 2, wide, high)

    def _patch(self, kind: str, x: float, y: float, width: float, height: float) -> None:
        """Draws a white shape with a dark edge into a rectangle."""
        from matplotlib import patches

        assert self._figure is not None
        across, down = self._size
        left, low, wide, high = x / across, 1 - (y + height) / down, width / across, height / down
        place = (left + wide / 2, low + high / 2) if kind == "Ellipse" else (left, low)
        options = {"facecolor": "white", "edgecolor": "#444444", "linewidth": 0.8, "transform": self._figure.transFigure}
        self._figure.add_artist(getattr(patches, kind)(place, wide, high, **options))
