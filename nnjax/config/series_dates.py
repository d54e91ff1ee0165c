"""Months, days and times of day in the rows of a series: are they in order, and is none left out?

problem_of_moments(["1949-01", "1949-02", "1949-04"])
# (2, "goes from 1949-02 to 1949-04; 1949-03 is missing")
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median_low

# Group 1 ends before fractions of a second, group 2 is the offset from UTC.
_MOMENT = re.compile(r"(\d{4}-\d{2}(?:-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?)?)?)(?:\.\d+)?(Z|[+-]\d{2}:\d{2})?")
_EPOCH = re.compile(r"\d{9,10}(\d{3})?(?:\.0+)?")  # seconds, with group 1 milliseconds, since 1970
_OTHER_DATE = re.compile(r"(\d\d?[/.]\d\d?[/.](\d\d){1,2}|\d{4}[/.]\d\d?[/.]\d\d?|\d\d?/\d{4}|\d{4}/\d\d?)([T ,].*)?")
_TICK = timedelta(microseconds=1)
_DAY = timedelta(days=1) // _TICK


def looks_like_moment(text: str) -> bool:
    """Whether a text is written as an ISO month, date, or date and time: 1949-01, 1949-01-31, 1949-01-31T13:00:00.5Z."""
    return _MOMENT.fullmatch(text) is not None


def looks_like_other_date(text: str) -> bool:
    """Whether a text is written as a date that is not ISO, and may be read in two ways: 1/2/1949, 31.01.1949."""
    return _OTHER_DATE.fullmatch(text) is not None


def look_like_epochs(texts: Sequence[str]) -> bool:
    """Whether texts are whole seconds or milliseconds since 1970, from row to row in one direction but for a slip or two."""
    if not all(map(_EPOCH.fullmatch, texts)):
        return False
    steps = _steps([int(float(text)) for text in texts])
    slips = min(sum(step <= 0 for step in steps), sum(step >= 0 for step in steps))
    return slips < len(steps) and slips <= max(1, len(steps) // 20)


def parse_moment(text: str) -> datetime | None:
    """The moment that a text stands for, a month for its beginning; None for text that is neither ISO nor an epoch."""
    try:
        if epoch := _EPOCH.fullmatch(text):
            return datetime.fromtimestamp(float(text) / (1000 if epoch[1] else 1), UTC)
        return datetime.fromisoformat(f"{text}-01" if len(text) == 7 else text) if looks_like_moment(text) else None
    except ValueError:
        return None


def problem_of_moments(labels: Sequence[str]) -> tuple[int, str] | None:
    """The first row whose moment is wrong, repeated, out of order, or comes after a gap, and what is wrong with it.

    Where most rows follow each other in about one step (of months, days, minutes …), a much longer one is a gap. Days that
    leave out all weekends are taken as they are, since holidays are left out as well.

    Args:
        labels: one a row, the first of which looks like a moment, or all of which look like epochs.

    Returns:
        Index of the row, and the reason; None if all is well.
    """
    moments: list[datetime] = []
    for index, label in enumerate(labels):
        moment = parse_moment(label)
        if moment is None or _form(label) != _form(labels[0]):
            like = labels[0] if index else "1949-01 or 1949-01-31"
            return index, f"is {label or 'empty'}; must be a date that exists, written like {like}"
        if moments and moment == moments[-1]:
            return index, f"{label} stands in the row before as well"
        if moments and moment < moments[-1]:
            return index, f"{label} comes after {labels[index - 1]}; sort the rows from old to new"
        moments.append(moment)
    return _gap(labels, moments)


def _form(label: str) -> tuple[int, bool]:
    """What is alike in labels that can be compared: how far they go into detail, and whether they name an offset."""
    if epoch := _EPOCH.fullmatch(label):
        return 0, bool(epoch[1])
    match = _MOMENT.fullmatch(label)
    return (len(match[1]), bool(match[2])) if match else (-1, False)


def _gap(labels: Sequence[str], moments: Sequence[datetime]) -> tuple[int, str] | None:
    """The first row after a gap, and what is missing."""
    ticks = [(moment - moments[0]) // _TICK for moment in moments]
    months = [12 * moment.year + moment.month - 1 for moment in moments]
    if len(set(_steps(ticks))) <= 1:
        return None
    monthly = min(_steps(months)) >= 1
    places = months if monthly else ticks
    usual = median_low(_steps(places))
    times = sum(10 * abs(step - usual) <= usual for step in _steps(places))  # clocks are a little early or late
    workdays = usual == _DAY and all(moment.weekday() < 5 for moment in moments)
    if 2 * times <= len(moments) - 1 or (workdays and not monthly):
        return None
    for index, (before, after) in enumerate(pairwise(places), start=1):
        if missing := range(before + usual, after - usual // 2, usual):
            if monthly:
                first = f"{missing[0] // 12:04}-{missing[0] % 12 + 1:02}"
            else:
                first = _written(moments[index - 1] + usual * _TICK, labels[index - 1])
            what = f"{first} is missing" if len(missing) == 1 else f"{len(missing)} rows are missing, from {first} on"
            return index, f"goes from {labels[index - 1]} to {labels[index]}; {what}"
    return None


def _written(moment: datetime, like: str) -> str:
    """A moment in the form of a label at the same offset from UTC."""
    if epoch := _EPOCH.fullmatch(like):
        return f"{moment.timestamp() * (1000 if epoch[1] else 1):.0f}"
    match = _MOMENT.fullmatch(like)
    offset = match[2] or "" if match else ""
    text = moment.replace(tzinfo=None).isoformat(like[10:11] or " ", "microseconds")
    return text[: len(like) - len(offset)] + offset


def _steps(places: Sequence[int]) -> list[int]:
    return [after - before for before, after in pairwise(places)]
