"""Reads rows of numbers, from CSV text or lists, as inputs of a network of vectors or of a time series.

    inputs = rows_from_csv(Path("new.csv"), facts)         # [n, d], or [1, window, 1] of a series' last rows
    inputs = rows_from_lists([[5.1, 3.5, 1.4, 0.2]], facts)

Of a series, rows are values in its unit; they become the scaled changes that the network was trained on
(`nnjax.data.time_series`).
"""

import csv
import io
import math
from collections import deque
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from itertools import chain, islice, starmap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnjax.config.errors import DataError
from nnjax.config.paths import shown_path
from nnjax.serving.facts import ModelFacts, SeriesFacts
from nnjax.serving.number_lists import NotNumbers, UnequalLengths, number_array
from nnjax.serving.row_dates import row_dates

_MAX_BYTES = 64 * 2**20
_SEPARATORS = ",;\t"
_GAPS = frozenset({"", "-", "?", "na", "n/a", "null", "none", "missing"})


def rows_from_csv(
    source: str | Path,
    facts: ModelFacts,
    name: str | None = None,
    max_bytes: int = _MAX_BYTES,
    max_rows: int | None = None,
) -> NDArray[Any]:
    """Reads CSV text, or the file of a path: one input a row; of a series, one value a row.

    Columns stand by name where the facts name features and the text has a header, else by place. A series' values are the
    column of its name, or the only column. Commas, semicolons or tabs separate; blank lines at the end are left out.

    Args:
        source: the text or the path.
        facts: of the model.
        name: of the text in errors; by default the path, or "the rows".
        max_bytes: of the file or text.
        max_rows: no more are read, except of a series, which ends with its last rows; None reads all.

    Returns:
        [n, *facts.inputs.shape] inputs of the stored type. Of a series, n is 1: the last rows, transformed as in training.

    Raises:
        DataError: in one line with the line and column: for a wrong count, a word, a blank, a number that is not finite; of a
            series, for dates that do not ascend as the training's do.
    """
    name = name or (shown_path(source) if isinstance(source, Path) else "the rows")
    lines = _lines(read_text(source, name, max_bytes), name)
    first = next(lines, None)
    wanted = _names(facts)
    header = first[1] if first and is_header(first[1], wanted) else None
    if header is not None:
        first = next(lines, None)
    if first is None:
        raise DataError(f"{name}: holds no rows of numbers{_advice(header)}")
    count = 1 if facts.series else math.prod(facts.inputs.shape)
    places = _places(header, wanted, count, first[1], name)
    width = len(header or first[1])
    dates = row_dates(header, facts.series, places[0], name) if header and facts.series else None

    def values(line: int, cells: list[str]) -> list[float]:
        row = _values(cells, places, width, f"{name}, line {line}", header)
        if dates:
            dates.check(line, cells)
        return row

    rows = starmap(values, chain([first], lines))
    if facts.series is None:
        return _inputs(np.array(list(islice(rows, max_rows))), facts, name)
    last = deque((row[0] for row in rows), maxlen=facts.inputs.shape[0] + facts.series.difference)
    return _inputs(np.array(last), facts, name)


def read_text(source: str | Path, name: str, max_bytes: int = _MAX_BYTES) -> str:
    """Returns text, or that of a path, which is read once: it may be a pipe.

    Raises:
        DataError: in one line, if it cannot be read, is too long or not in UTF-8.
    """
    if isinstance(source, str):
        data = source.encode()
    else:
        try:
            with source.open("rb") as file:
                data = file.read(max_bytes + 1)
        except OSError as error:
            raise DataError(f"{name}: cannot be read: {error.strerror}") from None
    if len(data) > max_bytes:
        raise DataError(f"{name}: holds more than {max_bytes:,} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{name}: is no text in UTF-8: byte {error.start}") from None


def rows_from_lists(values: Sequence[Any], facts: ModelFacts, name: str = "rows") -> NDArray[Any]:
    """Makes inputs of nested lists of numbers, such as JSON's: one input or several; of a series, its last values.

    Returns:
        As `rows_from_csv`.

    Raises:
        DataError: in one line: for another shape or something that is no finite number.
    """
    try:
        table = number_array(values)
    except UnequalLengths:
        raise DataError(f"{name}: its lists are of different lengths; must be {_wanted(facts)}") from None
    except NotNumbers:
        raise DataError(f"{name}={_short(values)}: must be numbers, {_wanted(facts)}") from None
    if not table.size:
        raise DataError(f"{name}={_short(values)}: must be numbers, {_wanted(facts)}")
    if not np.isfinite(table).all():
        raise DataError(f"{name}={_short(values)}: must be finite numbers")
    return _inputs(table, facts, name)


def _inputs(table: NDArray[np.float64], facts: ModelFacts, name: str) -> NDArray[Any]:
    """[n, *shape] of finite numbers in any nesting that fits."""
    shape = facts.inputs.shape
    if facts.series:
        if table.ndim > 1 and table.size != len(table):
            raise DataError(f"{name}: has the shape {list(table.shape)}; must be {_wanted(facts)}")
        return _window(table.ravel(), facts.series, shape[0], name).astype(facts.inputs.dtype)
    size = math.prod(shape)
    if table.shape in (shape, (size,)):
        table = table[None]
    if table.shape[1:] not in (shape, (size,)):
        raise DataError(f"{name}: has the shape {list(table.shape)}; must be {_wanted(facts)}")
    table = table.reshape(-1, *shape)
    if facts.inputs.dtype == "uint8":
        largest = facts.inputs.largest or 255
        if (table != np.rint(table)).any() or table.min() < 0 or table.max() > largest:
            raise DataError(f"{name}: must be whole numbers from 0 to {largest:g}")
        return table.astype(np.uint8)
    with np.errstate(over="ignore"):
        inputs = table.astype(np.float32)
    if not np.isfinite(inputs).all():
        raise DataError(f"{name}: holds a number beyond ±3.4e38")
    return inputs


def _window(values: NDArray[np.float64], series: SeriesFacts, window: int, name: str) -> NDArray[np.float64]:
    """[1, window, 1] the last scaled changes of a series."""
    needed = window + series.difference
    if len(values) < needed:
        raise DataError(f"{name}: has {len(values)} values of {series.name}; must have at least {needed}, the last ones known")
    last = values[-needed:]
    if series.log and last.min() <= 0:
        raise DataError(f"{name}: {series.name} holds {last.min():g}; must be above 0, for its logarithm is taken")
    levels = np.log(last) if series.log else last
    changes = levels[series.difference :] - levels[: -series.difference] if series.difference else levels
    scaled: NDArray[np.float64] = ((changes - series.mean) / series.std)[None, :, None]
    return scaled


def _lines(text: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and cells, without blank lines at the end; each is read when its turn comes."""
    start = text.partition("\n")[0]
    separator = max(_SEPARATORS, key=start.count)
    reader = csv.reader(io.StringIO(text.rstrip()), delimiter=separator, skipinitialspace=True)
    try:
        for cells in reader:
            if not cells:
                raise DataError(f"{name}, line {reader.line_num}: is blank; must hold numbers")
            yield reader.line_num, [cell.strip() for cell in cells]
    except csv.Error as error:
        raise DataError(f"{name}, line {reader.line_num}: no CSV: {error}") from None


def is_header(cells: Sequence[str], names: Sequence[str]) -> bool:
    """Whether a table's first line names columns: none is a number, or they are numbered from 0 on, as pandas writes them.

    Two columns that start with 0 and 1 are numbers: such a row is as likely. A line of gaps alone, such as N/A, names nothing.
    Names of the model may be numbers, such as years: a line that holds each of them once is taken for a header.
    """
    if names and all(cells.count(name) == 1 for name in names):
        return True
    if any(_number(cell) is not None for cell in cells):
        return len(cells) > 2 and list(cells) == list(map(str, range(len(cells))))
    return any(cell.lower() not in _GAPS for cell in cells)


def columns_note(text: str, facts: ModelFacts, name: str) -> str | None:
    """Says what a table's columns leave open; None where there is nothing to say.

    Those of a model of vectors may be taken by their places though they have names, and those of a series may not show that
    its rows go from old to new.

    Args:
        text: that `rows_from_csv` has read.
        facts: of the model.
        name: of the text.
    """
    lines = _lines(text, name)
    _, cells = next(lines, (0, []))
    names = _names(facts)
    if not is_header(cells, names):
        return None
    if facts.series is not None:
        _, first = next(lines)
        (value,) = _places(cells, names, 1, first, name)
        return row_dates(cells, facts.series, value, name).note(first)
    if set(cells) & set(names):
        return None
    reason = f"none is called {' or '.join(names[:3])}" if names else "the model has no names for them"
    return f"{name}: its columns are taken by their places, not by their names: {reason}"


def _names(facts: ModelFacts) -> tuple[str, ...]:
    """Names of the columns that the model reads; empty where it has none."""
    return (facts.series.name,) if facts.series else facts.inputs.features


def _advice(cells: Sequence[str] | None) -> str:
    """What separates columns, where a line has one cell with blanks in it."""
    is_one = cells is not None and len(cells) == 1 and len(cells[0].split()) > 1
    return "; commas, semicolons or tabs separate columns, and blanks do not" if is_one else ""


def _places(header: list[str] | None, wanted: Sequence[str], count: int, first: Sequence[str], name: str) -> list[int]:
    """The column of each value; `first` is the first row below the header."""
    width = len(first)
    if header and wanted and (set(wanted) & set(header) or len(header) != count):
        for feature in wanted:
            if feature not in header:
                near = get_close_matches(feature, header, n=1)
                meant = f"; did you mean {near[0]}?" if near else "."
                raise DataError(f"{name}: has no column {feature}{meant} There are: {', '.join(header)}")
            if header.count(feature) > 1:
                raise DataError(f"{name}: has {header.count(feature)} columns {feature}; must have one")
        return [header.index(feature) for feature in wanted]
    if width != count:
        names = f": {', '.join(wanted)}" if wanted else ""
        raise DataError(f"{name}, line 1: has {width} columns; must have {count}{names}{_advice(header or first)}")
    return list(range(count))


def _values(cells: list[str], places: list[int], width: int, where: str, header: list[str] | None) -> list[float]:
    if len(cells) != width:
        raise DataError(f"{where}: has {len(cells)} columns; must have {width}")
    row = []
    for place in places:
        number = _number(cells[place])
        if number is None or not math.isfinite(number):
            column = f"column {place + 1}" + (f" ({header[place]})" if header else "")
            found = f"'{cells[place][:40]}'" if cells[place] else "is blank"
            raise DataError(f"{where}, {column}: {found}; must be a finite number")
        row.append(number)
    return row


def _number(cell: str) -> float | None:
    try:
        return None if "_" in cell else float(cell)  # Python accepts 1_000
    except ValueError:
        return None


def _wanted(facts: ModelFacts) -> str:
    if facts.series:
        return f"a list of the last {facts.inputs.shape[0] + facts.series.difference} or more values of {facts.series.name}"
    size = " × ".join(map(str, facts.inputs.shape))
    return f"lists of {size} numbers" + (f": {', '.join(facts.inputs.features)}" if facts.inputs.features else "")


def _short(values: object) -> str:
    try:
        text = repr(values[:3] if isinstance(values, list) else values)
    except ValueError:  # Python writes no integer of more than 4 300 digits
        return "…"
    return text if len(text) <= 60 else f"{text[:57]}…"
