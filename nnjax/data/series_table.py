"""Splits a CSV file into columns, some thousand rows at a time; errors name the line.

with open_table(path) as table:
    table.header                                   # ["month", "sales"]
    for chunk in table.chunks():
        chunk.lines, chunk.columns[1]              # range(2, 4098), ["112", "118", …]
"""

import csv
import io
import re
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, TextIO

from nnjax.config.errors import DataError
from nnjax.config.paths import shown_path

_ROWS = 4096  # of a chunk
_BLOCK = 1 << 20
_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True)
class Chunk:
    """Rows of a table.

    Attributes:
        lines: the line of the file in which each row starts.
        columns: the cells, stripped of blanks.
    """

    lines: Sequence[int]
    columns: Sequence[Sequence[str]]


class Cells(Sequence[Sequence[str]]):
    """The columns of some rows; cells are stripped when a column is read, since few columns are."""

    def __init__(self, rows: Sequence[Sequence[str]]) -> None:
        self._columns = list(zip(*rows, strict=True))

    def __len__(self) -> int:
        return len(self._columns)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        return list(map(str.strip, self._columns[index]))


class Table:
    """A file that is read from its beginning to its end, once.

    Attributes:
        path: the file's path.
        header: names of the columns.
        first_line: where the header starts.
    """

    def __init__(self, path: Path, text: TextIO, delimiter: str) -> None:
        self.path = path
        self.header: list[str] = []
        self._line = self.first_line = 1  # where the next row starts
        self._reader = csv.reader(text, delimiter=delimiter, skipinitialspace=True, strict=True)
        while not any(self.header):
            self.first_line = self._line
            rows = self._next_rows(1)
            if not rows:
                fail(path, "is empty; must have a header line and one row a moment")
            self.header = [cell.strip() for cell in rows[0]]
            self._line = self._reader.line_num + 1

    def chunks(self) -> Iterator[Chunk]:
        """Yields the rows below the header; blank rows at the end are left out.

        Raises:
            DataError: if a row is blank, has more or fewer cells than the header, or cannot be split into cells.
        """
        blank: int | None = None
        while rows := self._next_rows(_ROWS):
            lines: Sequence[int] = range(self._line, self._line + len(rows))
            if self._reader.line_num != lines[-1]:  # a cell in quotes may span several lines
                lines = _starts(self._line, rows)
            self._line = self._reader.line_num + 1
            width = len(self.header)
            columns = Cells(rows) if blank is None and set(map(len, rows)) == {width} else Cells([])
            if not columns or "" in columns[0]:  # a row may be blank, or too long
                kept = []
                for line, row in zip(lines, rows, strict=True):
                    if not any(map(str.strip, row)):
                        blank = line if blank is None else blank
                    elif blank is not None:
                        fail(self.path, "is empty; a series has no gaps: fill it in, or take the line out", blank)
                    elif len(row) != width:
                        cells = f"{len(row)} cell{'' if len(row) == 1 else 's'}"
                        fail(self.path, f"has {cells}; the header has {width}", line)
                    else:
                        kept.append((line, row))
                lines, columns = [line for line, _ in kept], Cells([row for _, row in kept])
            if columns:
                yield Chunk(lines, columns)

    def _next_rows(self, count: int) -> list[list[str]]:
        rows: list[list[str]] = []
        try:
            rows.extend(islice(self._reader, count))
        except csv.Error as error:
            # list.extend keeps the rows before the one that cannot be split
            line = _starts(self._line, [*rows, []])[-1]
            fail(self.path, f"cannot be cut into cells ({error}); is a quote missing?", line)
        return rows


@contextmanager
def open_table(path: Path) -> Iterator[Table]:
    """Opens a table.

    Raises:
        DataError: if it is no text in UTF-8, or not a table.
        OSError: if the file cannot be read.
    """
    # A source that cannot be read twice, such as a pipe, is kept in memory.
    content = None if path.is_file() or path.is_dir() else path.read_bytes()

    def open_file() -> BinaryIO:
        return path.open("rb") if content is None else io.BytesIO(content)

    with open_file() as file:
        if any(b"\0" in block for block in iter(lambda: file.read(_BLOCK), b"")):
            _refuse_binary(path, file)
    try:
        with io.TextIOWrapper(open_file(), encoding="utf-8-sig", newline="") as text:
            delimiter = _delimiter(list(islice(filter(str.strip, text), 2)))
        with io.TextIOWrapper(open_file(), encoding="utf-8-sig", newline="") as text:
            yield Table(path, text, delimiter)
    except UnicodeDecodeError:
        with open_file() as file:
            _refuse_binary(path, file)


def fail(path: Path, reason: str, line: int | None = None) -> NoReturn:
    """Raises a DataError about a file, or about the row that starts in one of its lines."""
    where = "" if line is None else f"line {line}: "
    raise DataError(f"data.file={shown_path(path)}: {where}{reason}")


def _refuse_binary(path: Path, file: BinaryIO) -> NoReturn:
    file.seek(0)
    content = file.read()
    try:
        content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        fail(path, f"is not UTF-8 text (byte {error.object[error.start]:#04x}); save it as CSV in UTF-8", line)
    fail(path, "is no text, but binary; save it as CSV in UTF-8", content.count(b"\n", 0, content.index(b"\0")) + 1)


def _starts(line: int, rows: Sequence[Sequence[str]]) -> "array[int]":
    """Yields the lines in which rows start; the first row starts in `line`."""
    starts: array[int] = array("q")
    for row in rows:
        starts.append(line)
        line += 1 + sum(len(_LINE_END.findall(cell)) for cell in row)
    return starts


def _delimiter(lines: list[str]) -> str:
    """Returns the delimiter that splits both header and first row into the most cells; the comma if none splits them."""

    def cells(mark: str) -> int:
        return min((len(row) for row in csv.reader(lines, delimiter=mark, skipinitialspace=True)), default=1)

    return max(",;\t", key=cells)
