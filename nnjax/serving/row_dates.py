"""Refuses rows of a series whose dates do not ascend as those of the training did: the last rows would not be the newest.

    dates = row_dates(["month", "passengers"], facts.series, value=1, name="new.csv")
    dates.note(["1949-01", "112"])                         # None: they are checked
    dates.check(2, ["1949-01", "112"])                     # line 2; each row in turn

The columns that dated the training's rows are checked. Of dates in ISO 8601 (2024-05, 2024-05-31, 2024-05-31T12:00), and of
years in a column that is called so, the order and the steps between rows are; of another form that the training's rows have
(Jan 1961, 2024-Q1, seconds since 1970) and of numbers that count, the order. Where those columns are missing, any other column
of dates in ISO 8601 is checked. A run's own rows are read with more care, by `nnjax.data.series_file`, which an exported file
is without.
"""

import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from itertools import pairwise

from nnjax.config.errors import DataError
from nnjax.serving.facts import SeriesFacts

_MONTH = re.compile(r"([12]\d{3})-(\d{1,2})")
_YEAR = re.compile(r"(?:1[5-9]|2[01])\d\d")  # as `nnjax.data.series_forms` reads them
_CALLED_YEAR = re.compile(r"year|jahr|ann[ée]e|a[ñn]o|anno|date", re.IGNORECASE)
_MARGIN = 1.15  # of steps: months, quarters and years have unequal days
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAME = re.compile(f"({'|'.join(_MONTHS)})[a-z]*")
_UNORDERED = re.compile(  # 12:00 PM is before 1:00 PM, and 02:00 +0200 before 02:00 +0100
    r"\d ?[ap]\.?m\b|(?::\d\d[\d:.,]* ?(?:utc|gmt)?[+-]|\d ?(?:utc|gmt)?\+)\d| -\d\d:?\d\d$", re.IGNORECASE
)
_UNSURE = re.compile(r"\d\D\d.*\d{4}|^(?!.*\d{4}).*[^\d.]")  # 1/2/1961 has two readings, and Jan 61
_LAST = 4096  # labels of the training that show the form of its dates
_COUNT = "0"  # the shape of a number

Ascending = Callable[[str], tuple[float, ...] | None]
"""Numbers that ascend with the dates of one form; None for another text."""


def row_dates(header: Sequence[str], series: SeriesFacts, value: int, name: str) -> "NamedDates | RowDates":
    """Returns what checks the dates of a table's rows.

    Args:
        header: the columns' names.
        series: of the model.
        value: the column with the series' values.
        name: of the table in errors.
    """
    return (RowDates if series.dates is None else NamedDates)(header, series, value, name)


class NamedDates:
    """The dates of a table's rows, in the columns that dated the training's. For the arguments see `row_dates`."""

    def __init__(self, header: Sequence[str], series: SeriesFacts, value: int, name: str) -> None:
        names = series.dates or ()
        self._are_iso, self._shapes, ascend = _forms(series.labels[-_LAST:])
        self._steps = _steps(series.labels) if names and ascend else None
        self._places = _places(header, names, value)
        self._wanted = " + ".join(each or "without a name" for each in names)
        self._title, self._name = " + ".join(_title(header, place) for place in self._places), name
        self._years_have_steps = self._shapes != {_COUNT} or _CALLED_YEAR.search(self._title) is not None
        self._others = None if self._places or self._steps is None else RowDates(header, series, value, name)
        self._alone = len(header) == 1
        self._read: Ascending | None = None
        self._before: tuple[str, tuple[float, ...]] | None = None

    def note(self, first: Sequence[str]) -> str | None:
        """Says that the order of the rows is not checked; None if it is, or the training's rows had no order to check.

        Args:
            first: the first row's cells.
        """
        unchecked = f"{self._name}: whether its rows go from old to new is not checked"
        if self._steps is None or self._alone:
            return None
        if self._others:
            missing = f"{unchecked}: it has no column {self._wanted}, which dated the training's rows"
            return None if self._others.are_dated(first) else missing
        if self._form(self._text(first)) is None:
            return f"{unchecked}: {self._title} such as '{self._text(first)[:40]}' cannot be compared"
        return None

    def check(self, line: int, cells: Sequence[str]) -> None:
        """Compares a row's date with that of the row before.

        Raises:
            DataError: if they do not ascend, or by another step than those of the training.
        """
        if self._others:
            self._others.check(line, cells)
        if not self._places or self._steps is None:
            return
        text = self._text(cells)
        if self._before is None:
            self._read = self._form(text)
        if self._read is None:
            return
        now = self._read(text)
        if self._before is not None:
            where, (before, earlier) = f"{self._name}, line {line}: {self._title}", self._before
            if now is None or len(now) != len(earlier):
                raise DataError(f"{where} '{text[:40]}' is no date, as {before} in the row before is")
            _check_order(where, before, text, earlier, now)
            if self._read is _day:
                _check_step(where, before, text, now[0] - earlier[0], self._steps)
        assert now is not None  # of the first row, since its form was found
        self._before = text, now

    def _text(self, cells: Sequence[str]) -> str:
        """A row's date: of several columns year-month-day, in which pandas may have written 5.0 for 5."""
        if len(self._places) == 1:
            return cells[self._places[0]]
        parts = [re.sub(r"\.0+$", "", cells[place]) for place in self._places]
        return "-".join(part.zfill(2) if part.isdecimal() else part for part in parts)

    def _form(self, text: str) -> Ascending | None:
        """How a date is read: as the training's are, or in ISO 8601."""
        is_alone, is_iso = len(self._places) == 1, day_of(text) is not None
        if is_iso and self._are_iso and self._years_have_steps and (is_alone or text.count("-") < 3):
            return _day
        if self._shapes and _numbers(text) and (not is_alone or _shape(text) in self._shapes):
            return _numbers
        return _day if is_alone and is_iso and not _YEAR.fullmatch(text) else None


class RowDates:
    """The dates of a table's rows, as they come, for the file of an earlier version: in any column, in ISO 8601 or as years.

    Args:
        header: the columns' names.
        series: of the model; its dates have the steps that are usual.
        value: the column with the series' values.
        name: of the table in errors.
    """

    def __init__(self, header: Sequence[str], series: SeriesFacts, value: int, name: str) -> None:
        self._header, self._name = header, name
        self._steps = _steps(series.labels)
        self._own_years = bool(series.labels) and all(map(_YEAR.fullmatch, series.labels))
        self._columns = [place for place in range(len(header)) if place != value] if self._steps else []
        self._years = {place for place in self._columns if self._own_years or _CALLED_YEAR.search(header[place])}
        self._before: dict[int, str] = {}
        self._dated = self._steps is not None and {*map(_shape, series.labels[-_LAST:])} - {_COUNT} != set()

    def note(self, first: Sequence[str]) -> str | None:
        """Says that the order of the rows is not checked; None if it is, or the training's rows had no dates.

        Args:
            first: the first row's cells.
        """
        if not self._dated or len(first) == 1 or self.are_dated(first):
            return None
        return f"{self._name}: whether its rows go from old to new is not checked: no column holds dates such as 2024-05-31"

    def are_dated(self, first: Sequence[str]) -> bool:
        """Whether the order of the rows is checked, by the first row's cells."""
        return any(self._is_date(place, first[place]) for place in self._columns)

    def check(self, line: int, cells: Sequence[str]) -> None:
        """Compares a row's dates with those of the row before.

        Raises:
            DataError: if they do not ascend, or by another step than those of the training.
        """
        for place in list(self._columns):
            before, cell = self._before.get(place), cells[place]
            if before is None and not self._is_date(place, cell):
                self._columns.remove(place)
            elif before is not None:
                is_part = _YEAR.fullmatch(cell) is not None and not self._own_years
                self._compare(f"{self._name}, line {line}: {_title(self._header, place)}", before, cell, is_part=is_part)
            self._before[place] = cell

    def _is_date(self, place: int, cell: str) -> bool:
        return day_of(cell) is not None and (place in self._years or not _YEAR.fullmatch(cell))

    def _compare(self, where: str, before: str, cell: str, *, is_part: bool) -> None:
        now, earlier, steps = day_of(cell), day_of(before), self._steps
        assert earlier is not None
        assert steps is not None
        if now is None:
            raise DataError(f"{where} '{cell[:40]}' is no date, as {before} in the row before is")
        if is_part and now == earlier:
            return  # the year of several months
        _check_order(where, before, cell, (earlier,), (now,))
        if not is_part:
            _check_step(where, before, cell, now - earlier, steps)


def _places(header: Sequence[str], names: Sequence[str], value: int) -> list[int]:
    """Finds columns by their names, as written, else in upper or lower case; empty unless each name stands there once."""
    for write in (str, str.lower):
        titles = [None if place == value else write(title) for place, title in enumerate(header)]
        wanted = list(map(write, names))
        if all(titles.count(each) == 1 for each in wanted):
            return list(map(titles.index, wanted))
    return []


def _title(header: Sequence[str], place: int) -> str:
    return header[place] or f"column {place}"


def _check_order(where: str, before: str, cell: str, earlier: tuple[float, ...], now: tuple[float, ...]) -> None:
    if now <= earlier:
        found = "stands in the row before as well" if now == earlier else f"comes after {before}"
        raise DataError(f"{where} {cell} {found}; rows must go from old to new")


def _check_step(where: str, before: str, cell: str, days: float, steps: tuple[float, float]) -> None:
    low, high = steps
    if not low / _MARGIN <= days <= high * _MARGIN:
        usual = f"{low:g}" if low == high else f"{low:g} to {high:g}"
        step = f"{days:g} days; in the training data a row came after {usual}"
        raise DataError(f"{where} goes from {before} to {cell}, {step}")


def day_of(text: str) -> float | None:
    """The days from the year 1 to a date, or to the beginning of a month or year; None for another text."""
    try:
        if month := _MONTH.fullmatch(text):
            return float(date(int(month[1]), int(month[2]), 1).toordinal())
        if _YEAR.fullmatch(text):
            return float(date(int(text), 1, 1).toordinal())
        if len(text) < 10 or text[4] != "-":
            return None
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    moment = moment.astimezone(UTC) if moment.tzinfo else moment
    seconds = moment.second + moment.microsecond / 10**6
    return moment.toordinal() + (moment.hour + (moment.minute + seconds / 60) / 60) / 24


def _day(text: str) -> tuple[float, ...] | None:
    day = day_of(text)
    return None if day is None else (day,)


def _numbers(text: str) -> tuple[float, ...] | None:
    """A number that counts, or those of a date, with the year first: of 31 Jan 1961 9:05 these are 1961, 1, 31, 9 and 5.

    None without any, and where they do not ascend with time: before noon and after it, and with an offset from UTC.
    """
    if (number := _number(text)) is not None:
        return (number,)
    if _UNORDERED.search(text):
        return None
    plain = _NAME.sub(lambda found: f" {1 + _MONTHS.index(found[1])} ", text.lower())
    digits = re.findall(r"(?<=:)\d+\.\d+|\d+", plain)  # 9:05:00.5 has 0.5 seconds
    if not digits:
        return None
    parts = tuple(map(float, digits))
    year = next((place for place, part in enumerate(digits[:3]) if len(part) >= 4 and part.isdecimal()), 0)
    if year == 2 and not re.match(rf"\D*{_NAME.pattern}", text.lower()):  # 31 Jan 1961; Jan 31, 1961 has its month first
        return (parts[2], parts[1], parts[0], *parts[3:])
    return (parts[year], *parts[:year], *parts[year + 1 :])


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _shape(text: str) -> str:
    """Texts of one form have one shape: Jan 1961 and May 1962 have "a 0"."""
    if _number(text) is not None:
        return _COUNT
    return re.sub(r"\d+", "0", re.sub(r"[a-z]+\.?", "a", text.lower()))


@lru_cache(maxsize=8)  # a server asks for each request
def _forms(labels: Sequence[str]) -> tuple[bool, frozenset[str], bool]:
    """Whether all dates are in ISO 8601, the shapes of dates whose numbers ascend, and False if dates surely do not ascend."""
    are_iso = all(day_of(label) is not None for label in labels)
    rows = [_numbers(label) or () for label in labels]
    are_alike = len(set(map(len, rows))) <= 1
    ascend = are_alike and all(before < after for before, after in pairwise(rows))
    is_sure = are_alike and all(rows) and not are_iso and not any(map(_UNSURE.search, labels))
    return are_iso, frozenset(map(_shape, labels) if ascend else ()), ascend or not is_sure


def _steps(labels: Sequence[str]) -> tuple[float, float] | None:
    """The shortest and the longest step between the training's dates in days; (0, ∞) if it had none.

    None if its dates do not ascend, as `data.order=as_is` allows: then no order can be asked for.
    """
    days = [day_of(label) for label in labels]
    known = [day for day in days if day is not None]
    if len(known) != len(labels) or len(known) < 2:
        return 0.0, float("inf")
    steps = [after - before for before, after in pairwise(known)]
    return (min(steps), max(steps)) if min(steps) > 0 else None
