"""The labels of the rows that follow a series: its dates go on as they did.

    future_labels(["2024-01-31", "2024-02-29", "2024-03-31"], 2)          # ["2024-04-30", "2024-05-31"]
    step_of(labels).per_year                                              # ends of months, days without weekends, quarters, …

A label is written as the last one is: Apr 2006 is followed by May 2006, and 2024-W52 by 2025-W01. Holidays are not known.
"""

import calendar
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice, pairwise
from operator import sub

from nnjax.config.errors import DataError
from nnjax.data.series_dates import counts_of, counts_rows, moments_of, written
from nnjax.data.series_forms import Form, form_of, form_of_numbers, form_of_texts, groups_of

_MOST = 4096  # last labels that decide
_WEEKDAY = re.compile(r"(mon|tue|wed|thu|fri|sat|sun)[a-z]*", re.IGNORECASE)
_TICK = timedelta(microseconds=1)
_DAY = timedelta(days=1) // _TICK


@dataclass(frozen=True)
class Step:
    """How far apart the moments of a series are.

    Attributes:
        months: between rows; 0 where rows are not months apart.
        ticks: microseconds between rows, 0 for months.
        at: the day of a month: `end`, `first_workday`, `last_workday`, or the `same` one; `workdays` for days without weekends.
        day: of a month, where it is the same one, or the last one of a shorter month; 0 for that of the last row.
    """

    months: int
    ticks: int
    at: str = "same"
    day: int = 0

    def __str__(self) -> str:
        """In words: a month, 3 months, 7 days, a working day."""
        if self.months:
            number, unit = (self.months // 12, "year") if self.months % 12 == 0 else (self.months, "month")
        elif self.at == "workdays":
            number, unit = 1, "working day"
        else:
            units = ((_DAY, "day"), (_DAY // 24, "hour"), (_DAY // 1440, "minute"), (10**6, "second"), (1, "microsecond"))
            size, unit = next((size, unit) for size, unit in units if self.ticks % size == 0)
            number = self.ticks // size
        return f"{number} {unit}{'' if number == 1 else 's'}"


def form_of_labels(labels: Sequence[str]) -> Form | None:
    """Returns the form of dates that labels are written in; None if they are no dates."""
    return form_of_texts(labels) or form_of_numbers(labels)


def step_of(labels: Sequence[str]) -> Step | None:
    """Returns the usual step between dated rows; None for labels that are no dates in order, or fewer than two."""
    labels = labels[-_MOST:]
    form = form_of_labels(labels)
    ticks = moments_of(labels, form) if form else None
    if form is None or ticks is None or len(labels) < 2 or any(after <= before for before, after in pairwise(ticks)):
        return None
    moments = [form.parse(label) for label in labels]
    months = [12 * moment.year + moment.month for moment in moments]
    steps = Counter(map(sub, islice(months, 1, None), months))
    between = Counter(map(sub, islice(ticks, 1, None), ticks))
    usual = _usual(between)
    if min(steps) > 0:
        at, day = _day_of_month(moments)
        # Elsewhere in months, equal steps are four weeks or a few days, and seconds since 1970 are those of events.
        if at or (len(between) > 1 and form.name != "epoch"):
            return Step(_usual(steps), 0, at or "same", day)
    if usual == _DAY and len(moments) > 5 and all(moment.weekday() < 5 for moment in moments):
        return Step(0, _DAY, "workdays")
    return Step(0, usual)


def future_labels(labels: Sequence[str], count: int, step: Step | None = None) -> list[str]:
    """Returns the labels of the next rows.

    Args:
        labels: those of all known rows, in order; at least one.
        count: number of rows.
        step: between dated rows; None to find it.

    Returns:
        [count] dates in the labels' form; numbers that go on; +1, +2, … after labels of another kind.

    Raises:
        DataError: if the dates would go beyond the year 9999.
    """
    form, step = form_of_labels(labels[-_MOST:]), step or step_of(labels)
    if form is not None and step is not None:
        write = _writer(labels[-_MOST:], form)
        following: list[str] = []
        try:
            for moment in islice(_moments(form.parse(labels[-1]), step), count):
                following.append(write(moment))
        except (ValueError, OverflowError) as error:
            most = f"at most {len(following):,} rows follow {labels[-1]}"
            raise DataError(f"horizon: {count:,} rows, {step} apart, go beyond the year 9999; {most}") from error
        return following
    numbers = counts_of(labels)
    if numbers is not None and (len(numbers) < 3 or counts_rows(labels)):
        by = numbers[-1] - numbers[-2] if len(numbers) > 1 else 1.0
        return [_number(numbers[-1] + by * ahead, labels[-1]) for ahead in range(1, count + 1)]
    return [f"+{ahead}" for ahead in range(1, count + 1)]


def _usual(steps: Counter[int]) -> int:
    return steps.most_common(1)[0][0]


def _number(value: float, like: str) -> str:
    return str(round(value)) if value.is_integer() and re.fullmatch(r"[-+]?\d+", like) else f"{value:.12g}"


def _day_of_month(moments: Sequence[datetime]) -> tuple[str, int]:
    """Where in their months the moments are, and the day, if it is the same one; "" and 0 where they have no such place."""
    ends = [calendar.monthrange(moment.year, moment.month)[1] for moment in moments]
    day = max(moment.day for moment in moments)
    if day < 28 and all(moment.day == day for moment in moments):
        return "same", day
    if all(moment.day == end for moment, end in zip(moments, ends, strict=True)):
        return "end", 0
    if all(moment.day == _last_workday(moment.year, moment.month) for moment in moments):
        return "last_workday", 0
    if all(moment.day == _first_workday(moment.year, moment.month) for moment in moments):
        return "first_workday", 0
    if all(moment.day == min(day, end) for moment, end in zip(moments, ends, strict=True)):
        return "same", day
    return "", 0


def _first_workday(year: int, month: int) -> int:
    weekday = date(year, month, 1).weekday()
    return 1 if weekday < 5 else 8 - weekday


def _last_workday(year: int, month: int) -> int:
    end = calendar.monthrange(year, month)[1]
    return end - max(0, date(year, month, end).weekday() - 4)


def _moments(last: datetime, step: Step) -> Iterator[datetime]:
    """Yields the moments after the last one."""
    if not step.months:
        moment = last
        while True:
            moment += step.ticks * _TICK
            if step.at != "workdays" or moment.weekday() < 5:
                yield moment
    months = 12 * last.year + last.month - 1
    while True:
        months += step.months
        year, month = months // 12, months % 12 + 1
        end = calendar.monthrange(year, month)[1]
        workdays = {"first_workday": _first_workday(year, month), "last_workday": _last_workday(year, month)}
        day = end if step.at == "end" else workdays.get(step.at, min(step.day or last.day, end))
        yield last.replace(year=year, month=month, day=day)


def _writer(labels: Sequence[str], form: Form) -> Callable[[datetime], str]:
    """Returns a function that writes a moment like the last label: its parts are replaced, and the result is read again."""
    like = labels[-1]
    found = [(part, text) for label in labels for part, (_, text) in groups_of(label).items()]
    one_digit = {part for part, text in found if len(text) == 1 and text.isdigit()}
    if any(part == "name" for part, _ in found) and not any(part == "day" and text[0] == "0" for part, text in found):
        one_digit.add("day")  # 31 Dec 2024 is followed by 1 Jan 2025
    full_names = any(part == "name" and len(text) > 4 for part, text in found)

    def write(moment: datetime) -> str:
        if form.name == "2024":  # also beyond the years that are read as such
            return f"{moment:%Y}".zfill(4)
        if form.name == "clock" and "half_day" not in groups_of(like):  # starts again at midnight
            return _replaced(like, moment, one_digit, full_names)
        for text in (
            _replaced(like, moment, one_digit, full_names),
            written(moment, like, form),
            f"{moment:%Y-%m-%d %H:%M:%S}",
        ):
            if _reads_as(text, form, moment):
                return text
        return moment.isoformat(" ")

    return write


def _reads_as(text: str, form: Form, moment: datetime) -> bool:
    try:
        return form_of(text) is not None and form.parse(text) == moment
    except ValueError:
        return False


def _replaced(like: str, moment: datetime, one_digit: set[str], full_names: bool) -> str:
    """A label with the parts of another moment."""
    iso_year, week, weekday = moment.isocalendar()
    parts: dict[str, int] = {
        "year": moment.year,
        "next_year": moment.year + 1,
        "month": moment.month,
        "day": moment.day,
        "quarter": (moment.month + 2) // 3,
        "half": (moment.month + 5) // 6,
        "week": week,
        "weekday": weekday,
    }
    groups = groups_of(like)
    if "week" in groups:
        parts["year"] = iso_year
    text = like
    for part, (start, found) in sorted(groups.items(), key=lambda item: -item[1][0]):
        if part in parts:
            width = 1 if part in one_digit else len(found)
            new = f"{parts[part]:0{width}}"
        elif part == "name":
            name = calendar.month_name[moment.month] if full_names else calendar.month_abbr[moment.month]
            new = name.upper() if found.isupper() else name.lower() if found.islower() else name
        elif part == "clock":
            new = _clock(found, moment)
        else:
            continue
        text = text[:start] + new + text[start + len(found) :]
    if word := _WEEKDAY.match(text):
        name = calendar.day_name[moment.weekday()] if len(word[0]) > 4 else calendar.day_abbr[moment.weekday()]
        text = (name.upper() if word[0].isupper() else name) + text[word.end() :]
    return text


def _clock(like: str, moment: datetime) -> str:
    """A time of day in the form of another one: 9:05, 13:00:00.5, 1300."""
    colons, fraction = ":" in like, re.search(r"[.,]\d+$", like)
    digits = len(re.sub(r"[.,]\d+$", "", like).replace(":", ""))
    parts = [f"{moment.hour:02}", f"{moment.minute:02}", f"{moment.second:02}"][: (digits + 1) // 2]
    text = (":" if colons else "").join(parts)
    if fraction:
        text += fraction[0][0] + f"{moment.microsecond:06}"[: len(fraction[0]) - 1]
    return text
