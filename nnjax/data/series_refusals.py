"""Advice on dates that have two readings or none.

advice_against("31.01.2024")                           # "write dates as 2024-01-31"
"""

import re
from collections.abc import Sequence
from functools import cache

from nnjax.data.series_forms import LONGEST, MONTH_NAME, YEAR, form_of

# The first one also tells data from a header.
_OTHER_DATE = re.compile(
    r"(\d\d?[/.]\d\d?[/.](\d\d){1,2}|\d{4}[/.]\d\d?[/.]\d\d?|\d\d?/\d{4}|\d{4}/\d\d?)([T ,].*)?"
    rf"|\d\d?-\d\d?-{YEAR}([T ,].*)?|(0?[1-9]|1[0-2])-{YEAR}"
)
AS_IS = "; data.order=as_is takes the rows as they stand"
_OTHERS = [
    (r"\d\d?-\d\d?-\d\d([T ,].*)?", "write dates as 2024-01-31"),
    (rf"{YEAR}-\d\d?-\d\d?[T ].*", "write moments as 2024-01-31 13:00, with an offset where clocks change: +01:00"),
    (rf"{YEAR}-\d\d?-\d\d?/{YEAR}-\d\d?-\d\d?", "write the first day alone, as in 2024-01-31"),
    (rf"{YEAR}-\d\d?|(0?[1-9]|1[0-2])\.{YEAR}", "write months as 2024-01, or years as 2024"),
    (rf"{YEAR}-\d{{3}}", "write dates as 2024-01-31"),
    (
        rf"{MONTH_NAME}\.?[-'’/\ ]{{0,2}}\d\d|\d\d[-'’/\ ]{{0,2}}{MONTH_NAME}\.?",
        "write months as 2024-01, or days as 2024-01-31",
    ),
    (rf"\d\d?[-/\ ]{MONTH_NAME}[-/'’\ ]{{1,2}}\d\d([T ,].*)?", "write dates as 2024-01-31"),
    (rf"(.*[^\w])?{MONTH_NAME}(\.?[-'’/,\ ]{{1,2}}\d.*)", "write dates as 2024-01-31"),
    (rf"(.*\d[-.'’/,\ ]{{1,2}}){MONTH_NAME}([^\w].*)?", "write dates as 2024-01-31"),
    (rf".*\b{YEAR}-\d\d-\d\d\b.*|.*\b\d\d?[./]\d\d?[./]{YEAR}\b.*", "write dates as 2024-01-31"),
    (rf"{MONTH_NAME}\.?", f"write the year as well, as in 2024-01{AS_IS}"),
    (r"Q[1-4]", f"write the year as well, as in 2024-Q1{AS_IS}"),
    (r"W\d\d?", f"write the year as well, as in 2024-W05{AS_IS}"),
    (r"[1-4]\ ?Q[-'’/\ ]?(\d\d){1,2}|Q[1-4][-'’/\ ]?\d\d", "write quarters as 2024-Q1"),
    (r"[FC]Y[-'’\ ]?\d\d([-/]\d\d)?|[FC]Y[-\ ]?\d{4}[-/](\d\d){1,2}", "write years as 2024"),
    (r"[FC]Y[-'’\ ]?(\d\d){1,2}[-/\ ]?Q[1-4]|Q[1-4][-/\ ]?[FC]Y[-'’\ ]?(\d\d){1,2}", "write quarters as 2024-Q1"),
    (rf"{YEAR}[-/\ ]?[A-Z]\d{{1,3}}|[A-Z]\d{{1,2}}[-/\ ]{YEAR}", f"write dates as 2024-01-31{AS_IS}"),
    (rf"[^\W\d_]{{1,8}}\.?\ ?\d\d?[-/,\ ]{{1,2}}{YEAR}", f"write weeks as 2024-W05, months as 2024-01{AS_IS}"),
    (rf"{YEAR}[-/,\ ]{{1,2}}[^\W\d_]{{1,8}}\.?\ ?\d\d?", f"write weeks as 2024-W05, months as 2024-01{AS_IS}"),
]
_WORD_YEAR = (
    rf"(?:\d\d?[-/.\ ]{{1,2}}(?:de\ )?)?(?P<before>[^\W\d_]+)\.?(?:[-/,\ ]{{1,2}}(?:de\ )?{YEAR}|-[0-9]{{2}})"
    rf"|(?:{YEAR}[-/,\ ]{{1,2}}|[0-9]{{2}}-)(?P<after>[^\W\d_]+)\.?"
)


def advice_against(text: str) -> str | None:
    """Returns what to write in place of a date that has two readings or none; None if the text is no date."""
    if len(text) > LONGEST or not text:
        return None
    if _OTHER_DATE.fullmatch(text):
        return "write dates as 2024-01-31"
    return next((advice for pattern, advice in _others() if pattern.fullmatch(text)), None)


def looks_like_other_date(text: str) -> bool:
    """Whether a text is a date in digits that is not ISO 8601: 1/2/1949, 31.01.1949."""
    return _OTHER_DATE.fullmatch(text) is not None


def advice_against_words(texts: Sequence[str]) -> str | None:
    """What to write in place of texts that may be the months of some language, each with a year, or over and over again."""
    matches = [_word_year().fullmatch(text) for text in texts if text]
    words = {(match["before"] or match["after"]).lower() for match in matches if match}
    if all(matches) and 2 <= len(words) <= 13 and 2 * len(set(texts)) > len(texts):
        return f"write months as 2024-01, or days as 2024-01-31{AS_IS}"
    again = len(texts) > 12 and all(before == after for before, after in zip(texts, texts[12:], strict=False))
    if again and len(set(texts)) == 12 and all(map(str.isalpha, texts[:12])):
        return f"write the year as well, as in 2024-01{AS_IS}"
    return None


def advice_against_all(cells: Sequence[str]) -> str | None:
    """Returns what to write in place of cells that are mostly dates of other forms."""
    filled = [cell for cell in cells if cell]
    found = [advice for cell in filled if (advice := _advice_for(cell))]
    return found[0] if found and 2 * len(found) >= len(filled) else None


def refusal_of(cells: Sequence[str], lines: Sequence[int]) -> tuple[str, int] | None:
    """Describes cells that are mostly dates of other forms, with the line of the first one."""
    if advice_against_all(cells):
        advices = ((cell, line, _advice_for(cell)) for cell, line in zip(cells, lines, strict=True) if cell)
        return next((f"is {cell}; {advice}", line) for cell, line, advice in advices if advice)
    advice = advice_against_words(cells)
    return (f"is {cells[0]}; {advice}", lines[0]) if advice else None


def _advice_for(cell: str) -> str | None:
    return None if form_of(cell) else advice_against(cell)


@cache
def _others() -> list[tuple[re.Pattern[str], str]]:
    return [(re.compile(pattern, re.IGNORECASE), advice) for pattern, advice in _OTHERS]


@cache
def _word_year() -> re.Pattern[str]:
    return re.compile(_WORD_YEAR)
