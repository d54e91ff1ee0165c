"""The forms of dates: each is understood, in order or backwards, repeated, or with a row left out, or refused with advice."""

from datetime import date, datetime, timedelta

import pytest

from nnjax.data.series_dates import parse_moment, problem_of_counts, problem_of_moments
from nnjax.data.series_forms import form_of, form_of_numbers, form_of_texts
from nnjax.data.series_refusals import advice_against, advice_against_words

MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
LONG_NAMES = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October")
LONG_NAMES += ("November", "December")


def day(row):
    return date(2019, 12, 20) + timedelta(days=row)


def hour(row):
    return datetime(2023, 12, 30, 20) + timedelta(hours=row)


def year_and_week(row):
    return (date(2020, 11, 2) + timedelta(weeks=row)).isocalendar()[:2]  # 2020 has a week 53


def month(row):
    return 2005 + row // 12, row % 12


# A row as a label, and row 20, left out, as the message writes it.
FORMS = {
    "20240131": (lambda row: f"{day(row):%Y%m%d}", "20200109"),
    "20240131.0": (lambda row: f"{day(row):%Y%m%d}.0", "20200109"),
    "202401": (lambda row: f"{month(row)[0]}{month(row)[1] + 1:02}", "200609"),
    "2024013113": (lambda row: f"{hour(row):%Y%m%d%H}", "2023123116"),
    "202401311300": (lambda row: f"{hour(row):%Y%m%d%H%M}", "202312311600"),
    "20240131T130000": (lambda row: f"{hour(row):%Y%m%dT%H%M%S}", "2023-12-31 16:00"),
    "2024": (lambda row: str(1970 + row), "1990"),
    "2024.0": (lambda row: f"{1970 + row}.0", "1990"),
    "FY2024": (lambda row: f"FY{1970 + row}", "FY1990"),
    "2023/2024": (lambda row: f"{1970 + row}/{1971 + row}", "1990/1991"),
    "2024Q1": (lambda row: f"{2000 + row // 4}Q{row % 4 + 1}", "2005-Q1"),
    "2024-Q1": (lambda row: f"{2000 + row // 4}-Q{row % 4 + 1}", "2005-Q1"),
    "Q1 2024": (lambda row: f"Q{row % 4 + 1} {2000 + row // 4}", "2005-Q1"),
    "H1 2024": (lambda row: f"H{row % 2 + 1} {2000 + row // 2}", "2010-H1"),
    "2024-S1": (lambda row: f"{2000 + row // 2}-S{row % 2 + 1}", "2010-H1"),
    "2024-W05": (lambda row: "{}-W{:02}".format(*year_and_week(row)), "2021-W12"),
    "2024W05": (lambda row: "{}W{:02}".format(*year_and_week(row)), "2021-W12"),
    "weekly days": (lambda row: str(date(2024, 1, 1) + timedelta(weeks=row)), "2024-05-20"),
    "2024M01": (lambda row: f"{month(row)[0]}M{month(row)[1] + 1:02}", "2006-09"),
    "2024-1": (lambda row: f"{month(row)[0]}-{month(row)[1] + 1}", "2006-09"),
    "Apr 2024": (lambda row: f"{MONTH_NAMES[month(row)[1]]} {month(row)[0]}", "2006-09"),
    "April 2024": (lambda row: f"{LONG_NAMES[month(row)[1]]} {month(row)[0]}", "2006-09"),
    "2024 apr": (lambda row: f"{month(row)[0]} {MONTH_NAMES[month(row)[1]].lower()}", "2006-09"),
    "01-Apr-2024": (lambda row: f"{day(row).day:02}-{MONTH_NAMES[day(row).month - 1]}-{day(row).year}", "2020-01-09"),
    "Apr 1, 2024": (lambda row: f"{MONTH_NAMES[day(row).month - 1]} {day(row).day}, {day(row).year}", "2020-01-09"),
    "2024-1-5": (lambda row: f"{day(row).year}-{day(row).month}-{day(row).day}", "2020-01-09"),
    "1:00 PM": (lambda row: f"{hour(row):%Y-%m-%d} {(hour(row).hour + 11) % 12 + 1}:00 {hour(row):%p}", "2023-12-31 16:00"),
    "UTC": (lambda row: f"{hour(row):%Y-%m-%d %H:%M} UTC", "2023-12-31 16:00"),
    "+0100": (lambda row: f"{hour(row):%Y-%m-%dT%H:%M}+0100", "2023-12-31 16:00"),
    "epoch.5": (lambda row: f"{1_700_000_000 + 60 * row}.5", "1700001200.5"),
    "1.7e9": (lambda row: f"{1_700_000_000.0 + 86400 * row:.9e}", "1701728000"),
    "microseconds": (lambda row: str((1_700_000_000 + 60 * row) * 10**6), "1700001200000000"),
    "nanoseconds": (lambda row: str((1_700_000_000 + 60 * row) * 10**9), "1700001200000000000"),
    "13:00": (lambda row: f"{row // 4:02}:{row % 4 * 15:02}", "05:00"),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_form_is_understood(name):
    write, missing = FORMS[name]
    labels = [write(row) for row in range(40)]
    assert form_of_texts(labels) or form_of_numbers(labels)
    assert problem_of_moments(labels) is None
    index, reason = problem_of_moments(labels[::-1])
    assert (index, reason.partition("; ")[0]) == (1, f"{labels[38]} comes after {labels[39]}")
    assert name == "13:00" or reason.endswith("; sort the rows from old to new, or say data.order=sorted")
    index, reason = problem_of_moments([*labels[:21], *labels[20:]])
    assert (index, reason.partition(" as well")[0]) == (21, f"{labels[20]} stands in the row before")
    index, reason = problem_of_moments(labels[:20] + labels[21:])
    assert (index, reason) == (20, f"goes from {labels[19]} to {labels[21]}; {missing} is missing")


def test_what_moments_stand_for():
    moments = {
        "2020-W01": "2019-12-30",
        "2020-W53-7": "2021-01-03",
        "2024Q4": "2024-10-01",
        "H2 2024": "2024-07-01",
        "Sept 2024": "2024-09-01",
        "1 May 2024": "2024-05-01",
        "2024-01-01 12:30 AM": "2024-01-01 00:30",
        "2024-01-01 12:30 p.m.": "2024-01-01 12:30",
        "1991": "1991-01-01",
    }
    for label, moment in moments.items():
        assert parse_moment(label) == datetime.fromisoformat(moment), label


@pytest.mark.parametrize(
    "label", ["2024Q5", "2021-W53", "2024H3", "2024M13", "30 Feb 2024", "2024-01-01 13:00 PM", "2023/2025"]
)
def test_dates_that_do_not_exist(label):
    assert form_of(label)
    assert parse_moment(label) is None


# Apr-06 may be April 2006 or the sixth of April.
REFUSED = [
    *("Apr-06", "Apr 06", "Apr '06", "06-Apr", "1-Apr-06", "31-01-2024", "01-02-24", "1/2/2024 1:00 PM", "04.2006", "04-2006"),
    *(
        "1Q2024",
        "Q1'24",
        "FY24",
        "FY2023/24",
        "2023/24",
        "2023-24",
        "2024T1",
        "2024P05",
        "KW 5/2024",
        "Week 5 2024",
        "2024-031",
    ),
    *(
        "2024-01-31 13:00 CET",
        "2024-01-31 13:00 Europe/Berlin",
        "2024-01-01/2024-01-07",
        "Friday 2024-01-05",
        "31st January 2024",
    ),
    *("May", "Q1", "W05"),
]


@pytest.mark.parametrize("label", REFUSED)
def test_what_cannot_be_read_is_refused_with_what_to_write(label):
    assert form_of_texts([label] * 2) is None
    assert "as in 2024-" in advice_against(label) or "as 2024" in advice_against(label)


@pytest.mark.parametrize(
    "label", ["a/b", "10.0.0.1", "1.2.3", "12.5", "1/2", "Store 12", "Marina 12", "1234-5678", "x" * 50, ""]
)
def test_what_is_no_date(label):
    assert form_of_texts([label] * 2) is None
    assert advice_against(label) is None


def test_months_of_other_languages():
    words = (
        "Januar",
        "Februar",
        "März",
        "April",
        "Mai",
        "Juni",
        "Juli",
        "August",
        "September",
        "Oktober",
        "November",
        "Dezember",
    )
    for write in ("{1} {0}", "{0} {1}", "1. {1} {0}", "{1}-{0}", "1 de {1} de {0}"):
        assert "write months as 2024-01" in advice_against_words(
            [write.format(2020 + row // 12, words[row % 12]) for row in range(30)]
        )
    assert "write the year as well" in advice_against_words([words[row % 12] for row in range(30)])
    assert advice_against_words([f"Store {2000 + row}" for row in range(30)]) is None
    assert advice_against_words(["north", "south"] * 20) is None


@pytest.mark.parametrize(
    ("cells", "name", "form"),
    [
        (range(1991, 2021), "", "2024"),
        (range(2020, 1990, -1), "", "2024"),
        ([2001, 1999, 2005, 2003], "year", "2024"),
        ([2001, 1999, 2005, 2003], "sales", None),
        ([2024] * 9, "year", None),  # one part of a date
        ([1600, 1712, 1900, 1650, 2100, 1810], "sales", None),
        ([20240105, 20240101, 20240103, 20240102], "d", "20240131"),
        ([20240105, 20249999, 20240103, 20248888], "d", None),
        ([202401, 202402, 202403], "", "202401"),
        ([202398, 202399, 202400], "", None),
        ([1_700_000_000, 1_700_000_060, 1_700_000_120], "", "epoch"),
        ([1_700_000_000, 1_100_000_060, 1_900_000_120, 1_100_000_000, 1_200_000_000], "bytes", None),
        ([1_700_000_000, 1_100_000_060, 1_900_000_120, 1_100_000_000, 1_200_000_000], "timestamp", "epoch"),
    ],
)
def test_numbers_that_are_dates(cells, name, form):
    found = form_of_numbers(list(map(str, cells)), name)
    assert (found and found.name) == form


AS_IS = "; data.order=as_is takes the rows as they stand"
SORT = f"; sort the rows from old to new, or say data.order=sorted{AS_IS}"


@pytest.mark.parametrize(
    ("numbers", "problem"),
    [
        (range(9, -1, -1), (1, f"8 comes after 9{SORT}")),
        ([2, 1, 0], (1, f"1 comes after 2{SORT}")),
        ([*range(12, 0, -1)] * 3, (1, f"11 comes after 12{SORT}")),
        ([0, 1, 2, 3, 3, 4, 5, 6], (4, f"3 stands in the row before as well{AS_IS}")),
        ([3, 0, 2, 1, 4], (1, f"0 comes after 3{SORT}")),
        ([*range(1, 13)] * 3, None),
        (range(10), None),
        ([0, 1, 2, 4, 5], None),
        ([5, 3, 8, 1], None),
        ([7, 7, 7], None),
        ([1, 0], None),
    ],
)
def test_numbers_that_count_the_rows(numbers, problem):
    assert problem_of_counts(list(map(str, numbers)), is_index=True) == problem


def test_clocks_that_are_set_back_or_forward():
    def hours(*hours, day="2024-10-27"):
        return [f"{day} {hour:02}:00" for hour in hours]

    hint = "write offsets from UTC, as in 2024-"
    assert f"; if clocks were set back here, {hint}10-27T02:00+01:00" in problem_of_moments(hours(0, 1, 2, 2, 3))[1]
    assert (
        f"; if clocks were set forward here, {hint}03-31T03:00+02:00"
        in problem_of_moments(hours(0, 1, 3, 4, day="2024-03-31"))[1]
    )
    assert "clocks" not in problem_of_moments(hours(0, 1, 3, 4, day="2024-07-07"))[1]
    offsets = ["2024-10-27T01:00+02:00", "2024-10-27T02:00+02:00", "2024-10-27T02:00+01:00", "2024-10-27T03:00+01:00"]
    assert problem_of_moments(offsets) is None


@pytest.mark.parametrize("fraction", [".5", ".0"])
def test_one_fraction_of_a_second_among_thousands_of_whole_ones(fraction):
    """More labels than are converted at once."""
    labels = [f"1700000000{fraction}", *(str(1_700_000_000 + 60 * row) for row in range(1, 5000))]
    assert problem_of_moments(labels) is None
    assert problem_of_moments([*labels, "soon"]) == (
        5000,
        f"is soon; must be a date that exists, written like 1700000000{fraction}",
    )
    assert problem_of_moments([*labels, labels[-1]])[0] == 5000


def test_forms_that_are_mixed():
    assert problem_of_moments(["2024-01", "2024-02", "Mar 2024"]) == (
        2,
        "is Mar 2024; must be a date that exists, written like 2024-01",
    )
    assert problem_of_moments(["x", "2024-02", "2024-03"])[0] == 0
    assert problem_of_moments(["1700000000", "1700000060", "170000012000", "1700000180"])[0] == 2
    assert problem_of_moments(["2024-01-01T01:00+01", "2024-01-01 02:00:00"])[0] == 1  # as long, but with an offset
