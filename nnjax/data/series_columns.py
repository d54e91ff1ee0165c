"""Finds a table's value column and its date columns.

    index = value_column(path, table.header, head.columns, data.column)
    clock = find_clock(table.header, head, index)
    clock.labels(head.columns)                     # ["1949-01", "1949-02", …]

Both are decided by the first rows, and hold for all.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from pathlib import Path

from nnjax.config.errors import DataError
from nnjax.config.paths import shown_path
from nnjax.data.series_dates import counts_rows, labels_fall, parse_moment
from nnjax.data.series_forms import (
    Form,
    form_of_numbers,
    form_of_texts,
)
from nnjax.data.series_refusals import AS_IS, advice_against_all, refusal_of
from nnjax.data.series_table import Chunk

Columns = Sequence[Sequence[str]]

_MISSING = {"", "-", "--", ".", "n/a", "na", "#n/a", "nan", "nil", "none", "null", "?"}
# 12 kg, €1,234.50, 1 234, (12), 5 %
_DIRTY = re.compile(
    r"\(?[-+−]?\s?[$€£¥₹]?\s?(?:\d{1,3}(?:[.,'’\s]\d{3})+(?:[.,]\d+)?|\d+(?:[.,]\d+)?|[.,]\d+)\)?\s?[-*]?"
    r"(?:[%‰$€£¥₹°]|[^\W\d_]{1,4}[²³]?)?(?:/[^\W\d_]{1,4}[²³]?)?"
)
_NUMBERING = re.compile(r"|id|t|time|period|step|index|idx|n[or]\.?|#|row|key|.*_id", re.IGNORECASE)
_PARTS = {
    "year": {"year", "yr", "yyyy", "jahr", "annee", "année", "año", "ano", "anno"},
    "quarter": {"quarter", "qtr", "quartal", "trimestre"},
    "month": {"month", "mon", "mo", "monat", "mois", "mes", "mese"},
    "week": {"week", "wk", "woche", "kw", "semaine", "semana", "isoweek"},
    "day": {"day", "tag", "jour", "dia", "día", "giorno", "mday", "dayofmonth"},
    "hour": {"hour", "hr", "hh", "hours", "stunde", "heure", "hora", "ora", "time", "uhrzeit", "clock", "timeofday"},
    "minute": {"minute", "minutes"},
}


@dataclass(frozen=True)
class Clock:
    """The column or columns that date the rows.

    Attributes:
        name: of the column, or of the columns that make a date together.
        form: of the labels; None if they are numbers that count the rows.
        labels: the function from the columns to the labels.
        parts: the columns that it takes.
        refusal: why dates cannot be read, and the line; None if they can, or if there are none.
    """

    name: str
    form: Form | None
    labels: Callable[[Columns], Sequence[str]]
    parts: tuple[int, ...]
    refusal: tuple[str, int] | None = None


def number(cell: str) -> float | None:
    """Returns the number in a cell, which may be infinite; None if it holds none."""
    try:
        return None if "_" in cell else float(cell)  # Python accepts 1_000
    except ValueError:
        return None


def value_column(path: Path, header: list[str], columns: Columns, column: str | int | None) -> int:
    """Returns the index of the column with the values: the one of that name or place, else the only numeric one.

    Raises:
        DataError: if there is none, or there are several.
    """
    if column is None:
        return _only_numbers(path, header, columns)
    name, names = str(column), ", ".join(filter(None, header))
    if header.count(name) == 1:
        return header.index(name)
    if name in header:
        raise DataError(f"data.column={name}: in {shown_path(path)} {header.count(name)} columns are called so")
    if re.fullmatch(r"[+-]?[0-9]+", name):
        if -len(header) <= int(name) < len(header):
            return int(name) % len(header)
        places = ", ".join(f"{place}={title}" for place, title in enumerate(header))
        raise DataError(
            f"data.column={name}: {shown_path(path)} has no column of this name or place; must be {-len(header)} to "
            f"{len(header) - 1}, or a name: {places}"
        )
    lower = [title.lower() for title in header]
    near = get_close_matches(name.lower(), lower, n=1)
    meant = f"; did you mean {header[lower.index(near[0])]}?" if near else "."
    raise DataError(f"data.column={name}: {shown_path(path)} has no such column{meant} There are: {names}")


def _only_numbers(path: Path, header: list[str], columns: Columns) -> int:
    """Returns the only column that holds numbers, or mostly does; dates and parts of dates do not count."""
    forms = {index: form_of_numbers(cells, header[index]) for index, cells in enumerate(columns)}
    named = [index for index, name in enumerate(header) if name]
    dated = {index for index in named if form_of_texts(columns[index]) or advice_against_all(columns[index])}
    dated |= {index for index, form in forms.items() if form and not _is_year(form)}
    dated |= set(_date_parts(header, columns, named).values())
    for index in sorted(dated):
        form = form_of_texts(columns[index]) or forms[index]
        dated |= set(_with_time(header, columns, named, index, form).parts) if form else set()
    undated = [index for index in named if index not in dated]
    numeric = [index for index in named if _could_be_numbers(columns[index])]
    found = [index for index in numeric if index not in dated]
    if not found and (not undated or any(form and form.name == "epoch" for form in forms.values())):
        found = numeric
    if len(found) == 1:
        (only,) = found
        if len(undated) == 1 or not (_is_year(forms[only]) or _NUMBERING.fullmatch(header[only])):
            return only
        reason = f"only {header[only]} holds numbers, and seems to say when or which; choose one, such as"
        raise DataError(f"data.column=null: in {shown_path(path)} {reason} data.column={header[only]}")
    if not found and len(undated) == 1:
        return undated[0]  # the error about its first wrong cell is more useful
    if found:
        several = ", ".join(header[index] for index in found)
        values = [index for index in found if not forms[index] and not counts_rows(columns[index])] or found
        reason = f"several columns hold numbers: {several}; choose one, such as data.column={header[values[-1]]}"
    else:
        first = ", ".join(f"{header[index]}='{columns[index][0]}'" for index in named)
        reason = f"no column holds numbers; the first row has: {first}"
    raise DataError(f"data.column=null: in {shown_path(path)} {reason}")


def _is_year(form: Form | None) -> bool:
    return form is not None and form.name == "2024"


def _could_be_numbers(cells: Sequence[str]) -> bool:
    """Whether at least half of the cells are numbers, with or without a unit, or gaps among numbers."""
    numbers = sum(number(cell) is not None or _DIRTY.fullmatch(cell) is not None for cell in cells)
    gaps = sum(cell.lower() in _MISSING for cell in cells)
    return numbers > 0 and 2 * (numbers + gaps) >= len(cells)


def find_clock(header: list[str], head: Chunk, values: int) -> Clock | None:
    """Finds what dates the rows: a column of dates, columns of year, month …, or one that counts; None without any.

    Args:
        header: names of the columns.
        head: the first rows.
        values: index of the column with the values.
    """
    others = [index for index in range(len(header)) if index != values]
    varying = [index for index in others if len(set(head.columns[index])) > 1]
    # A date that is the same in all rows is probably that of the download.
    return _dated(header, head, others, varying) or _dated(header, head, others, others) or _counting(header, head, others)


def _dated(header: list[str], head: Chunk, others: list[int], candidates: list[int]) -> Clock | None:
    """Finds dates in one of some columns, or in several of the others."""
    columns = head.columns
    texts = {index: form for index in candidates if (form := form_of_texts(columns[index]))}
    for index, form in texts.items():
        if form.name != "clock":
            return _with_time(header, columns, others, index, form)
    if parts := _date_parts(header, columns, others):
        return _together(header, columns, parts, partial(_labels_of_parts, parts))
    for index in candidates:
        if refusal := refusal_of(columns[index], head.lines):
            return Clock(_title(header, index), None, partial(_one, index), (index,), refusal)
    numbers = {index: form for index in candidates if (form := form_of_numbers(columns[index], header[index]))}
    for index, form in sorted(numbers.items(), key=lambda item: _is_year(item[1])):
        return _with_time(header, columns, others, index, form)
    for index, form in texts.items():
        return Clock(_title(header, index), form, partial(_one, index), (index,))
    return None


def _counting(header: list[str], head: Chunk, others: list[int]) -> Clock | None:
    """Finds labels that are no dates but count or fall."""
    columns = head.columns
    for index in others:
        cells = columns[index]
        if labels_fall(cells):
            refusal = f"{cells[1]} comes after {cells[0]}; sort the rows from old to new{AS_IS}"
            return Clock(_title(header, index), None, partial(_one, index), (index,), (refusal, head.lines[1]))
    for index in others:
        if counts_rows(columns[index]) or (index == others[0] and _NUMBERING.fullmatch(header[index])):
            return Clock(_title(header, index), None, partial(_one, index), (index,))
    return None


def _title(header: list[str], index: int) -> str:
    return header[index] or f"column {index}"


def _one(index: int, columns: Columns) -> Sequence[str]:
    return columns[index]


# ── dates in several columns ─────────────────────────────────────────────────────────────────────────────────────────────


def _date_parts(header: list[str], columns: Columns, among: Sequence[int]) -> dict[str, int]:
    """Returns the columns named year, month, day …; empty if there are not at least two."""
    parts = _named(header, among)
    if "year" not in parts or not {"month", "quarter", "week"} & parts.keys():
        return {}
    for part in ("quarter", "week"):
        if "month" in parts:
            parts.pop(part, None)
    if "month" not in parts:
        part = "quarter" if "quarter" in parts else "week"
        parts = {"year": parts["year"], part: parts[part]}
    elif "day" not in parts:
        parts = {"year": parts["year"], "month": parts["month"]}
    labels = _labels_of_parts(parts, columns)
    return parts if 2 * sum(parse_moment(label) is not None for label in labels) >= len(labels) else {}


def _named(header: list[str], among: Sequence[int]) -> dict[str, int]:
    plain = {index: re.sub(r"[\W_]", "", header[index].lower()) for index in among}
    return {part: index for part, names in _PARTS.items() for index in among if plain[index] in names}


def _with_time(header: list[str], columns: Columns, among: Sequence[int], index: int, form: Form) -> Clock:
    """A column of dates, with the time of day from another column where there is one."""
    alone = Clock(_title(header, index), form, partial(_one, index), (index,))
    named = {part: place for part, place in _named(header, among).items() if place != index}
    if not form.of_days or "hour" not in named:
        return alone
    parts: dict[str, int] = {"date": index}
    parts |= {part: named[part] for part in ("hour", "minute") if part in named}
    together = _together(header, columns, parts, partial(_labels_with_time, parts))
    return together if together.form and together.form.detail[:1] != (0,) else alone


def _together(
    header: list[str], columns: Columns, parts: Mapping[str, int], labels: Callable[[Columns], Sequence[str]]
) -> Clock:
    name = " + ".join(_title(header, index) for index in parts.values())
    return Clock(name, form_of_texts(labels(columns)), labels, tuple(parts.values()))


def _labels_of_parts(parts: Mapping[str, int], columns: Columns) -> list[str]:
    rows = zip(*(columns[index] for index in parts.values()), strict=True)
    return [_date(dict(zip(parts, map(_whole, row), strict=True))) for row in rows]


def _labels_with_time(parts: Mapping[str, int], columns: Columns) -> list[str]:
    rows = zip(*(columns[index] for index in parts.values()), strict=True)
    labels = []
    for day, *clock in rows:
        day = f"{day[:4]}-{day[4:6]}-{day[6:8]}" if re.fullmatch(r"\d{8}(\.0+)?", day) else day
        labels.append(f"{day} {_clock(*map(_whole, clock))}")
    return labels


def _whole(cell: str) -> str:
    return re.sub(r"\.0+$", "", cell)


def _date(cells: Mapping[str, str]) -> str:
    year = cells["year"]
    if "quarter" in cells:
        return f"{year}-Q{cells['quarter'].upper().removeprefix('Q')}"
    if "week" in cells:
        return f"{year}-W{cells['week'].upper().removeprefix('W'):0>2}"
    month = cells["month"]
    text = f"{year}-{month:0>2}" if month.isdigit() else f"{year}-{month}"
    if "day" in cells:
        text += f"-{cells['day']:0>2}"
    return f"{text} {_clock(cells['hour'], *[cells[name] for name in cells if name == 'minute'])}" if "hour" in cells else text


def _clock(hour: str, minute: str = "00") -> str:
    if not hour.isdigit():
        return hour
    return f"{hour:0>2}:{minute:0>2}" if len(hour) <= 2 else f"{hour:0>4}"
