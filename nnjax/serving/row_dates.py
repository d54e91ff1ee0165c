"""Refuses rows of a series whose dates do not ascend as those of the training did: the last rows would not be the newest.

    dates = RowDates(["month", "passengers"], facts.series, value=1, name="new.csv")
    dates.check(2, ["1949-01", "112"])                     # line 2; each row in turn

Dates are ISO 8601 (2024-05, 2024-05-31, 2024-05-31T12:00) or years. A run's own rows are read with more care, by
`nnjax.data.series_file`, which an exported file is without.
"""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from itertools import pairwise

from nnjax.config.errors import DataError
from nnjax.serving.facts import SeriesFacts

_MONTH = re.compile(r"([12]\d{3})-(\d{1,2})")
_YEAR = re.compile(r"[12]\d{3}")
_CALLED_YEAR = re.compile(r"year|jahr|ann[ée]e|a[ñn]o|anno|date", re.IGNORECASE)
_MARGIN = 1.15  # of steps: months, quarters and years have unequal days


class RowDates:
    """The dates of a table's rows, as they come.

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
        if now <= earlier:
            found = "stands in the row before as well" if now == earlier else f"comes after {before}"
            raise DataError(f"{where} {cell} {found}; rows must go from old to new")
        low, high = steps
        if not is_part and not low / _MARGIN <= now - earlier <= high * _MARGIN:
            usual = f"{low:g}" if low == high else f"{low:g} to {high:g}"
            step = f"{now - earlier:g} days; in the training data a row came after {usual}"
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
    return moment.toordinal() + (moment.hour + (moment.minute + moment.second / 60) / 60) / 24


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
