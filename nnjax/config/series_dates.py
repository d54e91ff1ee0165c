"""Months, days and times of day in the rows of a series: are they in order, and is none left out?

problem_of_moments(["1949-01", "1949-02", "1949-04"])
# (2, "goes from 1949-02 to 1949-04; 1949-03 is missing")
"""

import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

_MOMENT = re.compile(r"\d{4}-\d{2}(-\d{2}([T ]\d{2}:\d{2}(:\d{2})?)?)?")
_DAY = 24 * 60 * 60  # seconds


def looks_like_moment(text: str) -> bool:
    """Whether a text is written as an ISO month, date or date and time: 1949-01, 1949-01-31, 1949-01-31 13:00."""
    return _MOMENT.fullmatch(text) is not None


def parse_moment(text: str) -> datetime | None:
    """The moment that an ISO month, date or date and time stands for, a month for its beginning; None for other text."""
    try:
        return datetime.fromisoformat(f"{text}-01" if len(text) == 7 else text) if looks_like_moment(text) else None
    except ValueError:
        return None


def problem_of_moments(labels: Sequence[str]) -> tuple[int, str] | None:
    """The first row whose moment is wrong, repeated, out of order, or comes after a gap, and what is wrong with it.

    Where most rows follow each other in one step (of months, days, minutes …), a longer one is a gap. Days that leave out all
    weekends are taken as they are, since holidays are left out as well.

    Args:
        labels: one a row, the first of which looks like a moment.

    Returns:
        Index of the row, and the reason; None if all is well.
    """
    moments: list[datetime] = []
    for index, label in enumerate(labels):
        moment = parse_moment(label)
        if moment is None or len(label) != len(labels[0]):
            like = labels[0] if index else "1949-01 or 1949-01-31"
            return index, f"is {label or 'empty'}; must be a date that exists, written like {like}"
        if moments and moment == moments[-1]:
            return index, f"{label} stands in the row before as well"
        if moments and moment < moments[-1]:
            return index, f"{label} comes after {labels[index - 1]}; sort the rows from old to new"
        moments.append(moment)
    return _gap(labels, moments)


def _gap(labels: Sequence[str], moments: Sequence[datetime]) -> tuple[int, str] | None:
    """The first row after a gap, and what is missing."""
    seconds = [int((moment - moments[0]).total_seconds()) for moment in moments]
    months = [12 * moment.year + moment.month - 1 for moment in moments]
    if len(set(_steps(seconds))) <= 1:
        return None
    monthly = min(_steps(months)) >= 1
    places = months if monthly else seconds
    usual, times = Counter(_steps(places)).most_common(1)[0]
    workdays = usual == _DAY and all(moment.weekday() < 5 for moment in moments)
    if 2 * times <= len(moments) - 1 or (workdays and not monthly):
        return None
    for index, (before, after) in enumerate(pairwise(places), start=1):
        if missing := range(before + usual, after, usual):
            if monthly:
                first = f"{missing[0] // 12:04}-{missing[0] % 12 + 1:02}"
            else:
                moment = moments[0] + timedelta(seconds=missing[0])
                first = moment.isoformat(labels[0][10:11] or " ")[: len(labels[0])]
            what = f"{first} is missing" if len(missing) == 1 else f"{len(missing)} rows are missing, from {first} on"
            return index, f"goes from {labels[index - 1]} to {labels[index]}; {what}"
    return None


def _steps(places: Sequence[int]) -> list[int]:
    return [after - before for before, after in pairwise(places)]
