"""The rows that a forecast starts from: the run's own, or a file with more of the same series."""

import re
from calendar import monthrange
from datetime import date, timedelta

import numpy as np
import pytest
from archives import PLAIN

from nnjax.config.data_options import AirlineData, SeriesData
from nnjax.config.errors import DataError
from nnjax.data.newer_series import known_rows

OPTIONS = {**PLAIN, "window": 3, "holdout": 2, "season": 4, "transform": "none", "difference": 1, "normalize": True}
MONTHS = [f"{2020 + month // 12}-{month % 12 + 1:02}" for month in range(40)]


def text(months, values=None, form="{}"):
    values = values or [100 + number % 7 + number for number in range(len(MONTHS))]
    lines = [f"{form.format(month)},{values[MONTHS.index(month)]}" for month in months]
    return "\n".join(["month,sales", *lines]) + "\n"


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Writes the run's file with 30 months, and another one; returns the rows that are known from them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.csv").write_text(text(MONTHS[:30]))
    data = SeriesData(name="series", file=str(tmp_path / "own.csv"), column=None, **OPTIONS)

    def read(content=None):
        if content is None:
            return known_rows(data)
        (tmp_path / "newer.csv").write_text(content)
        return known_rows(data, str(tmp_path / "newer.csv"))

    return read


def test_all_rows_of_a_run_are_known(files):
    known = files()
    assert (len(known.series.known), known.newer, known.held_out, known.notes) == (30, 0, 2, ())
    assert known.labels(3) == ("2022-07", "2022-08", "2022-09")
    assert len(known.labels(None)) == 4  # a season


def test_a_file_with_more_rows_keeps_the_scale_of_the_run(files):
    own, known = files(), files(text(MONTHS[:35]))
    assert (len(known.series.known), known.newer, known.held_out, known.notes) == (35, 5, 2 + 5, ())
    assert known.series.transform == own.series.transform
    assert known.series.labels[-1] == "2022-11"


def test_a_file_may_hold_the_newest_rows_alone(files):
    known = files(text(MONTHS[26:35]))
    assert (len(known.series.known), known.newer, known.held_out, known.notes) == (9, 5, 7, ())
    known = files(text(MONTHS[31:37]))
    assert (known.newer, known.held_out) == (6, 6)
    assert known.notes == ("newer.csv: shares no row with the run's data, which ends with 2022-06",)


def test_rows_before_the_run_s_own_are_not_newer(files):
    earlier = "".join(f"2019-{month:02},50\n" for month in range(1, 13))
    known = files(text(MONTHS[:35]).replace("month,sales\n", f"month,sales\n{earlier}"))
    assert (len(known.series.known), known.newer, known.notes) == (47, 5, ())


def test_rows_without_a_value_are_to_be_forecast(files):
    known = files(text(MONTHS[:35]) + "2022-12,\n2023-01,\n")
    assert known.future == ("2022-12", "2023-01")
    assert known.labels(None) == known.future
    assert known.labels(1) == ("2022-12",)
    assert known.labels(3) == ("2022-12", "2023-01", "2023-02")


def test_the_first_row_that_differs_is_named(files):
    values = [100 + number % 7 + number for number in range(len(MONTHS))]
    values[11] += 1
    values[20] += 1
    (note,) = files(text(MONTHS[:35], values)).notes
    assert note == ("newer.csv: line 13: sales of 2020-12 is 116, and 115 in the run's data; 2 rows of 30 shared ones differ")


def test_rows_are_matched_by_their_dates_in_any_form(files):
    assert files(text(MONTHS[5:35], form="{}-01")).newer == 5
    assert files(text(MONTHS[5:35], form="{}-01")).notes == ()


def at_month_ends(rows):
    days = {f"{year}-{month:02}": monthrange(year, month)[1] for year in range(2020, 2024) for month in range(1, 13)}
    return re.sub(r"\d{4}-\d\d", lambda found: f"{found[0]}-{days[found[0]]}", rows)


def test_months_written_as_their_last_days_are_the_same_months(files):
    values = [100 + number % 7 + number for number in range(len(MONTHS))]
    values[20] += 1
    known = files(at_month_ends(text(MONTHS[5:33], values)))
    assert known.newer == 3
    (note,) = known.notes
    assert "sales of 2021-09-30 is 127, and 126 in the run's data; 1 row of 25 shared ones differ" in note
    known = files(at_month_ends(text(MONTHS[30:35])))
    assert (known.newer, known.notes) == (5, ("newer.csv: shares no row with the run's data, which ends with 2022-06",))


def test_a_few_newer_days_go_on_by_the_step_of_the_run(tmp_path):
    days = [date(2024, 1, 1) + timedelta(number) for number in range(40)]
    rows = [f"{day},{day.day % 7}\n" for day in days if day.weekday() < 5]
    (tmp_path / "own.csv").write_text("day,sales\n" + "".join(rows[:20]))
    (tmp_path / "newer.csv").write_text("day,sales\n" + "".join(rows[20:25]))  # a week, from Monday to Friday
    data = SeriesData(name="series", file=str(tmp_path / "own.csv"), column=None, **OPTIONS)
    assert known_rows(data, str(tmp_path / "newer.csv")).labels(2) == ("2024-02-05", "2024-02-06")


def test_a_file_that_ends_before_the_run_s_data_is_named(files):
    note = "newer.csv: ends with 2022-04, before the run's data does, with 2022-06; the forecast follows the file's last row"
    assert files(text(MONTHS[:28])).notes == (note,)
    earlier = "month,sales\n" + "".join(f"2018-{month:02},{month % 5}\n" for month in range(1, 13))
    assert files(earlier).notes == (note.replace("2022-04", "2018-12"),)
    assert files(text(MONTHS[:30])).notes == ()


def test_a_series_without_dates_that_is_shorter_than_the_run_s_is_named(tmp_path):
    for name, count in (("own", 20), ("older", 17)):
        (tmp_path / f"{name}.csv").write_text("sales\n" + "".join(f"{number % 5 + number}\n" for number in range(count)))
    data = SeriesData(name="series", file=str(tmp_path / "own.csv"), column=None, **OPTIONS)
    (note,) = known_rows(data, str(tmp_path / "older.csv")).notes
    assert "older.csv: ends with 17, before the run's data does, with 20" in note


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (text(MONTHS[:3]), r"newer\.csv: has 3 values; a forecast by this run needs at least 4: data.window=3 \+ data.diff"),
        ("day,sales\n2024-01-01,1\n2024-01-08,2\n2024-01-15,3\n2024-01-22,4\n", "its rows are 7 days apart, and 1 month in"),
        ("number,sales\na1,1\na2,2\na3,3\na4,4\na5,5\n", "its rows have no dates, such as a1; those of the run's data have"),
        ("month,sales\n2020-01,1\n2020-03,2\n", "has 2 values"),
    ],
)
def test_a_file_that_does_not_go_on_the_series_is_refused(files, content, message):
    with pytest.raises(DataError, match=message):
        files(content)


def test_a_series_without_dates_goes_on_by_its_numbers(tmp_path):
    (tmp_path / "own.csv").write_text("sales\n" + "".join(f"{number % 5 + number}\n" for number in range(20)))
    (tmp_path / "newer.csv").write_text("sales\n" + "".join(f"{number % 5 + number}\n" for number in range(23)))
    data = SeriesData(name="series", file=str(tmp_path / "own.csv"), column=None, **OPTIONS)
    known = known_rows(data, str(tmp_path / "newer.csv"))
    assert (known.newer, known.notes, known.labels(2)) == (3, (), ("24", "25"))


@pytest.fixture
def counted(tmp_path):
    """Rows that a run, whose column t counts from 21 to 50, takes from a file with the given numbers."""

    def write(name, header, numbers):
        (tmp_path / name).write_text(header + "".join(f"{number},{number % 7}\n" for number in numbers))
        return str(tmp_path / name)

    def read(numbers, header="t,sales\n"):
        file = write("own.csv", "t,sales\n", range(21, 51))
        data = SeriesData(name="series", file=file, column="sales", **OPTIONS)
        return known_rows(data, write("newer.csv", header, numbers))

    return read


@pytest.mark.parametrize(
    ("numbers", "newer", "held_out"), [(range(31, 61), 10, 12), (range(41, 51), 0, 2), (range(21, 54), 3, 5)]
)
def test_rows_are_matched_by_the_numbers_that_count_them(counted, numbers, newer, held_out):
    known = counted(numbers)
    assert (known.newer, known.held_out, known.notes) == (newer, held_out, ())
    assert known.labels(1) == (str(numbers[-1] + 1),)


def test_counted_rows_that_come_later_are_all_newer(counted):
    known = counted(range(61, 81))
    assert known.newer == 20
    (note,) = known.notes
    assert note.endswith("newer.csv: shares no row with the run's data, which ends with 50")


def test_numbers_of_rows_are_no_column_to_match_by(tmp_path):
    """pandas numbers rows from 0, and a file without such a column has rows from 1."""
    (tmp_path / "own.csv").write_text("sales\n" + "".join(f"{number % 7}\n" for number in range(20)))
    (tmp_path / "newer.csv").write_text(",sales\n" + "".join(f"{number},{number % 7}\n" for number in range(23)))
    data = SeriesData(name="series", file=str(tmp_path / "own.csv"), column=None, **OPTIONS)
    known = known_rows(data, str(tmp_path / "newer.csv"))
    assert (known.newer, known.notes) == (3, ())


def test_numbers_of_another_column_are_no_such_numbers(counted):
    """pandas' index counts from 0 where the run's column counts from 21."""
    values = [*range(21, 61)]
    rows = "".join(f"{place},{number % 7}\n" for place, number in enumerate(values))
    known = counted([], f",sales\n{rows}")
    assert (known.newer, known.held_out, known.notes) == (10, 12, ())
    assert counted(range(31, 61), "T,sales\n").newer == 10  # the same column


@pytest.fixture
def by_place(tmp_path):
    """Rows that a run with data.column=-1, sales, takes from a file with the given header and cells."""
    rows = [f"{month},{number},{number % 7}\n" for number, month in enumerate(MONTHS)]
    (tmp_path / "own.csv").write_text("month,staff,sales\n" + "".join(rows))
    data = SeriesData(name="series", file=str(tmp_path / "own.csv"), column=-1, **OPTIONS)

    def read(header, row):
        rows = [row.format(month=month, staff=number, sales=number % 7) for number, month in enumerate(MONTHS)]
        (tmp_path / "newer.csv").write_text("\n".join([header, *rows]) + "\n")
        return known_rows(data, str(tmp_path / "newer.csv"))

    return read


def test_a_column_by_place_is_found_by_its_name_in_another_file(by_place):
    for header in ("month,sales,staff", "month,Sales,staff"):
        known = by_place(header, "{month},{sales},{staff}")
        np.testing.assert_array_equal(known.series.values, [number % 7 for number in range(len(MONTHS))])
        assert known.notes == ()


def test_a_column_of_another_name_is_named(by_place):
    known = by_place("month,staff,revenue", "{month},{staff},{sales}")
    assert known.series.values[8] == 1
    (note,) = known.notes
    assert note.endswith("newer.csv: has no column sales, as the run's data has; revenue is taken")


def test_the_run_s_column_is_found_among_others(files):
    known = files(re.sub(r"(?m)$(?=\n)", ",7", text(MONTHS[:35])).replace("sales,7", "sales,staff"))
    assert (known.newer, known.series.name, known.notes) == (5, "sales", ())


def test_the_shipped_series_goes_on_in_a_file(tmp_path):
    months = [f"{1949 + month // 12}-{month % 12 + 1:02}" for month in range(150)]
    data = AirlineData(name="airline", **OPTIONS)
    own = known_rows(data).series.values
    values = [*own.astype(int), *range(500, 506)]
    lines = [f"{month},{value}" for month, value in zip(months, values, strict=True)]
    (tmp_path / "more.csv").write_text("\n".join(["Month,Passengers", *lines]) + "\n")
    known = known_rows(data, str(tmp_path / "more.csv"))
    assert (known.newer, known.notes) == (6, ())
    np.testing.assert_array_equal(known.series.values[:144], own)
