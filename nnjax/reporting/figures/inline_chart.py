"""Charts for the inside of a page: matplotlib's SVG, with the page's own colours, and the same numbers as a table.

chart = Chart("loss", "epoch", [Line("train", [1, 2, 3], [0.9, 0.5, 0.3]), Line("validation", [1, 2, 3], [0.9, 0.6, 0.5])])
Drawing(inline_svg(chart, "loss"), chart.title, numbers(chart))

Libraries that draw in the page by a script (Vega, Bokeh, Plotly) bring 0.8 to 5 MB of it, and a page may have 1 MB; nor does a
mail program run scripts. Matplotlib is here already. Its colours become CSS variables, so that a chart follows dark mode, and
lines differ in dash and mark, so that they differ in grey.
"""

import io
import math
import re
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from nnjax.reporting.figures.canvas import STYLE, fonts, log_scale_if_wide
from nnjax.reporting.figures.drawing import plain_matplotlib
from nnjax.reporting.page_blocks import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

T = TypeVar("T")

# Stand for the page's colours while matplotlib draws.
_INK, _RULE = "#010101", "#020202"
_LINES = ("#030303", "#040404", "#050505", "#060606", "#070707")
_VARIABLES = {_INK: "--ink", _RULE: "--rule"} | {colour: f"--line-{n}" for n, colour in enumerate(_LINES, start=1)}
_COLOUR = re.compile("|".join([*_VARIABLES, "#000000"]))

_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.4)), (0, (1, 1.2)), (0, (6, 1.2, 1, 1.2)))
_MARKS = ("o", "s", "D", "^", "v")
_MOST_MARKS = 30  # points of a line, for a mark on each
_MOST_POINTS = 400  # of a line
_MOST_ROWS = 60  # of a table
_LETTERS = 56  # fit beside one another above a chart
MOST_LINES = 12
_FONT = 9.0  # points
_SIZE, _SQUARE = (4.4, 3.1), (4.4, 4.2)  # inches


@dataclass(frozen=True)
class Line:
    """A line, or single points.

    Attributes:
        name: in the legend.
        x: places; not finite ones are left out.
        y: values; None breaks the line.
        low: lower end of a band around the line.
        high: its upper end.
        form: "points" are not joined; "mark" is one large point; "guide" is a thin line without a row in the table.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float | None]
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()
    form: Literal["line", "points", "mark", "guide"] = "line"


@dataclass(frozen=True)
class Chart:
    """A chart.

    Attributes:
        title: what it shows.
        x_label: of the axis below.
        lines: at most `MOST_LINES` besides guides.
        percent: whether the values are shares, which are shown as percentages.
        percent_x: the same for the places.
        log_x: a logarithmic axis below.
        log_y: a logarithmic axis for values over more than two decades.
        ticks: texts at places of the axis below; numbers if empty.
        square: as high as wide, from 0 to 1 both ways.
    """

    title: str
    x_label: str
    lines: Sequence[Line]
    percent: bool = False
    percent_x: bool = False
    log_x: bool = False
    log_y: bool = True
    ticks: Sequence[tuple[float, str]] = ()
    square: bool = False


def inline_svg(chart: Chart, name: str) -> str:
    """Draws a chart.

    Args:
        chart: what to draw.
        name: unique in the page, letters and digits; begins every id inside.

    Returns:
        An `<svg>` element without a size of its own. Its colours are the variables --ink, --rule and --line-1 to --line-5.
    """
    with plain_matplotlib(STYLE | {"font.family": fonts()} | _OWN), warnings.catch_warnings():
        from matplotlib.figure import Figure

        warnings.filterwarnings("ignore", message="Glyph .* missing")
        warnings.simplefilter("ignore", RuntimeWarning)  # losses of 1e300, before a divergence, overflow in an axis
        figure = Figure(figsize=_SQUARE if chart.square else _SIZE)
        axes = figure.add_subplot()
        rows = _draw(axes, chart)
        _leave_room(figure, axes, legend_rows=rows)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    return _for_page(file.getvalue(), chart, name)


def numbers(chart: Chart) -> Table:
    """Returns the chart's numbers: a row for each place, a column for each line.

    Long ones are thinned to even distances; the row of a mark stays.
    """
    lines = [line for line in chart.lines if line.form != "guide"]
    names = dict(chart.ticks)
    values: dict[tuple[float, int], dict[int, str]] = {}  # by place, and the number of earlier points of the line there
    for column, line in enumerate(lines):
        seen: Counter[float] = Counter()
        for x, y in zip(line.x, line.y, strict=True):
            values.setdefault((x, seen[x]), {})[column] = _shown(y, chart.percent)
            seen[x] += 1
    places = sorted(values)
    marked = {(x, 0) for line in lines if line.form == "mark" for x in line.x}
    chosen = sorted({*thinned(places, _MOST_ROWS), *marked})
    rows = [
        (names.get(place[0]) or _shown(place[0], chart.percent_x), *(values[place].get(n, "") for n in range(len(lines))))
        for place in chosen
    ]
    caption = f"{chart.title}: {len(chosen)} of {len(places)} rows" if len(chosen) < len(places) else chart.title
    return Table((chart.x_label, *(line.name for line in lines)), rows, caption)


def thinned(items: Sequence[T], most: int) -> list[T]:
    """Returns at most `most` items at even distances, the first and the last among them."""
    if len(items) <= most:
        return list(items)
    return [items[round(place * (len(items) - 1) / (most - 1))] for place in range(most)]


_OWN: dict[str, Any] = {
    "font.size": _FONT,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "grid.color": _RULE,
    "legend.fontsize": 8.5,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "axes.titley": 1.0,  # else matplotlib measures all texts for the place of a title, of which there is none
}


def _draw(axes: "Axes", chart: Chart) -> int:
    """Draws the lines, and returns the number of rows of the legend above them."""
    drawn = 0
    for line in chart.lines:
        points = [place for place, x in enumerate(line.x) if math.isfinite(x)]
        points = thinned(points, _MOST_POINTS)
        factor, across = 100 if chart.percent else 1, 100 if chart.percent_x else 1
        x, y = [across * line.x[place] for place in points], [_scaled(line.y[place], factor) for place in points]
        if line.form == "guide":
            axes.plot(x, y, color=_LINES[4], linewidth=0.9, linestyle=(0, (5, 1.4)), zorder=1)
            continue
        colour, dash, mark = _LINES[drawn % 5], _DASHES[drawn % 4], _MARKS[drawn % 5]
        style: dict[str, Any] = {"color": colour, "label": line.name, "marker": mark, "zorder": 3}
        if line.form == "line":
            few = len(points) <= _MOST_MARKS
            style |= {"linestyle": dash, "linewidth": 1.6, "markersize": 3.5, "marker": mark if few else ""}
        else:
            style |= {
                "linestyle": "",
                "markersize": 7 if line.form == "mark" else 4,
                "alpha": 1 if line.form == "mark" else 0.7,
            }
        axes.plot(x, y, **style)
        if line.low:
            low, high = ([_scaled(ends[place], factor) for place in points] for ends in (line.low, line.high))
            axes.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0, zorder=1)
        drawn += 1
    axes.set_xlabel(chart.x_label)
    axes.yaxis.set_offset_position("right")  # the legend is on the left
    if chart.log_x:
        _log_below(axes)
    if chart.square:
        axes.set(xlim=(0, 102), ylim=(0, 102), aspect="equal")
    elif chart.log_y and not chart.percent:
        log_scale_if_wide(axes, [y for line in chart.lines for y in line.y if y is not None])
    if chart.percent:
        axes.yaxis.set_major_formatter("{x:.4g}%")
    if chart.percent_x:
        axes.xaxis.set_major_formatter("{x:.4g}%")
    if chart.ticks:
        shown = thinned(list(chart.ticks), 6)
        axes.set_xticks([x for x, _ in shown], [text for _, text in shown])
    elif not chart.log_x:
        axes.locator_params(axis="x", nbins=6)
    if drawn > 1 or any(line.form == "mark" for line in chart.lines):
        # Above the axes: it never hides a line, and takes no width, of which a telephone has little.
        longest = max(len(line.name) for line in chart.lines if line.form != "guide")
        columns = max(1, min(drawn, _LETTERS // (longest + 6)))
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2, ncols=columns)
        return math.ceil(drawn / columns)
    return 0


def _leave_room(figure: "Figure", axes: "Axes", legend_rows: int) -> None:
    """Sets margins for the axes' texts by the number of their letters: a layout that measures them takes twice as long.

    The rows of a legend after the second make the figure higher.
    """
    letter = 0.62 * _FONT  # the width of a digit, in points
    across, up = (_longest(axis) for axis in (axes.xaxis, axes.yaxis))
    offset = _FONT if axes.yaxis.get_major_formatter().get_offset() else 0.0
    row = 1.65 * _FONT
    width, height = (72 * length for length in figure.get_size_inches())
    height += row * max(legend_rows - 2, 0)
    figure.set_size_inches(width / 72, height / 72)
    figure.subplots_adjust(
        left=min(max(12 + letter * up, letter * across / 2) / width, 0.4),
        right=1 - min(max(8, 2 + letter * across / 2) / width, 0.3),
        bottom=4.2 * _FONT / height,
        top=1 - max(8 + offset, 12 + row * legend_rows if legend_rows else 0) / height,
    )


def _longest(axis: Any) -> int:
    """The number of letters of an axis' longest text at a tick."""
    return max(map(len, axis.get_major_formatter().format_ticks(axis.get_majorticklocs())), default=0)


def _log_below(axes: "Axes") -> None:
    """A logarithmic axis below with plain numbers: matplotlib's own are TeX, and a narrow one would have one tick or none."""
    from matplotlib.ticker import LogLocator

    low, high = axes.get_xlim()
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if low > 0 and high < 300 * low else (1,), numticks=7))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")


def _scaled(value: float | None, factor: float) -> float:
    return math.nan if value is None else factor * value


def _shown(value: float | None, percent: bool) -> str:
    if value is None or not math.isfinite(value):
        return "not finite"
    return f"{100 * value:.4g} %" if percent else f"{value:.5g}"


def _for_page(text: str, chart: Chart, name: str) -> str:
    """Makes an element of an SVG file."""
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="([^"]*)"', rf'id="{name}-\1"', text)
    text = re.sub(r"url\(#", f"url(#{name}-", text)
    text = re.sub(r'\bxlink:href="#', f'href="#{name}-', text)
    text = _COLOUR.sub(lambda match: f"var({_VARIABLES.get(match[0], '--ink')})", text)
    head, rest = text.split(">", 1)
    box = re.search(r'viewBox="[^"]*"', head)
    assert box
    described = escape(
        f"{chart.title} over {chart.x_label}: {', '.join(line.name for line in chart.lines if line.form != 'guide')}"
    )
    return f'<svg class="chart" xmlns="http://www.w3.org/2000/svg" {box[0]} role="img" aria-label="{described}">{rest}'.strip()
