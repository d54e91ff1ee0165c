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


HALF_DAYS = [f"31 Jan 2024 {hour}:00 AM" for hour in range(8, 12)]
OFFSETS = [f"26 Oct 2024 {hour:02}:00 +0200" for hour in range(20, 24)]


@pytest.mark.parametrize(
    ("labels", "rows"),
    [
        (HALF_DAYS, ["1 Feb 2024 12:00 PM", "1 Feb 2024 1:00 PM", "1 Feb 2024 2:00 PM"]),
        ([label.replace("AM", "a.m.") for label in HALF_DAYS], ["1 Feb 2024 12:00 p.m.", "1 Feb 2024 1:00 p.m."] * 2),
        (OFFSETS, ["27 Oct 2024 02:00 +0200", "27 Oct 2024 02:00 +0100", "27 Oct 2024 03:00 +0100"]),
        ([f"26 Oct 2024 {hour}00 -05" for hour in range(20, 24)], ["27 Oct 2024 0200 -0500", "27 Oct 2024 0200 -0600"] * 2),
        ([f"20241026T{hour}+02:00" for hour in range(20, 24)], ["20241027T02+02:00", "20241027T02+01:00"] * 2),
    ],
)
def test_half_days_and_offsets_are_compared_as_no_numbers(labels, rows):
    assert rows_from_csv(table(rows), dated(labels)).shape == (1, 3, 1)
    note = f"{UNCHECKED}month such as '{rows[0]}' cannot be compared"
    assert columns_note(table(rows), dated(labels), "a.csv") == note


def test_fractions_of_a_second_are_compared_as_such():
    facts = dated([f"31 Jan 2024 10:00:{second:02}.5" for second in range(9)])
    rows = ["1 Feb 2024 10:00:00.25", "1 Feb 2024 10:00:00.5", "1 Feb 2024 10:00:01.0"]
    assert rows_from_csv(table(rows), facts).ravel().tolist() == [5, 6, 7]
    with pytest.raises(DataError, match=r"line 3: month 1 Feb 2024 10:00:00.5 comes after"):
        rows_from_csv(table(rows[::-1]), facts)


ISO = tuple(f"1961-{month:02}" for month in range(1, 13))
NAMES = [f"{month} 1961" for month in ("Jan", "Feb", "Mar", "Apr")]


@pytest.mark.parametrize(
    ("facts", "header", "rows", "column"),
    [
        (dated(MONTHS.series.labels), "Month,passengers", ISO, "Month"),  # the column in another case
        (dated(NAMES), "MONTH,passengers", NAMES, "MONTH"),
        (dated(MONTHS.series.labels), "when,passengers", ISO, "when"),  # another column, in ISO 8601
        (dated(MONTHS.series.labels), ",passengers", ISO, "column 0"),
        (
            dated(["2023-11", "2023-12"], "year", "month"),
            "Year,MONTH,passengers",
            ("2024,1", "2024,2", "2024,3"),
            "Year + MONTH",
        ),
        (dated(MONTHS.series.labels, ""), ",passengers", ISO, "column 0"),  # as pandas writes a table with its index
        (dated(NAMES, ""), ",passengers", NAMES, "column 0"),
        (dated(MONTHS.series.labels, ""), "month,passengers", ISO, "month"),
        (MONTHS, ",passengers", ISO, "column 0"),
        (dated(MONTHS.series.labels, "Passengers"), "when,passengers", ISO, "when"),  # its name is that of the values
    ],
)
def test_a_date_column_of_another_name_or_none_is_checked(facts, header, rows, column):
    assert rows_from_csv(table(rows, header), facts).ravel().tolist() == list(range(5, 5 + len(rows)))[-3:]
    assert columns_note(table(rows, header), facts, "a.csv") is None
    with pytest.raises(DataError) as caught:
        rows_from_csv(table(rows[::-1], header), facts)
    assert str(caught.value).startswith(f"the rows, line 3: {column} {rows[-2].replace(',', '-0')} comes after ")


@pytest.mark.parametrize(
    ("facts", "header", "label", "reason"),
    [
        (dated(NAMES, ""), "month,passengers", NAMES[0], "it has no column without a name, which dated the training's rows"),
        (MONTHS, "code,passengers", "1990", "no column holds dates such as 2024-05-31"),  # a number, not called a year
        (dated(NAMES[::-1]), "month,passengers", NAMES[0], None),  # data.order=as_is
        (dated([NAMES[1], NAMES[3], NAMES[0]]), "when,passengers", "1961-01", None),
        (dated(["3", "2", "1"]), "month,passengers", "3", None),
        (dated(["1/31/1961", "2/1/1961"]), "month,passengers", "1/31/1961", "month such as '1/31/1961' cannot be compared"),
    ],
)
def test_an_order_is_noted_where_there_is_one_and_it_is_not_checked(facts, header, label, reason):
    text = table([label] * 3, header)
    assert columns_note(text, facts, "a.csv") == (reason and UNCHECKED + reason)
    assert rows_from_csv(text, facts).ravel().tolist() == [5, 6, 7]


def test_a_series_that_is_called_a_number_has_its_dates_checked_and_noted():
    facts = series_facts(labels=tuple(NAMES), dates=("month",), name="2024")
    note = f"{UNCHECKED}it has no column month, which dated the training's rows"
    assert columns_note(table(NAMES[::-1], "when,2024"), facts, "a.csv") == note
    assert columns_note(table(NAMES, "month,2024"), facts, "a.csv") is None


@pytest.mark.parametrize(("start", "after"), [(1000, 1144), (2056, 2198), (2500, 2996), (1600, 1744)])
def test_numbers_that_count_are_no_years(start, after):
    facts, rows = dated(map(str, range(start, start + 144)), "t"), [after, after + 1, after + 3, after + 4]
    assert rows_from_csv(table(rows, "t,passengers"), facts).ravel().tolist() == [6, 7, 8]
    assert columns_note(table(rows, "t,passengers"), facts, "a.csv") is None
    with pytest.raises(DataError, match=f"line 3: t {after + 3} comes after {after + 4}; rows must go from old to new"):
        rows_from_csv(table(rows[::-1], "t,passengers"), facts)


@pytest.mark.parametrize("labels", [range(1000, 1144), range(2500, 2900)])
def test_numbers_that_count_are_no_years_in_an_earlier_file_either(labels):
    facts = series_facts(labels=tuple(map(str, labels)))
    assert rows_from_csv(table([labels.stop, labels.stop + 1, labels.stop + 3]), facts).ravel().tolist() == [5, 6, 7]


def test_years_in_a_column_that_is_called_so_have_no_gaps():
    facts = dated(["1990", "1991", "1992"], "Year")
    with pytest.raises(DataError, match="line 4: Year goes from 2000 to 2002, 731 days; in the training data a row came after"):
        rows_from_csv(table(["1999", "2000", "2002"], "Year,passengers"), facts)
