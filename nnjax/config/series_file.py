"""Reads a column of numbers from a CSV file; before JAX, so that a mistake in the file is told in half a second.

    series = read_series(config.data)
    series.labels[0], series.values[0]       # "1949-01", 112.0

Comma, semicolon and tab separate cells; quotes, a byte order mark and blank lines at either end are understood.
"""

import csv
import io
import math
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import NoReturn

from nnjax.config.data_options import SeriesData, SeriesOptions
from nnjax.config.errors import DataError
from nnjax.config.paths import is_file
from nnjax.config.provenance import shown_path
from nnjax.config.series_dates import look_like_epochs, looks_like_moment, looks_like_other_date, problem_of_moments

AIRLINE_FILE = Path(__file__).parents[1] / "data" / "airline_passengers.csv"


@dataclass(frozen=True)
class Series:
    """A time series.

    Attributes:
        name: what the values are.
        labels: of each row, its cell in the first column of dates, else in the first other column, else its number.
        values: one a row, finite.
        lines: of the file, where each row starts.
    """

    name: str
    labels: tuple[str, ...]
    values: tuple[float, ...]
    lines: tuple[int, ...]


def read_series(data: SeriesOptions) -> Series:
    """The series of a config.

    Raises:
        DataError: if the file cannot be read, the column is no series of finite numbers, `data.transform` cannot take one of
            them, or the rows have dates that are not in order or leave something out.
    """
    file, column = (data.file, data.column) if isinstance(data, SeriesData) else (str(AIRLINE_FILE), "passengers")
    path = Path(file).expanduser()
    try:
        stat = path.stat()
        series = _read(path, column, (stat.st_mtime_ns, stat.st_size))
    except OSError as error:
        reason = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
        raise DataError(f"data.file={shown_path(path)}: {reason}{_similar_file(path)}") from error
    if data.transform == "log":
        for line, value in zip(series.lines, series.values, strict=True):
            if value <= 0:
                reason = f"{series.name} is {value:g}; data.transform=log needs values above 0"
                _fail(path, f"{reason}; choose data.transform=none", line)
    return series


def _fail(path: Path, reason: str, line: int | None = None) -> NoReturn:
    where = "" if line is None else f"line {line}: "
    raise DataError(f"data.file={shown_path(path)}: {where}{reason}")


@lru_cache(maxsize=1)  # the checks, the spec and the loader each ask
def _read(path: Path, column: str | None, version: tuple[int, int]) -> Series:
    """Reads a file; `version` tells it from what stood there before."""
    lines, (header, *rows) = _table(path)
    index = _column(path, header, rows, column)
    name = header[index]
    values = []
    for line, row in zip(lines[1:], rows, strict=True):
        value = _number(row[index])
        if value is None or not math.isfinite(value):
            _fail(path, f"{name} {_wrong_cell(row[index])}", line)
        values.append(value)
    others = [other for other in range(len(header)) if other != index]
    dated = [other for other in others if other in _dated(rows)]
    label = next(iter(dated + others), None)
    labels = [str(number) for number in range(1, len(rows) + 1)] if label is None else [row[label] for row in rows]
    if dated and (problem := problem_of_moments(labels)):
        row_index, reason = problem
        _fail(path, f"{header[dated[0]]} {reason}", lines[1 + row_index])
    for other in () if dated else others:
        if looks_like_other_date(cell := rows[0][other]):
            _fail(path, f"{header[other]} is {cell}; write dates as 2024-01-31", lines[1])
    return Series(name, tuple(labels), tuple(values), tuple(lines[1:]))


def _dated(rows: list[list[str]]) -> list[int]:
    """Indices of the columns of ISO dates; without any, the first column where it counts seconds or milliseconds."""
    dated = [index for index, cell in enumerate(rows[0]) if looks_like_moment(cell)]
    return dated or ([0] if look_like_epochs([row[0] for row in rows]) else [])


def _table(path: Path) -> tuple[list[int], list[list[str]]]:
    """The lines on which rows start, and the rows, the header first; cells without blanks around them."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        _fail(path, f"is not UTF-8 text (byte {error.object[error.start]:#04x}); save it as CSV in UTF-8", line)
    if "\0" in text:
        _fail(path, "is no text, but binary; save it as CSV in UTF-8", text.count("\n", 0, text.index("\0")) + 1)
    if not text.strip():
        _fail(path, "is empty; must have a header line and one row a moment")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), skipinitialspace=True, strict=True)
    found: list[tuple[int, list[str]]] = []
    start = 1
    try:
        for row in reader:
            found.append((start, [cell.strip() for cell in row]))
            start = reader.line_num + 1
    except csv.Error as error:
        _fail(path, f"cannot be cut into cells ({error}); is a quote missing?", start)
    while not any(found[-1][1]):
        found.pop()
    while not any(found[0][1]):
        found.pop(0)
    lines, rows = [line for line, _ in found], [row for _, row in found]
    if all(_number(cell) is not None or looks_like_moment(cell) or looks_like_other_date(cell) for cell in rows[0]):
        _fail(path, f"must be a header that names the columns; holds {', '.join(rows[0])}", lines[0])
    if len(rows) == 1:
        _fail(path, "has a header and no rows")
    for line, row in zip(lines, rows, strict=True):
        if not any(row):
            _fail(path, "is empty; a series has no gaps: fill it in, or take the line out", line)
        if len(row) != len(rows[0]):
            _fail(path, f"has {len(row)} cell{'' if len(row) == 1 else 's'}; the header has {len(rows[0])}", line)
    return lines, rows


def _delimiter(text: str) -> str:
    """The one that cuts both the header and the first row into the most cells; the comma where none cuts."""
    lines = list(islice(filter(str.strip, text.splitlines()), 2))
    return max(",;\t", key=lambda mark: min(len(row) for row in csv.reader(lines, delimiter=mark, skipinitialspace=True)))


def _column(path: Path, header: list[str], rows: list[list[str]], column: str | None) -> int:
    """Index of the column with the values: the one of that name, else the only one that holds numbers, or could."""
    names = ", ".join(filter(None, header))
    if column is None:
        cells = [[row[index] for row in rows] for index in range(len(header))]
        numeric = [
            index
            for index, name in enumerate(header)
            if name and 2 * sum(_number(cell) is not None for cell in cells[index]) >= len(rows)
        ]
        dated = _dated(rows) + [index for index, cell in enumerate(rows[0]) if looks_like_other_date(cell)]
        found = [index for index in numeric if index not in dated] or numeric
        undated = [index for index, name in enumerate(header) if name and index not in dated]
        if len(found) == 1:
            return found[0]
        if not found and len(undated) == 1:
            return undated[0]  # its first wrong cell says more
        if found:
            several = ", ".join(header[index] for index in found)
            reason = f"several columns hold numbers: {several}; choose one, such as data.column={header[found[-1]]}"
        else:
            first = ", ".join(f"{name}='{cell}'" for name, cell in zip(header, rows[0], strict=True) if name)
            reason = f"no column holds numbers; the first row has: {first}"
        raise DataError(f"data.column=null: in {shown_path(path)} {reason}")
    if header.count(column) == 1:
        return header.index(column)
    if column in header:
        raise DataError(f"data.column={column}: in {shown_path(path)} {header.count(column)} columns are called so")
    lower = [name.lower() for name in header]
    near = get_close_matches(column.lower(), lower, n=1)
    meant = f"; did you mean {header[lower.index(near[0])]}?" if near else "."
    raise DataError(f"data.column={column}: {shown_path(path)} has no such column{meant} There are: {names}")


def _number(cell: str) -> float | None:
    try:
        return None if "_" in cell else float(cell)  # Python takes 1_000
    except ValueError:
        return None


def _wrong_cell(cell: str) -> str:
    """What is wrong with a cell that holds no finite number."""
    if not cell:
        return "is empty; a series has no gaps: fill it in"
    example = "; write a point before decimals, and nothing between thousands" if {",", "_"} & {*cell} else ""
    return f"is '{cell}'; must be a finite number, such as 112.5{example}"


def _similar_file(path: Path) -> str:
    names: list[str] = []
    with suppress(OSError):  # a folder that the system does not let us look into
        names = [other.name for other in path.parent.iterdir() if is_file(other)]
    near = get_close_matches(path.name, names, n=1, cutoff=0.75)
    return f"; did you mean {near[0]}?" if near and near[0] != path.name else ""
