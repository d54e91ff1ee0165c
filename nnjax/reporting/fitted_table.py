"""A table for narrow terminals: cells break between words first, and inside a word only where that is not enough.

FittedTable([Column("job"), Column("hidden", breakable=True)], [Row(["0", "[512,256]"])])
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

_MIN_WIDTH = 4  # characters of a column, however narrow the terminal


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        name: the header.
        right: whether to align right, as for numbers.
        breakable: whether cells may break inside a word.
        whole: whether cells never break.
        optional: whether it is left out where its cells would have to break.
        words: whether optional columns are left out, too, before a word of this column breaks.
    """

    name: str
    right: bool = False
    breakable: bool = False
    whole: bool = False
    optional: bool = False
    words: bool = False


@dataclass(frozen=True)
class Row:
    """A row.

    Attributes:
        cells: a text for each column.
        style: the row's style, in rich's notation.
        styles: (column, style) pairs for single cells.
        ends_section: whether a gap follows.
    """

    cells: Sequence[str]
    style: str = ""
    styles: Sequence[tuple[int, str]] = ()
    ends_section: bool = False


@dataclass(frozen=True)
class FittedTable:
    """Columns and rows, laid out for the console's width."""

    columns: Sequence[Column]
    rows: Sequence[Row]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yields the table, laid out for `options.max_width`."""
        widths = self._widths(options.max_width)
        breaks = any(column.words and widths[place] < self._longest_word(place) for place, column in enumerate(self.columns))
        for place, column in reversed(list(enumerate(self.columns))):
            if column.optional and (breaks or widths[place] < self._longest(place)):
                yield from self._without(place).__rich_console__(console, options)
                return
        roomy = sum(widths) + 3 * len(widths) + 1 <= options.max_width
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=not roomy)
        for column, width in zip(self.columns, widths, strict=True):
            table.add_column(column.name, justify="right" if column.right else "left", overflow="fold", width=width)
        for row in self.rows:
            cells = [Text(text) for text in row.cells]
            for place, style in row.styles:
                cells[place].stylize(style)
            table.add_row(*cells, style=row.style, end_section=row.ends_section)
        yield table

    def _longest(self, place: int) -> int:
        """The width of a column's longest cell."""
        return max(map(cell_len, [self.columns[place].name, *(row.cells[place] for row in self.rows)]))

    def _longest_word(self, place: int) -> int:
        texts = [self.columns[place].name, *(row.cells[place] for row in self.rows)]
        return max((cell_len(word) for text in texts for word in text.split()), default=0)

    def _without(self, left_out: int) -> "FittedTable":
        """The table without a column."""
        places = [place for place in range(len(self.columns)) if place != left_out]
        rows = [
            replace(
                row,
                cells=[row.cells[place] for place in places],
                styles=[(places.index(place), style) for place, style in row.styles if place != left_out],
            )
            for row in self.rows
        ]
        return FittedTable([self.columns[place] for place in places], rows)

    def _widths(self, width: int) -> list[int]:
        """Each column's width in characters: the longest cell's, then narrowed from the widest column on until all fit."""
        texts = [[column.name, *(row.cells[place] for row in self.rows)] for place, column in enumerate(self.columns)]
        widths = [max(map(cell_len, several)) for several in texts]
        unbroken = [max((cell_len(word) for text in several for word in text.split()), default=1) for several in texts]
        least = [
            whole if column.whole else min(word, _MIN_WIDTH) if column.breakable else word
            for column, whole, word in zip(self.columns, widths, unbroken, strict=True)
        ]
        room = width - 2 * len(widths) - 2  # rich's edges and narrow gaps
        for smallest in (unbroken, least):
            smallest = [max(pair) for pair in zip(smallest, least, strict=True)]
            while sum(widths) > room and (wide := [place for place, size in enumerate(widths) if size > smallest[place]]):
                widths[max(wide, key=lambda place: widths[place])] -= 1
        return widths
