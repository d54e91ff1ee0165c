"""The rows that a forecast starts from: a run's own series, or a file of the same series with more rows.

    found = known_rows(config.data, file="newer.csv")
    found.series.values, found.newer, found.future       # all values, 3 rows that the run lacks, labels of rows to forecast

Reads CSV files only, so that a mistake is reported before JAX is imported.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from operator import lt
from pathlib import Path
from typing import NoReturn, TypeVar

import numpy as np

from nnjax.config.data_options import AirlineData, SeriesData
from nnjax.config.diagnostics import count
from nnjax.config.errors import DataError
from nnjax.config.paths import shown_path
from nnjax.data.dataset_spec import dataset_spec
from nnjax.data.future_labels import Step, form_of_labels, future_labels, step_of
from nnjax.data.series_dates import counts_of, counts_rows
from nnjax.data.series_file import Series, read_series
from nnjax.data.time_series import TimeSeries, time_series

_FEW = 6  # dates, in which ends of months or days without weekends may not show
_COUNTS = 3  # numbers that show whether they count

Moment = TypeVar("Moment", int, float, datetime)


@dataclass(frozen=True)
class KnownRows:
    """What a forecast starts from.

    Attributes:
        series: all values, with a holdout of 0, in the run's scale.
        newer: number of rows at the end that the run's own data does not have.
        held_out: number of rows at the end that training did not use: held-out and newer ones.
        future: labels of the rows without a value at the end of the file.
        notes: what a person should know about the file.
        step: between dated rows, where a file has too few of them to show it; None to find it.
    """

    series: TimeSeries
    newer: int
    held_out: int
    future: tuple[str, ...]
    notes: tuple[str, ...] = ()
    step: Step | None = None

    def labels(self, horizon: int | None) -> tuple[str, ...]:
        """The labels of the rows to forecast; None: those without a value, else a season."""
        horizon = horizon or len(self.future) or self.series.season
        more = horizon - len(self.future)
        following = future_labels([*self.series.labels, *self.future], more, self.step) if more > 0 else []
        return tuple([*self.future, *following][:horizon])


def known_rows(data: AirlineData | SeriesData, file: str | None = None) -> KnownRows:
    """Returns the rows of a run's series, or of a file with more of them.

    Args:
        data: the run's options.
        file: path of the file; None takes the run's own data.

    Raises:
        DataError: if a file cannot be read, its rows are another time apart than the run's, or it has fewer than a window.
    """
    own = time_series(data, dataset_spec(data))
    if file is None:
        return KnownRows(replace(own, holdout=0), 0, own.holdout, read_series(data).future)
    options = _options(data, file)
    read, path = read_series(options, own.name), Path(file).expanduser()  # its columns may stand in another order
    _check(own, read, data, path)
    both, newer = _shared(own, read)
    notes = []
    if read.name.lower() != own.name.lower():
        notes.append(f"{shown_path(path)}: has no column {own.name}, as the run's data has; {read.name} is taken")
    if not newer and (both[-1][1] if both else -1) < len(own.values) - 1:
        where = f"with {read.labels[-1]}, before the run's data does, with {own.labels[-1]}"
        notes.append(f"{shown_path(path)}: ends {where}; the forecast follows the file's last row")
    elif not both:
        notes.append(f"{shown_path(path)}: shares no row with the run's data, which ends with {own.labels[-1]}")
    other = [(new, old) for new, old in both if read.values[new] != own.values[old]]
    if other:
        new, old = other[0]
        notes.append(
            f"{shown_path(path)}: line {read.lines[new]}: {read.name} of {read.labels[new]} is {read.values[new]:g}, "
            f"and {own.values[old]:g} in the run's data; {count(len(other), 'row')} of {len(both)} shared ones differ"
        )
    values = np.array(read.values)
    series = replace(own, name=read.name, labels=read.labels, values=values, holdout=0, dates=read.dates)
    few = len(read.labels) <= _FEW and form_of_labels(read.labels) == form_of_labels(own.labels)
    held_out = newer + sum(old >= len(own.known) for _, old in both)
    return KnownRows(series, newer, held_out, read.future, tuple(notes), step_of(own.labels) if few else None)


def _options(data: AirlineData | SeriesData, file: str) -> SeriesData:
    """The options that read another file by the run's rules."""
    if isinstance(data, SeriesData):
        return replace(data, file=file)
    shared = {name: getattr(data, name) for name in data.__dataclass_fields__ if name != "name"}
    return SeriesData(name="series", file=file, column=None, **shared)


def _check(own: TimeSeries, read: Series, data: AirlineData | SeriesData, path: Path) -> None:
    def fail(reason: str) -> NoReturn:
        raise DataError(f"data.file={shown_path(path)}: {reason}")

    parts = {"data.window": data.window, "data.difference": data.difference}
    needed = sum(parts.values())
    if len(read.values) < needed:
        terms = " + ".join(f"{key}={part}" for key, part in parts.items() if part)
        fail(f"has {count(len(read.values), 'value')}; a forecast by this run needs at least {needed}: {terms}")
    before, now = step_of(own.labels), step_of(read.labels)
    if before is not None and now is None and len(read.labels) > 1:
        fail(f"its rows have no dates, such as {read.labels[0]}; those of the run's data have, such as {own.labels[0]}")
    if before is not None and now is not None and (before.months, before.ticks) != (now.months, now.ticks):
        fail(f"its rows are {now} apart, and {before} in the run's data; must be the same series with more rows")


def _shared(own: TimeSeries, read: Series) -> tuple[list[tuple[int, int]], int]:
    """Pairs of indices, new and old, of the rows that both have, and the number of rows after the last old one.

    Rows are matched by their dates, where they are months apart by their months, since 2019-01 is 2019-01-31 in another file;
    without dates, by the numbers that count them in the same column of both files; else by their places from the beginning.
    """
    old, new = _moments(own.labels), _moments(read.labels)
    if old is None or new is None:
        before, now = _counts(own), _counts(read)
        if before and now and list(map(str.lower, own.dates)) == list(map(str.lower, read.dates)):  # an index may count from 0
            return _matched(before, now)
        size = min(len(own.labels), len(read.labels))
        return [(row, row) for row in range(size)], len(read.labels) - size
    step = step_of(own.labels)
    if step is not None and step.months:
        months = ([12 * moment.year + moment.month for moment in moments] for moments in (old, new))
        return _matched(*months)
    return _matched(old, new)


def _counts(series: TimeSeries | Series) -> Sequence[float] | None:
    """The numbers that count the rows upwards in a column of the file; None where there are none."""
    numbers = counts_of(series.labels) if series.dates else None
    rises = numbers is not None and all(map(lt, numbers, islice(numbers, 1, None)))
    return numbers if rises and (len(series.labels) < _COUNTS or counts_rows(series.labels)) else None


def _matched(old: Sequence[Moment], new: Sequence[Moment]) -> tuple[list[tuple[int, int]], int]:
    places = {moment: row for row, moment in enumerate(old)}
    both = [(row, places[moment]) for row, moment in enumerate(new) if moment in places]
    return both, sum(moment > old[-1] for moment in new)


def _moments(labels: Sequence[str]) -> list[datetime] | None:
    form = form_of_labels(labels)
    if form is None:
        return None
    try:
        found = [form.parse(label) for label in labels]
    except ValueError:
        return None
    return [moment if moment.tzinfo else moment.replace(tzinfo=UTC) for moment in found]
