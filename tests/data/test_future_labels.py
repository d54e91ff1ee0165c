"""The dates of the rows to come: every form of dates goes on as it did."""

from datetime import date, datetime, timedelta

import pytest

from nnjax.config.errors import DataError
from nnjax.data.future_labels import future_labels, step_of
from nnjax.data.series_dates import parse_moment, problem_of_moments

MONTHS = ["January", "February", "March", "April", "May", "June", "July"]


@pytest.mark.parametrize(
    ("labels", "following"),
    [
        (["1960-10", "1960-11", "1960-12"], ["1961-01", "1961-02"]),
        (["2024-8", "2024-9", "2024-10"], ["2024-11", "2024-12", "2025-1"]),
        (["2024M10", "2024M11", "2024M12"], ["2025M01"]),
        (["M9 2024", "M10 2024"], ["M11 2024"]),
        (["2024-01-31", "2024-02-29", "2024-03-31"], ["2024-04-30", "2024-05-31"]),
        (["2023-12-29", "2024-01-31", "2024-02-29", "2024-03-29"], ["2024-04-30", "2024-05-31"]),  # last working days
        (["2024-01-30", "2024-02-29", "2024-03-30"], ["2024-04-30", "2024-05-30"]),
        (["2024-01-15", "2024-02-15", "2024-03-15"], ["2024-04-15"]),
        (["2024-03-31", "2024-06-30", "2024-09-30"], ["2024-12-31", "2025-03-31"]),
        (["2024-Q2", "2024-Q3"], ["2024-Q4", "2025-Q1"]),
        (["Q2 2024", "Q3 2024"], ["Q4 2024", "Q1 2025"]),
        (["2023-H2", "2024-H1"], ["2024-H2"]),
        (["2023/2024", "2024/2025"], ["2025/2026"]),
        (["FY2023", "FY2024"], ["FY2025"]),
        (["Mar 2006", "Apr 2006", "May 2006"], ["Jun 2006", "Jul 2006"]),
        (["March 2006", "April 2006", "May 2006"], ["June 2006"]),
        (["2006 MAR", "2006 APR"], ["2006 MAY"]),
        (["2024-W51", "2024-W52"], ["2025-W01"]),
        (["2020-W52", "2020-W53"], ["2021-W01"]),
        (["2024-W51-1", "2024-W52-1"], ["2025-W01-1"]),
        (["2024-12-30", "2024-12-31"], ["2025-01-01"]),
        (["20241230", "20241231"], ["20250101"]),
        (["202411", "202412"], ["202501"]),
        (["2022", "2023", "2024"], ["2025", "2026"]),
        (["2024-12-31 22:00", "2024-12-31 23:00"], ["2025-01-01 00:00"]),
        (["2024-12-31T22:00:00Z", "2024-12-31T23:00:00Z"], ["2025-01-01T00:00:00Z"]),
        (["2024-10-27T01:00+02:00", "2024-10-27T02:00+02:00"], ["2024-10-27T03:00+02:00"]),
        (["1700000000", "1700003600", "1700007200"], ["1700010800"]),
        (["30 Dec 2024", "31 Dec 2024"], ["1 Jan 2025"]),
        (["30 Jan 2024", "31 Jan 2024", "01 Feb 2024"], ["02 Feb 2024"]),
        (["8 Feb 2024", "9 Feb 2024", "10 Feb 2024"], ["11 Feb 2024"]),
        (["Mon, 30 Dec 2024", "Tue, 31 Dec 2024"], ["Wed, 1 Jan 2025"]),
        (["Dec 30, 2024", "Dec 31, 2024"], ["Jan 1, 2025"]),
        (["2024-01-31", "2024-02-01"], ["2024-02-02", "2024-02-03"]),
        (["2024-01-27", "2024-02-03"], ["2024-02-10"]),  # weeks
        (["2023-12-30", "2024-01-30", "2024-02-29"], ["2024-03-30", "2024-04-30"]),
        (["2024-05-01", "2024-06-03", "2024-07-01", "2024-08-01"], ["2024-09-02", "2024-10-01"]),  # first working days
        (["2023-02-01", "2023-03-01"], ["2023-04-01"]),
        (["2023-01-03", "2023-02-07", "2023-03-02"], ["2023-04-02"]),
        (["22:00", "23:00"], ["00:00", "01:00"]),
        (["2198", "2199"], ["2200", "2201"]),
        (["1", "2", "3"], ["4", "5"]),
        (["0.5", "1.0", "1.5"], ["2", "2.5"]),
        (["0.5", "1", "1.5", "2"], ["2.5", "3"]),
        (["a", "b", "c"], ["+1", "+2"]),
    ],
)
def test_labels_go_on_in_their_form(labels, following):
    assert future_labels(labels, len(following)) == following


@pytest.mark.parametrize(
    ("dates", "following"),
    [
        (["2023-10-01", "2023-11-01", "2023-12-01", "2024-01-01"], ["2024-02-01", "2024-03-01", "2024-04-01"]),
        (["2023-10-31", "2023-11-30", "2023-12-31"], ["2024-01-31", "2024-02-29", "2024-03-31"]),
        (["2023-01-15", "2023-04-15", "2023-07-15"], ["2023-10-15", "2024-01-15", "2024-04-15"]),
        (["2022-06-30", "2022-12-31", "2023-06-30"], ["2023-12-31", "2024-06-30", "2024-12-31"]),
        (["2022-01-01", "2023-01-01", "2024-01-01"], ["2025-01-01", "2026-01-01"]),
        (["2024-01-01", "2024-01-29", "2024-02-26", "2024-03-25"], ["2024-04-22", "2024-05-20"]),  # four weeks
        (["2024-01-03", "2024-02-11", "2024-03-09", "2024-04-17", "2024-05-26"], ["2024-07-04"]),  # events
    ],
)
@pytest.mark.parametrize(("unit", "form"), [(1, "{:.0f}"), (1000, "{:.0f}"), (1, "{:.1f}")])
def test_seconds_since_1970_go_on_by_months_where_their_dates_do(dates, following, unit, form):
    *known, last = (form.format(unit * datetime.fromisoformat(f"{day}+00:00").timestamp()) for day in [*dates, following[-1]])
    labels = future_labels(known, len(following))
    assert [str(parse_moment(label).date()) for label in labels] == following
    assert labels[-1] == last


def test_fractions_of_seconds_since_1970_go_on():
    assert future_labels(["1700000000.25", "1700000000.50", "1700000000.75"], 2) == ["1700000001.00", "1700000001.25"]


def test_days_without_weekends_go_on_without_them():
    days = [date(2024, 1, 1) + timedelta(number) for number in range(40)]
    labels = [str(day) for day in days if day.weekday() < 5]
    assert labels[-1] == "2024-02-09"
    assert future_labels(labels, 3) == ["2024-02-12", "2024-02-13", "2024-02-14"]
    assert str(step_of(labels)) == "1 working day"


@pytest.mark.parametrize(
    "labels",
    [[f"{year}-{month:02}-28" for year in (2023, 2024) for month in range(1, 13)], [f"{name} 2024" for name in MONTHS]],
)
def test_what_goes_on_is_in_order_with_what_was(labels):
    assert problem_of_moments([*labels, *future_labels(labels, 30)]) is None


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (["2024-01", "2024-02"], "1 month"),
        (["2023", "2024"], "1 year"),
        (["2024-Q1", "2024-Q2"], "3 months"),
        (["2024-01-01", "2024-01-08"], "7 days"),
        (["2024-01-01 10:00", "2024-01-01 10:15"], "15 minutes"),
    ],
)
def test_a_step_in_words(labels, words):
    assert str(step_of(labels)) == words


def test_four_weeks_are_no_month():
    labels = [str(date(2024, 1, 5) + timedelta(28 * number)) for number in range(10)]
    assert str(step_of(labels)) == "28 days"
    assert str(step_of(labels[1:3])) == "28 days"
    assert future_labels(labels[:3], 1) == ["2024-03-29"]


@pytest.mark.slow
def test_dates_end_with_the_year_9999():
    with pytest.raises(
        DataError, match=r"^horizon: 100,000 rows, 1 month apart, go beyond the year 9999; at most 95,712 rows follow"
    ):
        future_labels([f"2023-{month:02}" for month in range(1, 13)], 100_000)
    with pytest.raises(DataError, match="1 year apart, go beyond the year 9999; at most 7,975 rows follow 2024"):
        future_labels(["2023", "2024"], 8000)
    assert future_labels(["9997-12-30", "9998-12-30"], 1) == ["9999-12-30"]


def test_labels_without_dates_have_no_step():
    assert step_of(["a", "b"]) is None
    assert step_of(["2024-02", "2024-01"]) is None
    assert step_of(["2024-02"]) is None
