"""Rows of a series whose dates do not ascend as the training's did are refused."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from models import facts_of, series_facts

from nnjax.config.errors import DataError
from nnjax.serving.input_rows import columns_note, rows_from_csv

MONTHS = series_facts(labels=tuple(f"{year}-{month:02}" for year in (1949, 1950) for month in range(1, 13)))
DAYS = series_facts(labels=("2024-03-01", "2024-03-04", "2024-03-05", "2024-03-06"))  # without weekends
YEARS = series_facts(labels=("1990", "1991", "1992"))
NONE = series_facts(labels=("1", "2", "3"))
AS_IS = series_facts(labels=("2024-03-01", "2024-01-01", "2024-02-01"))


def table(labels, header="month,passengers"):
    return "\n".join([header, *(f"{label},{value}" for value, label in enumerate(labels, 5))])


@pytest.mark.parametrize(
    ("facts", "labels"),
    [
        (MONTHS, ("1961-01", "1961-02", "1961-03")),
        (MONTHS, ("1961-1-31", "1961-2-28", "1961-3-31")),  # in no form of ISO 8601: as texts
        (MONTHS, ("1960-12-31", "1961-01-31", "1961-02-28")),
        (DAYS, ("2024-04-11", "2024-04-12", "2024-04-15")),
        (YEARS, ("1999", "2000", "2001")),
        (NONE, ("2024-01-01", "2024-01-05", "2025-01-01")),
        (AS_IS, ("2024-03-01", "2024-01-01", "2024-02-01")),
        (MONTHS, ("Jan", "Feb", "Mar")),
        (MONTHS, ("1990", "1880", "1770")),  # numbers, and not called years
    ],
)
def test_dates_that_ascend_and_other_texts(facts, labels):
    assert rows_from_csv(table(labels), facts).ravel().tolist() == [5, 6, 7]


@pytest.mark.parametrize(
    ("facts", "labels", "message"),
    [
        (MONTHS, ("1961-03", "1961-02", "1961-01"), "line 3: month 1961-02 comes after 1961-03; rows must go from old to new"),
        (MONTHS, ("1961-01", "1961-01", "1961-02"), "line 3: month 1961-01 stands in the row before as well; rows must"),
        (
            MONTHS,
            ("1961-01", "1961-02", "1961-04"),
            "line 4: month goes from 1961-02 to 1961-04, 59 days; in the training data a row came after 28 to 31",
        ),
        (MONTHS, ("1961-01-01", "1961-01-08", "1961-01-15"), "line 3: month goes from 1961-01-01 to 1961-01-08, 7 days"),
        (MONTHS, ("1961-01", "1961-13", "1961-02"), "line 3: month '1961-13' is no date, as 1961-01 in the row before is"),
        (DAYS, ("2024-04-11", "2024-04-12", "2024-04-19"), "line 4: month goes from 2024-04-12 to 2024-04-19, 7 days"),
        (YEARS, ("2001", "2000", "1999"), "line 3: month 2000 comes after 2001"),
        (YEARS, ("1999", "2000", "2002"), "line 4: month goes from 2000 to 2002, 731 days"),
        (NONE, ("2024-01-03", "2024-01-02", "2024-01-01"), "line 3: month 2024-01-02 comes after 2024-01-03"),
        (NONE, ("2024-01-01T10:00", "2024-01-01T09:00+00:00", "x"), "line 3: month 2024-01-01T09:00+00:00 comes after"),
    ],
)
def test_dates_that_do_not_ascend(facts, labels, message):
    with pytest.raises(DataError) as caught:
        rows_from_csv(table(labels), facts)
    assert str(caught.value).startswith(f"the rows, {message}")


def test_years_beside_months():
    rows = ["1960,11,5", "1960,12,6", "1961,1,7"]
    header = "year,month,passengers\n"
    assert rows_from_csv(header + "\n".join(rows), MONTHS).ravel().tolist() == [5, 6, 7]
    with pytest.raises(DataError, match=r"line 3: year 1960 comes after 1961"):
        rows_from_csv(header + "\n".join(rows[::-1]), MONTHS)


DAY = date(2023, 12, 20)
FORMS = {
    "Jan 2024": lambda row: f"{date(2023 + row // 12, row % 12 + 1, 1):%b %Y}",
    "2024 JAN": lambda row: f"{date(2023 + row // 12, row % 12 + 1, 1):%Y %b}".upper(),
    "31 January 2024": lambda row: f"{DAY + timedelta(row):%d %B %Y}",
    "Wed, Jan 31, 2024": lambda row: f"{DAY + timedelta(row):%a, %b %d, %Y}",
    "31-Jan-2024 13:00": lambda row: f"{DAY + timedelta(row // 24):%d-%b-%Y} {row % 24:02}:00",
    "2024-Q1": lambda row: f"{2020 + row // 4}-Q{row % 4 + 1}",
    "Q1 2024": lambda row: f"Q{row % 4 + 1} {2020 + row // 4}",
    "2024-W01": lambda row: f"{2020 + row // 52}-W{row % 52 + 1:02}",
    "FY2024": lambda row: f"FY{2000 + row}",
    "20240131": lambda row: f"{DAY + timedelta(row):%Y%m%d}",
    "1700000000": lambda row: str(1_700_000_000 + 60 * row),
    "9": lambda row: str(row + 5),
    "2024-01-31": lambda row: str(DAY + timedelta(row)),
    "2024-01-31 13:00:00.500": lambda row: f"2024-01-31 13:00:{row / 2:06.3f}",
}
ROWS = range(30, 60)


def dated(labels, *names):
    return series_facts(labels=tuple(labels), dates=names or ("month",))


def quoted(labels):
    return [f'"{label}"' for label in labels]


@pytest.mark.parametrize("write", FORMS.values(), ids=FORMS)
def test_dates_in_the_form_of_the_training_have_to_ascend(write):
    facts, labels = dated(map(write, range(40))), quoted(map(write, ROWS))
    assert rows_from_csv(table(labels), facts).ravel().tolist() == [32, 33, 34]
    assert columns_note(table(labels), facts, "a.csv") is None
    with pytest.raises(DataError, match=f"line 3: month {write(58)} comes after {write(59)}; rows must go from old to new"):
        rows_from_csv(table(labels[::-1]), facts)
    with pytest.raises(DataError, match=f"line 6: month {write(33)} stands in the row before as well"):
        rows_from_csv(table([*labels[:4], *labels[3:]]), facts)
    with pytest.raises(DataError, match="line 6: month 'soon' is no date, as "):
        rows_from_csv(table([*labels[:4], "soon"]), facts)


@pytest.mark.parametrize(
    ("names", "labels", "rows"),
    [
        (("year", "month"), ["2023-11", "2023-12", "2024-01"], ["2024,9", "2024,10", "2024,11", "2024,12", "2025,1"]),
        (("year", "month"), ["2023-Nov", "2023-Dec", "2024-Jan"], ["2024,Nov", "2024,Dec", "2025,Jan"]),
        (("year", "quarter"), ["2023-Q3", "2023-Q4", "2024-Q1"], ["2024,3", "2024,4", "2025,1"]),
        (("year", "week"), ["2024-W09", "2024-W10", "2024-W11"], ["2024.0,9.0", "2024.0,10.0", "2024.0,11.0"]),
        (("year", "month", "day"), ["2024-01-30", "2024-01-31", "2024-02-01"], ["2024,2,28", "2024,2,29", "2024,3,1"]),
        (
            ("date", "hour"),
            ["2024-01-31 22:00", "2024-01-31 23:00", "2024-02-01 00:00"],
            ["2024-02-28,9", "2024-02-28,10", "2024-02-29,0"],
        ),
        (("day", "hour"), ["31 Jan 2024 23:00", "01 Feb 2024 00:00"], ["28 Feb 2024,22", "28 Feb 2024,23", "1 Mar 2024,0"]),
    ],
)
def test_dates_in_several_columns_are_one_date(names, labels, rows):
    facts, header = dated(labels, *names), ",".join([*names, "passengers"])
    assert rows_from_csv(table(rows, header), facts).ravel().tolist() == [5, 6, 7, 8, 9][len(rows) - 3 : len(rows)]
    assert columns_note(table(rows, header), facts, "a.csv") is None
    with pytest.raises(DataError, match=rf"line \d: {' . '.join(names)} .* comes after .*; rows must go from old to new"):
        rows_from_csv(table(rows[::-1], header), facts)


def test_months_in_two_columns_have_no_gaps():
    facts = dated(["2023-11", "2023-12", "2024-01"], "year", "month")
    with pytest.raises(DataError, match=r"line 3: year \+ month goes from 2024-10 to 2024-12, 61 days; in the training data"):
        rows_from_csv(table(["2024,10", "2024,12", "2025,1"], "year,month,passengers"), facts)


def test_columns_that_dated_nothing_are_left_alone():
    facts = dated(["1949-01", "1949-02", "1949-03"])
    rows = [f"1961-0{month},2024-01-05" for month in range(1, 6)]
    assert rows_from_csv(table(rows, "month,downloaded,passengers"), facts).ravel().tolist() == [7, 8, 9]
    no_dates = replace(facts, series=replace(facts.series, dates=()))
    assert rows_from_csv(table(rows[::-1], "month,downloaded,passengers"), no_dates).ravel().tolist() == [7, 8, 9]
    assert columns_note(table(rows, "month,downloaded,passengers"), no_dates, "a.csv") is None


AM_PM = ["2024-01-31 10:00 AM", "2024-01-31 11:00 AM", "2024-01-31 12:00 PM", "2024-01-31 01:00 PM"]
UNCHECKED = "a.csv: whether its rows go from old to new is not checked: "


@pytest.mark.parametrize(
    ("facts", "header", "label", "reason"),
    [
        (dated(["1949-01", "1949-02"]), "month,passengers", "Jan 1961", "month such as 'Jan 1961' cannot be compared"),
        (dated(AM_PM), "month,passengers", AM_PM[0], f"month such as '{AM_PM[0]}' cannot be compared"),
        (dated(["1949-Q1"], "month", "t"), "month,t,passengers", "a,b", "month + t such as 'a-b' cannot be compared"),
        (dated(["1949-01", "1949-02"]), "t,passengers", "5", "it has no column month, which dated the training's rows"),
        (MONTHS, "month,passengers", "Jan 1961", "no column holds dates such as 2024-05-31"),  # an earlier version's file
        (MONTHS, "month,passengers", "1961-01", None),
        (NONE, "month,passengers", "Jan 1961", None),
        (dated(["1949-01", "1949-02"]), "passengers", None, None),  # a list of values
        (facts_of((1,)), "month", None, None),
    ],
)
def test_an_order_that_is_not_checked_is_noted(facts, header, label, reason):
    text = f"{header}\n" + (f"{label},5\n" * 4 if label else "5\n6\n7\n8\n")
    if facts.series:
        assert columns_note(text, facts, "a.csv") == (reason and UNCHECKED + reason)
    if reason:
        assert rows_from_csv(text, facts).ravel().tolist() == [5, 5, 5]
