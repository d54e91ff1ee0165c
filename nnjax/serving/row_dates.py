"""Refuses rows of a series whose dates do not ascend as those of the training did: the last rows would not be the newest.

    dates = row_dates(["month", "passengers"], facts.series, value=1, name="new.csv")
    dates.note(["1949-01", "112"])                         # None: they are checked
    dates.check(2, ["1949-01", "112"])                     # line 2; each row in turn

The columns that dated the training's rows are checked. Of dates in ISO 8601 (2024-05, 2024-05-31, 2024-05-31T12:00) and years,
the order and the steps between rows are; of another form that the training's rows have (Jan 1961, 2024-Q1, seconds since 1970)
and of numbers that count, the order. A run's own rows are read with more care, by `nnjax.data.series_file`, which an exported
file is without.
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
_YEAR = re.compile(r"[12]\d{3}")
_CALLED_YEAR = re.compile(r"year|jahr|ann[ée]e|a[ñn]o|anno|date", re.IGNORECASE)
_MARGIN = 1.15  # of steps: months, quarters and years have unequal days
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAME = re.compile(f"({'|'.join(_MONTHS)})[a-z]*")
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
    return RowDates(header, series, value, name) if series.dates is None else NamedDates(header, series, name)


class NamedDates:
    """The dates of a table's rows, in the columns that dated the training's. For the arguments see `row_dates`."""

    def __init__(self, header: Sequence[str], series: SeriesFacts, name: str) -> None:
        names = series.dates or ()
        self._labels, self._steps = series.labels[-_LAST:], _steps(series.labels)
        self._are_there = all(header.count(each) == 1 for each in names)
        self._places = [header.index(each) for each in names] if self._are_there else []
        self._alone = len(header) == 1
        self._title, self._name = " + ".join(names), name
        self._read: Ascending | None = None
        self._before: tuple[str, tuple[float, ...]] | None = None

    def note(self, first: Sequence[str]) -> str | None:
        """Says that the order of the rows is not checked; None if it is, or the training's rows had no order to check.

        Args:
            first: the first row's cells.
        """
        unchecked = f"{self._name}: whether its rows go from old to new is not checked"
        if not self._title or self._steps is None or self._alone:
            return None
        if not self._are_there:
            return f"{unchecked}: it has no column {self._title}, which dated the training's rows"
        if self._form(self._text(first)) is None:
            return f"{unchecked}: {self._title} such as '{self._text(first)[:40]}' cannot be compared"
        return None

    def check(self, line: int, cells: Sequence[str]) -> None:
        """Compares a row's date with that of the row before.

        Raises:
            DataError: if they do not ascend, or by another step than those of the training.
        """
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
        are_iso, shapes = _forms(self._labels)
        if is_iso and are_iso and (is_alone or text.count("-") < 3):
            return _day
        if shapes and _numbers(text) and (not is_alone or _shape(text) in shapes):
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
        if not self._dated or len(first) == 1 or any(day_of(first[place]) is not None for place in self._columns):
            return None
        return f"{self._name}: whether its rows go from old to new is not checked: no column holds dates such as 2024-05-31"

    def check(self, line: int, cells: Sequence[str]) -> None:
        """Compares a row's dates with those of the row before.

        Raises:
            DataError: if they do not ascend, or by another step than those of the training.
        """
        for place in list(self._columns):
            before, cell = self._before.get(place), cells[place]
            is_year = _YEAR.fullmatch(cell) is not None
            if before is None and (day_of(cell) is None or (is_year and place not in self._years)):
                self._columns.remove(place)  # no dates
            elif before is not None:
                self._compare(
                    f"{self._name}, line {line}: {self._header[place]}", before, cell, is_part=is_year and not self._own_years
                )
            self._before[place] = cell

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
    """A number that counts, or those of a date, with the year first: of 31 Jan 1961 9:05 these are 1961, 1, 31, 9 and 5."""
    if (number := _number(text)) is not None:
        return (number,)
    plain = _NAME.sub(lambda found: f" {1 + _MONTHS.index(found[1])} ", text.lower())
    digits = re.findall(r"\d+", plain)
    if not digits:
        return None
    parts = tuple(map(float, digits))
    year = next((place for place, part in enumerate(digits[:3]) if len(part) >= 4), 0)
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
def _forms(labels: Sequence[str]) -> tuple[bool, frozenset[str]]:
    """Whether all dates are in ISO 8601, and the shapes of dates whose numbers ascend; none if they do not."""
    pairs = pairwise(_numbers(label) or () for label in labels)
    ascend = all(before < after and len(before) == len(after) for before, after in pairs)
    return all(day_of(label) is not None for label in labels), frozenset(map(_shape, labels) if ascend else ())


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
