"""The forms of months, days and moments that have exactly one reading.

    form = form_of_texts(["Apr 2006", "May 2006"])         # or form_of_numbers(["20240131", …])
    form.parse("Apr 2006")                                 # datetime(2006, 4, 1)

The standard library reads ISO 8601. Nothing is guessed: dateutil reads Apr-06 as the sixth of this year's April, has no
quarters, and takes 80 µs per cell.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from functools import cache, partial
from itertools import pairwise

LONGEST = 40  # letters of a date
_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
MONTH_NAME = r"(?:{}|sept)".format("|".join(f"{name[:3]}(?:{name[3:]})?" for name in _MONTHS))
YEAR = "(?:1[5-9]|2[01])[0-9]{2}"
_TIME = (
    r"(?P<clock>\d\d?(?::\d\d(?::\d\d(?:[.,]\d+)?)?|\d\d(?:\d\d(?:[.,]\d+)?)?)?)"
    r"(?:\ ?(?P<half_day>[ap])\.?m\.?)?"
    r"(?:\ ?(?P<offset>Z|UTC|GMT|[+-]\d\d(?::?\d\d)?))?"
)
_AT = rf"(?:(?:T|,?\ ){_TIME})?"
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\ )?"

# Digits stand for any digits here, so that all labels of one shape have the same form.
_PATTERNS = {
    "month": r"(?P<year>\d{4})-(?P<month>\d\d?)",
    "day": rf"(?P<year>\d{{4}})-(?P<month>\d\d?)-(?P<day>\d\d?){_AT}",
    "day_together": rf"(?P<year>\d{{4}})(?P<month>\d\d)(?P<day>\d\d)(?:T|\ ){_TIME}",
    "week": r"(?P<year>\d{4})[-\ ]?W(?P<week>\d\d?)(?:-?(?P<weekday>\d))?",
    "quarter": r"(?P<year>\d{4})[-/\ ]?Q(?P<quarter>\d)",
    "quarter_first": r"Q(?P<quarter>\d)[-/\ ]?(?P<year>\d{4})",
    "half": r"(?P<year>\d{4})[-/\ ]?[HS](?P<half>\d)",
    "half_first": r"[HS](?P<half>\d)[-/\ ]?(?P<year>\d{4})",
    "m": r"(?P<year>\d{4})[-/\ ]?M(?P<month>\d\d?)",
    "m_first": r"M(?P<month>\d\d?)[-/\ ]?(?P<year>\d{4})",
    "name_first": rf"(?P<name>{MONTH_NAME})\.?[-,/\ ]{{1,2}}(?P<year>\d{{4}})",
    "name_last": rf"(?P<year>\d{{4}})[-,/\ ]{{0,2}}(?P<name>{MONTH_NAME})\.?",
    "day_name": rf"{_WEEKDAY}(?P<day>\d\d?)(?:\.?\ |[-/]?)(?P<name>{MONTH_NAME})\.?[-/,\ ]{{0,2}}(?P<year>\d{{4}}){_AT}",
    "name_day": rf"{_WEEKDAY}(?P<name>{MONTH_NAME})\.?\ (?P<day>\d\d?),?\ (?P<year>\d{{4}}){_AT}",
    "year_name_day": rf"(?P<year>\d{{4}})[-/\ ](?P<name>{MONTH_NAME})[-/\ ](?P<day>\d\d?){_AT}",
    "fiscal": r"[FC]Y[-\ ]?(?P<year>\d{4})",
    "two_years": r"(?P<year>\d{4})[-/](?P<next_year>\d{4})",
    "clock": r"(?P<clock>\d\d?:\d\d(?::\d\d(?:[.,]\d+)?)?)(?:\ ?(?P<half_day>[ap])\.?m\.?)?",
}
_UNSURE = {"month", "two_years"}  # 1001-17, 1234-5678
_EVERY = {
    "quarter": "{0.year:04}-Q{1}",
    "half": "{0.year:04}-H{2}",
    "fiscal": "FY{0.year:04}",
    "two_years": "{0.year:04}/{3:04}",
}


@dataclass(frozen=True)
class Form:
    """A form of moments; labels of equal forms can be compared.

    Attributes:
        name: the pattern's name.
        detail: the precision of the labels: `("13:00", offset)` for minutes with an offset from UTC.
        parse: the function from a label to its moment, the beginning for a period; raises ValueError if there is none.
        period: the function that writes a month, or the period of several months that begins with it.
    """

    name: str
    detail: tuple[object, ...] = ()
    parse: Callable[[str], datetime] = field(compare=False, default=datetime.fromisoformat)
    period: Callable[[datetime], str] = field(compare=False, default=lambda moment: f"{moment:%Y-%m}".zfill(7))

    @property
    def of_days(self) -> bool:
        """Whether labels are days without a time, to which a time can be added."""
        return self.name in ("20240131", "day", "day_name", "name_day", "year_name_day") and not any(self.detail)

    @property
    def is_local(self) -> bool:
        """Whether labels have a time without an offset, so that they jump when clocks are changed."""
        return bool(self.detail) and self.detail[0] != 0 and not self.detail[-1] and self.name != "clock"


def form_of(text: str) -> Form | None:
    """Returns the form of one label, as far as a single one shows it; None if it has not exactly one reading."""
    return _text_form(text) or next((form for form, pattern in _numbers() if pattern.fullmatch(text)), None)


def groups_of(text: str) -> dict[str, tuple[int, str]]:
    """Returns the named parts of a label, such as year and month, with where each starts; empty for digits alone."""
    for pattern in _patterns().values():
        if match := pattern.fullmatch(text):
            return {part: (match.start(part), found) for part, found in match.groupdict().items() if found}
    return {}


def form_of_texts(texts: Sequence[str]) -> Form | None:
    """Returns the most frequent form of some labels, if at least half of those that are not empty have one."""
    find = form_of_shape()
    forms = [form for text in texts if (form := find(text)) and (form.name not in _UNSURE or _exists(form, text))]
    filled = len(texts) - texts.count("")
    return Counter(forms).most_common(1)[0][0] if forms and 2 * len(forms) >= filled else None


def form_of_shape() -> Callable[[str], Form | None]:
    """Returns a function from a text to its form, fast where many texts differ in their digits alone."""
    known: dict[str, Form | None] = {}

    def form(text: str) -> Form | None:
        shape = text.translate(_SHAPE)
        if shape not in known:
            known[shape] = _text_form(text)
        return known[shape]

    return form


def have_form(texts: Sequence[str], form: Form) -> bool:
    """Whether all texts are of a form."""
    for other, pattern in _numbers():
        if other == form:
            return all(map(pattern.fullmatch, texts))
    shapes = {text.translate(_SHAPE): text for text in texts}
    return all(_text_form(text) == form for text in shapes.values())


def form_of_numbers(cells: Sequence[str], name: str = "") -> Form | None:
    """Returns the form of a column of whole numbers that are years, days such as 20240131, or seconds since 1970.

    Ambiguous numbers count only if the column's name says so, or if they change in one direction with few exceptions.

    Args:
        cells: the column.
        name: its name.
    """
    cells = [cell for cell in cells if cell]
    slips = len(cells) // 20 + (len(cells) >= 8)
    for form, pattern in _numbers():
        good = [cell for cell in cells if pattern.fullmatch(cell) and _exists(form, cell)]
        if not good or len(good) < len(cells) - slips or len(set(good)) == 1:
            continue
        numbers = list(map(float, good))
        steps = [after - before for before, after in pairwise(numbers)]
        falls, rises = sum(step < 0 for step in steps), sum(step > 0 for step in steps)
        if form.name == "epoch":
            sure = min(falls, rises) <= max(1, len(steps) // 20)
        elif form.name == "2024":
            ((_, often),) = Counter(filter(None, steps)).most_common(1)
            sure = min(falls, rises) <= slips and 5 * often >= 4 * (falls + rises)
        else:
            sure = len(form.name) > 6 or len(good) > 3 or not (falls and rises)
        if sure or _TELLING_NAME.search(name.lower()):
            return form
    return None


# ── texts ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

_SHAPE = str.maketrans("123456789", "000000000")


@cache
def _patterns() -> Mapping[str, re.Pattern[str]]:
    return {name: re.compile(pattern, re.IGNORECASE | re.ASCII) for name, pattern in _PATTERNS.items()}


def _text_form(text: str) -> Form | None:
    if len(text) > LONGEST or not any(map(str.isdigit, text)):
        return None
    for name, pattern in _patterns().items():
        if match := pattern.fullmatch(text):
            groups = match.groupdict()
            clock = re.sub(r"[.,]\d+$", "", groups.get("clock") or "").replace(":", "")
            detail = (
                (len(clock) + 1) // 2,
                bool(groups.get("half_day")),
                bool(groups.get("weekday")),
                bool(groups.get("offset")),
            )
            return Form(name, detail, partial(_parse_text, pattern), partial(_period, name.removesuffix("_first")))
    return None


def _period(name: str, moment: datetime) -> str:
    text = _EVERY.get(name, "{0.year:04}-{0.month:02}")
    return text.format(moment, (moment.month + 2) // 3, (moment.month + 5) // 6, moment.year + 1)


def _parse_text(pattern: re.Pattern[str], text: str) -> datetime:
    match = pattern.fullmatch(text)
    if match is None:
        raise ValueError(text)
    found = {name: group for name, group in match.groupdict().items() if group}
    if "week" in found:
        day = date.fromisocalendar(int(found["year"]), int(found["week"]), int(found.get("weekday", "1")))
    elif "year" in found:
        day = date(int(found["year"]), _month(found), int(found.get("day", "1")))
    else:
        day = date(1900, 1, 1)
    if "next_year" in found and int(found["next_year"]) != day.year + 1:
        raise ValueError(text)
    clock = found.get("clock", "0")
    at = time.fromisoformat(f"0{clock}" if len(re.split("[:.,]", clock)[0]) % 2 else clock)
    if half_day := found.get("half_day"):
        if not 1 <= at.hour <= 12:
            raise ValueError(text)
        at = at.replace(hour=at.hour % 12 + (12 if half_day in "pP" else 0))
    if offset := found.get("offset"):
        sign = "+00:00" if offset[0] not in "+-" else offset
        at = time.fromisoformat(f"00:00{sign}").replace(at.hour, at.minute, at.second, at.microsecond)
    return datetime.combine(day, at)


def _month(found: Mapping[str, str]) -> int:
    if name := found.get("name"):
        return [month[:3] for month in _MONTHS].index(name[:3].lower()) + 1
    for part, months in (("quarter", 3), ("half", 6)):
        if part in found:
            number = int(found[part])
            if not 1 <= number <= 12 // months:
                raise ValueError(number)
            return months * (number - 1) + 1
    return int(found.get("month", "1"))


# ── numbers ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

_TELLING_NAME = re.compile(r"^(year|yr|jahr|ann[eé]e|a[nñ]o|anno|ts|t|period|epoch|unix.*)$|date|datum|time|_at$")
_EPOCHS = {1: r"\d{9,10}", 10**3: r"\d{12,13}", 10**6: r"\d{15,16}", 10**9: r"\d{18,19}"}
_COMPACT = {14: "20240131130000", 12: "202401311300", 10: "2024013113", 8: "20240131", 6: "202401", 4: "2024"}


@cache
def _numbers() -> list[tuple[Form, re.Pattern[str]]]:
    """Yields forms in digits alone, the surest first; pandas writes 20240131.0 where a column had gaps."""
    years = "%Y%m%d%H%M%S"
    found = []
    for size, name in _COMPACT.items():
        period = partial(_written, years[: max(2, min(size - 2, 4))]) if size <= 6 else Form("").period
        form = Form(name, parse=_parse_compact, period=period)
        found.append((form, re.compile(rf"{YEAR if size < 10 else '(?:19|20|21)[0-9]{2}'}[0-9]{{{size - 4}}}(?:\.0+)?")))
    for unit, digits in _EPOCHS.items():
        exponent = rf"|\d(?:\.\d+)?e\+?0?{9 if unit == 1 else 12}" if unit <= 1000 else ""
        pattern = re.compile(rf"{digits}(?:\.\d+)?{exponent}", re.IGNORECASE | re.ASCII)
        found.append((Form("epoch", (unit,), partial(_parse_epoch, unit)), pattern))
    return found


def _written(form: str, moment: datetime) -> str:
    return moment.strftime(form)


def _exists(form: Form, text: str) -> bool:
    try:
        form.parse(text)
    except ValueError:
        return False
    return True


def _parse_compact(text: str) -> datetime:
    digits = text.partition(".")[0]
    if len(digits) <= 8:
        return datetime.fromisoformat(f"{digits}0101"[:8] if len(digits) == 4 else f"{digits}01"[:8])
    return datetime.fromisoformat(f"{digits[:8]}T{digits[8:]}")


def _parse_epoch(unit: int, text: str) -> datetime:
    try:
        if "." in text or "e" in text.lower():
            return datetime.fromtimestamp(float(text) / unit, UTC)
        seconds, rest = divmod(int(text), unit)
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest * 10**6 // unit)
    except OverflowError as error:
        raise ValueError(text) from error
