"""Checks that the months, days or times of a series are in order and that none is missing.

problem_of_moments(["1949-01", "1949-02", "1949-04"])
# (2, "goes from 1949-02 to 1949-04; 1949-03 is missing")
"""

import re
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import islice, pairwise, repeat
from math import isfinite
from operator import floordiv, lt, sub
from typing import Any, TypeVar

from nnjax.data.series_forms import Form, form_of, form_of_numbers, form_of_texts, have_form
from nnjax.data.series_refusals import AS_IS

Number = TypeVar("Number", int, float)

_TICK = timedelta(microseconds=1)
_HOUR, _DAY = timedelta(hours=1) // _TICK, timedelta(days=1) // _TICK
_LONGEST_HOLIDAYS = 31 * _DAY  # of an exchange
_BLOCK = 4096  # labels that are converted to moments at once
_SORT = "sort the rows from old to new"
_ON_REQUEST = ", or say data.order=sorted"
_LABEL = re.compile(r"[^-+0-9]{0,40}[0-9].{0,40}")  # T-10, T-9 … go forward
_OFFSETS = "write offsets from UTC, as in 2024-10-27T02:00+01:00"


def parse_moment(text: str) -> datetime | None:
    """Returns the moment that a text denotes, the beginning for a period; None if it has no reading, or two."""
    form = form_of(text)
    try:
        return form.parse(text) if form else None
    except ValueError:
        return None


def problem_of_moments(labels: Sequence[str], form: Form | None = None) -> tuple[int, str] | None:
    """Finds the first row whose moment is wrong, repeated, out of order or after a gap.

    Where most rows are about one step apart (of months, days, minutes …), a much longer step is a gap. Days without weekends
    may skip up to a month, since they skip holidays as well.

    Args:
        labels: one per row.
        form: the form that they are written in; None to find it.

    Returns:
        Index of the row, and the reason; None if all is well.
    """
    form = form or form_of_texts(labels) or form_of_numbers(labels) or form_of(labels[0])
    if form is None:
        return 0, _unreadable(0, labels, form)
    ticks = moments_of(labels, form)
    if ticks is None:
        return first_unreadable(labels, form)
    if all(map(lt, ticks, islice(ticks, 1, None))):
        return _gap(labels, ticks, form)
    index = next(index for index, (before, after) in enumerate(pairwise(ticks), 1) if after <= before)
    return index, _slip(index, labels, ticks, form)


def moments_of(labels: Sequence[str], form: Form) -> "array[int] | None":
    """Returns the microseconds from the first label to each label; None if one has another form or is no existing date."""
    ticks: array[int] = array("q")
    try:
        first = form.parse(labels[0])
        for start in range(0, len(labels), _BLOCK):
            block = labels[start : start + _BLOCK]
            if form.name == "epoch" and all(map(str.isdecimal, (labels[0], *block))) and have_form(block, form):
                per_tick = 10**6 / int(str(form.detail[0]))  # a power of 10, or of 1/10
                ticks.extend(round((int(label) - int(labels[0])) * per_tick) for label in block)
                continue
            moments = _iso(block) if form.name == "day" and len(set(map(len, block))) == 1 else None
            if moments is None:
                if not have_form(block, form):
                    return None
                moments = map(form.parse, block)
            ticks.extend(map(floordiv, map(sub, moments, repeat(first)), repeat(_TICK)))
    except (ValueError, TypeError):  # subtracting a moment without an offset from UTC from one with it
        return None
    return ticks


def _iso(labels: Sequence[str]) -> Iterable[datetime] | None:
    """Returns the moments of labels if all are ISO 8601; ten times as fast as the patterns."""
    try:
        return list(map(datetime.fromisoformat, labels))
    except ValueError:
        return None


def counts_rows(cells: Sequence[str]) -> bool:
    """Whether cells are numbers that change by one constant step (four in five do), or fall from row to row."""
    numbers = counts_of(cells)
    if numbers is None or len(numbers) < 3:
        return False
    steps = Counter(map(sub, islice(numbers, 1, None), numbers))
    return _is_regular(steps) or (len(numbers) >= 8 and max(steps) < 0)


def labels_fall(labels: Sequence[str]) -> bool:
    """Whether texts with whole numbers, such as lap 12, 4T2014 or 2004年12月, fall from row to row.

    The numbers of a text are compared from the first to the last, or from the last to the first; one step in ten may rise.
    """
    if len(labels) < 3 or not all(map(_LABEL.fullmatch, labels)) or counts_of(labels):
        return False
    rows = [tuple(map(int, re.findall("[0-9]+", label))) for label in labels]
    if len(set(map(len, rows))) != 1:
        return False
    for order in (1, -1):
        falls = sum(after[::order] < before[::order] for before, after in pairwise(rows))
        if 10 * falls >= 9 * (len(rows) - 1):
            return True
    return False


def problem_of_counts(labels: Sequence[str], is_index: bool) -> tuple[int, str] | None:
    """Finds the first row where numbers that count the rows fall or repeat; None for numbers that do not count.

    Args:
        labels: numbers.
        is_index: whether numbers that can be sorted to 4, 5, 6 … have to be in that order.
    """
    numbers = counts_of(labels)
    if numbers is None or len(numbers) < 3:
        return None
    steps = Counter(map(sub, islice(numbers, 1, None), numbers))
    usual = _median_low(steps)
    falls = usual < 0 if _is_regular(steps) else len(numbers) >= 8 and max(steps) < 0
    mixed = is_index and min(steps) < 0 and len(set(numbers)) == len(numbers) == max(numbers) - min(numbers) + 1
    repeats = _is_regular(steps) and usual > 0 and steps[0]
    for index, (before, after) in enumerate(pairwise(numbers) if falls or mixed or repeats else (), 1):
        if after == before:
            return index, f"{labels[index]} stands in the row before as well{AS_IS}"
        if after < before and (falls or mixed):
            return index, f"{labels[index]} comes after {labels[index - 1]}; {_SORT}{_ON_REQUEST}{AS_IS}"
    return None


def _is_regular(steps: Counter[float]) -> bool:
    """Whether four in five steps are about the same, and not 0."""
    usual = _median_low(steps)
    return usual != 0 and 5 * _near(steps, usual) >= 4 * steps.total()


def _near(steps: Counter[Any], usual: float) -> int:
    """How many steps are within a tenth of the usual one."""
    return sum(number for step, number in steps.items() if 10 * abs(step - usual) <= abs(usual))


def counts_of(labels: Sequence[str]) -> "array[float] | None":
    """Returns labels as numbers; None if one is not finite."""
    try:
        numbers = array("d", map(float, labels))
    except ValueError:
        return None
    return numbers if all(map(isfinite, numbers)) else None


def first_unreadable(labels: Sequence[str], form: Form) -> tuple[int, str]:
    """Returns the first row whose label is no moment of a form, and the reason; there must be one."""
    blocks = range(0, len(labels), _BLOCK)
    start = next(start for start in blocks if moments_of([labels[0], *labels[start : start + _BLOCK]], form) is None)
    index = next(index for index in range(start, len(labels)) if _moment(labels[index], form) is None)
    return index, _unreadable(index, labels, form)


def _unreadable(index: int, labels: Sequence[str], form: Form | None) -> str:
    like = next((other for other in labels if form and _moment(other, form)), "1949-01 or 1949-01-31")
    return f"is {labels[index] or 'empty'}; must be a date that exists, written like {like}"


def _slip(index: int, labels: Sequence[str], ticks: Sequence[int], form: Form) -> str:
    """Describes a row that does not come after the row before."""
    label, before = labels[index], labels[index - 1]
    back = ticks[index - 1] - ticks[index]
    hint = _set_back(form, form.parse(label)) if back <= _HOUR else ""
    if back == 0:
        year = f"; one column must hold the month too, as in {label[:4]}-01" if form.name == "2024" else ""
        return f"{label} stands in the row before as well{year}{hint}"
    if form.name == "clock":
        return f"{label} comes after {before}; write the date before the time, as in 2024-01-31 {label}"
    if ticks[index] in ticks[:index]:
        return f"{label} comes after {before}, and stands in an earlier row as well; keep the rows of one series alone{hint}"
    falls = sum(map(lt, islice(ticks, 1, None), ticks))
    often = _ON_REQUEST if falls > 1 and 10 * falls > len(labels) else ""  # rather than a slip
    return f"{label} comes after {before}; {_SORT}{often}{hint}"


def _moment(label: str, form: Form) -> datetime | None:
    try:
        return form.parse(label) if have_form([label], form) else None
    except ValueError:
        return None


def _set_back(form: Form, moment: datetime) -> str:
    """Advises on clocks that were set back: on a Sunday night in autumn an hour occurs twice."""
    if form.is_local and moment.weekday() == 6 and moment.month in (3, 4, 9, 10, 11) and moment.hour <= 3:
        return f"; if clocks were set back here, {_OFFSETS}"
    return ""


def _set_forward(form: Form, before: datetime, moment: datetime) -> str:
    """Advises on clocks that were set forward: an hour is missing."""
    night = before.hour <= 3 and moment.month in (3, 4, 9, 10, 11) and moment.weekday() == 6
    if form.is_local and night and moment - before <= timedelta(hours=2):
        return f"; if clocks were set forward here, {_OFFSETS.replace('10-27T02:00+01:00', '03-31T03:00+02:00')}"
    return ""


def _gap(labels: Sequence[str], ticks: Sequence[int], form: Form) -> tuple[int, str] | None:
    """Returns the first row after a gap, and what is missing."""
    monthly = _months(labels, form)
    places = monthly or ticks
    steps = Counter(map(sub, islice(places, 1, None), places))
    if len(steps) <= 1:
        return None
    usual = _median_low(steps)
    times = _near(steps, usual)  # clocks are slightly inexact
    if 2 * times <= len(labels) - 1 or max(steps) <= usual + usual // 2:
        return None
    longest = usual + usual // 2
    if usual == _DAY and not monthly and all(moment.weekday() < 5 for moment in map(form.parse, labels)):
        if max(steps) <= _LONGEST_HOLIDAYS:
            return None
        longest = _LONGEST_HOLIDAYS
    index = next(i for i, (before, after) in enumerate(pairwise(places), 1) if after - before > longest)
    missing = range(places[index - 1] + usual, places[index] - usual // 2, usual)
    moment = form.parse(labels[index - 1])
    if monthly:
        first, hint = form.period(datetime(missing[0] // 12, missing[0] % 12 + 1, 1)), ""
    else:
        first = written(moment + usual * _TICK, labels[index - 1], form)
        hint = _set_forward(form, moment, form.parse(labels[index]))
    what = f"{first} is missing" if len(missing) == 1 else f"{len(missing)} rows are missing, from {first} on"
    return index, f"goes from {labels[index - 1]} to {labels[index]}; {what}{hint}"


def _months(labels: Sequence[str], form: Form) -> list[int] | None:
    """Returns the months since the year 0, if each label is in a later month than the label before."""
    months: list[int] = []
    for moment in map(form.parse, labels):
        month = 12 * moment.year + moment.month - 1
        if months and month <= months[-1]:
            return None
        months.append(month)
    return months


def _median_low(counts: Counter[Number]) -> Number:
    """Returns the median of counted values, the lower one of the two in the middle."""
    place = (counts.total() + 1) // 2
    for value in sorted(counts):
        place -= counts[value]
        if place <= 0:
            return value
    raise ValueError("nothing was counted")


def written(moment: datetime, like: str, form: Form) -> str:
    """Writes a moment in the form of a label in ISO 8601, digits or seconds, with the same offset from UTC."""
    if form.name == "epoch":
        unit = int(str(form.detail[0]))
        whole, millionths = divmod((moment - datetime.fromtimestamp(0, moment.tzinfo)) // _TICK * unit, 10**6)
        decimals = re.search(r"\.\d+$", like)
        return f"{whole}.{millionths:06}"[: len(str(whole)) + len(decimals[0])] if decimals else str(whole)
    if form.name == "week":
        year, week, weekday = moment.isocalendar()
        return f"{year}-W{week:02}" + (f"-{weekday}" if form.detail[2] else "")
    if form.name.isdigit():
        return f"{moment:%Y%m%d%H%M%S}"[: len(form.name)]
    match = re.fullmatch(r"(\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?)(Z|[+-]\d\d:\d\d)?", like)
    if match:
        text = moment.replace(tzinfo=None).isoformat(like[10:11] or " ", "microseconds")
        return text[: len(match[1])] + (match[2] or "")
    if form.name == "clock":
        return f"{moment:%H:%M:%S}".removesuffix(":00")
    return f"{moment:%Y-%m-%d}" if form.of_days else f"{moment:%Y-%m-%d %H:%M:%S}".removesuffix(":00")
