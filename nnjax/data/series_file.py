"""Reads a column of numbers from a CSV file without JAX, so that a mistake in the file is reported within half a second.

    series = read_series(config.data)
    series.labels[0], series.values[0]       # "1949-01", 112.0

Commas, semicolons or tabs separate cells; quotes, a byte order mark and blank lines at either end are allowed.
"""

import math
import re
from array import array
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from itertools import chain
from pathlib import Path

from nnjax.config.data_options import Order, SeriesData, SeriesOptions
from nnjax.config.errors import DataError
from nnjax.config.paths import is_file, shown_path
from nnjax.data.series_columns import Clock, find_clock, number, value_column
from nnjax.data.series_dates import counts_of, first_unreadable, moments_of, problem_of_counts, problem_of_moments
from nnjax.data.series_forms import form_of
from nnjax.data.series_refusals import AS_IS, looks_like_other_date
from nnjax.data.series_table import Chunk, Table, fail, open_table

AIRLINE_FILE = Path(__file__).parents[1] / "data" / "airline_passengers.csv"

_TOTAL = re.compile(
    r"((grand|sub)[- ]?)?(totals?|sums?|average|mean|summe|gesamt|insgesamt|mittelwert|somme|suma|totale)\b.*", re.I
)
_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2}\.\d{3}")


@dataclass(frozen=True)
class Series:
    """A time series.

    Attributes:
        name: the value column's name.
        labels: each row's cell in the first column of dates, else in the first other column, else its number.
        values: one per row, finite.
        lines: the line of the file in which each row starts.
        future: labels of rows at the end whose value is empty: the moments to forecast.
        dates: names of the columns that date the rows, or count them; empty without any.
    """

    name: str
    labels: tuple[str, ...]
    values: tuple[float, ...]
    lines: Sequence[int]
    future: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()


def read_series(data: SeriesOptions, name: str | None = None) -> Series:
    """Returns the series that the options name; a file is read once, until it changes.

    Args:
        data: the options.
        name: a column that is taken, in upper or lower case, in place of the options' one, if the file has one column of it.

    Raises:
        DataError: if the file cannot be read, the column is no series of finite numbers (only dated rows at its end may be
            empty), one of them is outside the domain of `data.transform`, or the rows' dates are out of order or have gaps.
    """
    file, column, order = (
        (data.file, data.column, data.order) if isinstance(data, SeriesData) else (str(AIRLINE_FILE), "passengers", "checked")
    )
    path = Path(file).expanduser()
    try:
        stat = path.stat()
        series = _read(path, column, order, (stat.st_mtime_ns, stat.st_size), name)
    except OSError as error:
        reason = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
        raise DataError(f"data.file={shown_path(path)}: {reason}{_similar_file(path)}") from error
    if data.transform == "log" and min(series.values) <= 0:
        line, value = next((line, value) for line, value in zip(series.lines, series.values, strict=True) if value <= 0)
        reason = f"{series.name} is {value:g}; data.transform=log needs values above 0"
        fail(path, f"{reason}; choose data.transform=none", line)
    return series


@lru_cache(maxsize=1)  # the checks, the spec and the loader each ask
def _read(path: Path, column: str | int | None, order: Order, version: tuple[int, int], like: str | None) -> Series:
    """Reads a file; `version` differs for other contents of the same path, as the key of the cache."""
    with open_table(path) as table:
        _check_header(table)
        chunks = table.chunks()
        head = next(chunks, None)
        if head is None:
            fail(path, "has a header and no rows")
        alike = [place for place, title in enumerate(table.header) if like and title.lower() == like.lower()]
        index = alike[0] if len(alike) == 1 else value_column(path, table.header, head.columns, column)
        name = table.header[index] or f"column {index}"
        clock = find_clock(table.header, head, index)
        others = [other for other in range(len(table.header)) if other != index]
        values: array[float] = array("d")
        lines: Sequence[int] = range(head.lines[0], head.lines[0])
        labels: list[str] = []
        for chunk in chain([head], chunks):
            _add_numbers(path, name, chunk, index, values)
            lines = _joined(lines, chunk.lines)
            if clock:
                labels.extend(clock.labels(chunk.columns))
            elif others:
                labels.extend(chunk.columns[others[0]])
        last = [chunk.columns[other][-1] for other in others]
        dates = tuple(table.header[part] for part in clock.parts) if clock else ()
    if order != "sorted":
        _check_gaps(path, name, values, lines, dated=clock is not None)
    if clock and clock.refusal and order != "as_is":
        fail(path, f"{clock.name} {clock.refusal[0]}", clock.refusal[1])
    labels = labels or [str(row) for row in range(1, len(values) + 1)]
    if order != "as_is":
        _check_thousands(path, name, head, index)
        _check_total(path, table.header, others, last, values, name, lines[-1])
    if order == "sorted":
        rows = _sorted_rows(path, clock, labels, lines)
        labels = [labels[row] for row in rows]
        values = array("d", [values[row] for row in rows])
        lines = array("q", [lines[row] for row in rows])
        _check_gaps(path, name, values, lines, dated=clock is not None)
    if clock and order != "as_is":
        problem = (
            problem_of_moments(labels, clock.form) if clock.form else problem_of_counts(labels, is_index=clock.parts == (0,))
        )
        if problem:
            row, reason = problem
            # Irregular events, or days without Sundays, are no mistake: the message names the way to allow them.
            way_out = AS_IS if re.search(" missing|in the row before", reason) and AS_IS not in reason else ""
            fail(path, f"{clock.name} {reason}{way_out}", lines[row])
    known = _count_known(values)
    return Series(name, tuple(labels[:known]), tuple(values[:known]), lines[:known], tuple(labels[known:]), dates)


def _count_known(values: "array[float]") -> int:
    """Returns the number of rows before the empty ones at the end."""
    known = len(values)
    while known and math.isnan(values[known - 1]):
        known -= 1
    return known


def _check_gaps(path: Path, name: str, values: "array[float]", lines: Sequence[int], *, dated: bool) -> None:
    """Refuses empty values; dated rows at the end may be empty, if there are others."""
    known = _count_known(values)
    rows = range(known) if dated and known else range(len(values))
    gap = next((row for row in rows if math.isnan(values[row])), None)
    if gap is not None:
        fail(path, f"{name} {_wrong_cell('')}", lines[gap])


def _joined(before: Sequence[int], after: Sequence[int]) -> Sequence[int]:
    if isinstance(before, range) and isinstance(after, range) and before.stop == after.start:
        return range(before.start, after.stop)
    lines = before if isinstance(before, array) else array("q", before)
    lines.extend(after)
    return lines


def _check_header(table: Table) -> None:
    cells = table.header
    if all(number(cell) is not None or form_of(cell) or looks_like_other_date(cell) for cell in cells):
        fail(table.path, f"must be a header that names the columns; holds {', '.join(cells)}", table.first_line)


def _add_numbers(path: Path, name: str, chunk: Chunk, index: int, values: "array[float]") -> None:
    cells = chunk.columns[index]
    try:
        found = array("d", map(float, cells))
        if all(map(math.isfinite, found)) and "_" not in "".join(cells):
            values.extend(found)
            return
    except ValueError:
        pass
    for line, cell in zip(chunk.lines, cells, strict=True):
        value = number(cell) if cell else math.nan  # an empty cell may stand for a moment to forecast
        if value is None or (cell and not math.isfinite(value)):
            fail(path, f"{name} {_wrong_cell(cell)}", line)
        values.append(value)


def _sorted_rows(path: Path, clock: Clock | None, labels: Sequence[str], lines: Sequence[int]) -> list[int]:
    """Returns the indices of the rows from old to new."""
    places: array[int] | array[float] | None = None
    if clock and clock.form:
        places = moments_of(labels, clock.form)
        if places is None:
            row, reason = first_unreadable(labels, clock.form)
            fail(path, f"{clock.name} {reason}", lines[row])
    elif clock:
        places = counts_of(labels)
    if places is None:
        raise DataError(f"data.order=sorted: {shown_path(path)} has no column of dates, and none that counts, to sort by")
    return sorted(range(len(labels)), key=places.__getitem__)


def _check_thousands(path: Path, name: str, head: Chunk, index: int) -> None:
    """Refuses points between thousands: 1.234 after 987, since three decimals beside none are improbable."""
    cells = head.columns[index]
    grouped = [cell for cell in cells if _THOUSANDS.fullmatch(cell)]
    whole = [cell for cell in cells if re.fullmatch(r"[-+]?\d{1,3}", cell)]
    if len(grouped) >= 2 and whole and len(grouped) + len(whole) == len(cells):
        cell = grouped[0]
        reason = f"is {cell}, where others have no point; if it stands between thousands, write {cell.replace('.', '')}"
        fail(path, f"{name} {reason}, else {whole[0]}.000 for {whole[0]}", head.lines[cells.index(cell)])


def _check_total(
    path: Path, header: list[str], others: list[int], last: list[str], values: "array[float]", name: str, line: int
) -> None:
    """Refuses a last row that sums up the others."""
    for other, cell in zip(others, last, strict=True):
        if _TOTAL.fullmatch(cell):
            title = header[other] or f"column {other}"
            fail(path, f"{title} is {cell}; the values must be one a moment: take the line out", line)
    values = array("d", filter(math.isfinite, values)) if any(map(math.isnan, values)) else values
    if len(values) > 12 and min(values) > 0 and math.isclose(sum(values) - values[-1], values[-1], rel_tol=1e-9):
        fail(path, f"{name} is {values[-1]:g}, the sum of all rows above; take the line out", line)


def _wrong_cell(cell: str) -> str:
    """Describes a cell that holds no finite number."""
    if not cell:
        return "is empty; a series has no gaps: fill it in"
    example = "; write a point before decimals, and nothing between thousands" if {",", "_"} & {*cell} else ""
    return f"is '{cell}'; must be a finite number, such as 112.5{example}"


def _similar_file(path: Path) -> str:
    names: list[str] = []
    with suppress(OSError):  # a folder that may not be listed
        names = [other.name for other in path.parent.iterdir() if is_file(other)]
    near = get_close_matches(path.name, names, n=1, cutoff=0.75)
    return f"; did you mean {near[0]}?" if near and near[0] != path.name else ""
