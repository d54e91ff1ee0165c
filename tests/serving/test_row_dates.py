"""Rows of a series whose dates do not ascend as the training's did are refused."""

import pytest
from models import series_facts

from nnjax.config.errors import DataError
from nnjax.serving.input_rows import rows_from_csv

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
