"""What a page of a report is made of: sections of plain blocks, which `report_page.html` lays out.

Section("Result", [Words("98 of 100 right."), Table(("Class", "Accuracy"), [("cat", "99 %"), ("dog", "97 %")])])

A block holds text and numbers, never markup; only a chart's SVG is markup, which `nnjax.reporting.figures.inline_chart` draws.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

Cell = str
DEEP = 0.8


@dataclass(frozen=True)
class Words:
    """A paragraph.

    Attributes:
        text: plain text.
        tone: "note" is small print, "bad" is a warning.
    """

    kind: ClassVar[str] = "words"
    text: str
    tone: Literal["plain", "note", "bad"] = "plain"


@dataclass(frozen=True)
class Code:
    """A command, or another text to copy as it is."""

    kind: ClassVar[str] = "code"
    text: str


@dataclass(frozen=True)
class Facts:
    """Names with their values, in two columns."""

    kind: ClassVar[str] = "facts"
    rows: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        heads: names of the columns.
        rows: a cell for each column.
        caption: what the rows are.
        text_columns: number of columns from the left that hold text; the others are numbers, and stand to the right.
        folded: shown only after a click, and on paper.
    """

    kind: ClassVar[str] = "table"
    heads: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""
    text_columns: int = 1
    folded: bool = False

    @property
    def least(self) -> list[int]:
        """The least width of each column in letters; 0 for numbers and short texts, which break between words alone."""
        longest = [max((len(row[column]) for row in self.rows), default=0) for column in range(len(self.heads))]
        return [min(14, most // 2) if n < self.text_columns and most > 16 else 0 for n, most in enumerate(longest)]


@dataclass(frozen=True)
class Bars:
    """A table whose second column is drawn as a bar, too.

    Attributes:
        heads: names of the two columns.
        rows: name, length of the bar from 0 to 1, and the number as text.
        caption: what the rows are.
    """

    kind: ClassVar[str] = "bars"
    heads: tuple[str, str]
    rows: Sequence[tuple[str, float, str]]
    caption: str = ""


@dataclass(frozen=True)
class Drawing:
    """A chart with its numbers as a table.

    Attributes:
        svg: an `<svg>` element.
        caption: what it shows.
        numbers: the same as a table.
    """

    kind: ClassVar[str] = "drawing"
    svg: str
    caption: str
    numbers: Table


@dataclass(frozen=True)
class Picture:
    """A picture.

    Attributes:
        source: a PNG as a `data:` URI; empty where the example is no picture.
        title: the line above.
        caption: the lines below.
        description: for readers who do not see it.
    """

    source: str
    title: str
    caption: str
    description: str


@dataclass(frozen=True)
class Pictures:
    """A grid of small pictures, or one large one.

    Attributes:
        pictures: in order.
        large: whether each takes the page's width.
    """

    kind: ClassVar[str] = "pictures"
    pictures: Sequence[Picture]
    large: bool = False


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix as a table with shaded cells.

    Attributes:
        names: of the classes.
        counts: [true][predicted].
        shades: [true][predicted] from 0 to 1; from `DEEP` on, letters are light.
    """

    kind: ClassVar[str] = "matrix"
    names: Sequence[str]
    counts: Sequence[Sequence[int]]
    shades: Sequence[Sequence[float]]


Block = Words | Code | Facts | Table | Bars | Drawing | Pictures | Matrix


@dataclass(frozen=True)
class Section:
    """A part of a page with a heading."""

    title: str
    blocks: Sequence[Block]
    wide: bool = False


@dataclass(frozen=True)
class Headline:
    """A number at the top of the page: its name, its value, and what stands below it in small print."""

    name: str
    value: str
    below: str = ""


@dataclass(frozen=True)
class Page:
    """A whole page.

    Attributes:
        title: heading, and title of the window.
        subtitle: the line below.
        status: a word for how it ended, and whether that is good.
        headlines: the numbers at the top.
        sections: in reading order.
        footer: the last line.
    """

    title: str
    subtitle: str
    status: tuple[str, bool]
    headlines: Sequence[Headline] = ()
    sections: Sequence[Section] = field(default_factory=list)
    footer: str = ""
