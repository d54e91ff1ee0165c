"""A person's own CSV file: what is read of it, and what is said where it cannot be."""

import csv
import io
from datetime import datetime, timedelta

import pytest
from archives import PLAIN
from hypothesis import given
from hypothesis import strategies as st

from nnjax.config.data_options import AirlineData, SeriesData
from nnjax.config.errors import DataError
from nnjax.data.series_dates import parse_moment, problem_of_moments
from nnjax.data.series_file import read_series

SERIES = {**PLAIN, "window": 3, "holdout": 2, "season": 4, "transform": "none", "difference": 0}
MONTHS = [f"{1949 + month // 12}-{month % 12 + 1:02}" for month in range(30)]
GOOD = "month,sales\n" + "".join(f"{month},{100 + number}\n" for number, month in enumerate(MONTHS))


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Writes a file, named my.csv, and reads it back as a series."""
    monkeypatch.chdir(tmp_path)

    def read(content, column=None, **changes):
        (tmp_path / "my.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_series(SeriesData(name="series", file=str(tmp_path / "my.csv"), column=column, **SERIES | changes))

    return read


def test_the_airline_file_is_in_the_package():
    series = read_series(AirlineData(name="airline", **SERIES))
    assert (series.name, len(series.values)) == ("passengers", 144)
    assert (series.labels[0], series.labels[-1]) == ("1949-01", "1960-12")
    assert (series.values[0], series.values[-1], sum(series.values)) == (112, 432, 40363)


@pytest.mark.parametrize(
    "content",
    [
        GOOD,
        GOOD.replace(",", ";"),
        GOOD.replace(",", "\t"),
        GOOD.replace(",", ", "),
        GOOD.replace("\n", "\r\n"),
        f"\ufeff{GOOD}",
        f"\n{GOOD}\n  \n,\n",
        GOOD.rstrip(),
        'month,"sales"\n' + GOOD.partition("\n")[2].replace("100", '"100"'),
    ],
)
@pytest.mark.parametrize("column", [None, "sales"])
def test_the_ways_to_write_a_csv(read, content, column):
    series = read(content, column)
    assert (series.name, list(series.labels)) == ("sales", MONTHS)
    assert series.values == tuple(range(100, 130))


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1), st.text("ab,;\t\"' é", min_size=1))
def test_what_the_csv_module_writes_is_read(tmp_path_factory, values, name):
    name = f"x{name}x"
    text = io.StringIO(newline="")
    csv.writer(text).writerows([["note", name], *(["a,b", repr(value)] for value in values)])
    path = tmp_path_factory.mktemp("made") / "made.csv"
    path.write_text(text.getvalue(), encoding="utf-8", newline="")
    series = read_series(SeriesData(name="series", file=str(path), column=name, **SERIES))
    assert series.values == tuple(values)


def test_rows_without_another_column_are_numbered_and_dates_are_preferred(read):
    assert read("sales\n3\n4\n").labels == ("1", "2")
    assert read("shop,month,sales\na,2024-01,3\na,2024-02,4\n").labels == ("2024-01", "2024-02")
    assert read("sales,shop\n3,a\n4,b\n").labels == ("a", "b")


@pytest.mark.parametrize("label", ["10.0.0.1", "1.2.3", "12.5", "1/2", "a/b", "2024", "v31.01.2024"])
def test_labels_that_are_no_dates(read, label):
    assert read(f"note,sales\n{label},3\n{label},4\n", "sales").labels == (label, label)


def test_a_column_of_epochs_is_not_the_one_with_the_values(read):
    series = read("time,sales\n1700000000,3\n1700000060,4\n")
    assert (series.name, series.labels) == ("sales", ("1700000000", "1700000060"))
    assert read("bytes\n1700000000\n1700000060\n").values == (1700000000, 1700000060)
    assert read("bytes,note\n1700000000,a\n1700000060,b\n").values == (1700000000, 1700000060)
    assert read("bytes,sales\n1700000000,3\n1700000000,4\n1700000000,5\n", "sales").values == (3, 4, 5)  # no clock


def test_a_file_that_changed_is_read_again(read):
    assert read("sales\n3\n4\n").values == (3, 4)
    assert read("sales\n3\n4\n5\n").values == (3, 4, 5)


NOT_ISO = ("1/31/2024", "31.01.2024", "31.1.24", "2024/01/31", "2024.01.31", "01/2024", "2024/1", "31.01.2024 13:00")
BAD = [
    ("", "is empty; must have a header line and one row a moment"),
    (" \n\n", "is empty; must have a header line and one row a moment"),
    (b"a,b\n1,\xe9\n", "line 2: is not UTF-8 text (byte 0xe9); save it as CSV in UTF-8"),
    (GOOD.encode("utf-16"), "line 1: is not UTF-8 text (byte 0xff); save it as CSV in UTF-8"),
    (b"a,b\n1,\x00\n", "line 2: is no text, but binary; save it as CSV in UTF-8"),
    ("month,sales\n", "has a header and no rows"),
    ("1949-01,112\n1949-02,118\n", "line 1: must be a header that names the columns; holds 1949-01, 112"),
    ('a,b\n1,2\n"3,4\n', "line 3: cannot be cut into cells (unexpected end of data); is a quote missing?"),
    (GOOD.replace(",105", ",many"), "line 7: sales is 'many'; must be a finite number, such as 112.5"),
    (GOOD.replace(",105", ","), "line 7: sales is empty; a series has no gaps: fill it in"),
    (GOOD.replace(",105", ",nan"), "line 7: sales is 'nan'; must be a finite number, such as 112.5"),
    (GOOD.replace(",105", ",-inf"), "line 7: sales is '-inf'; must be a finite number, such as 112.5"),
    (GOOD.replace(",105", ",1e999"), "line 7: sales is '1e999'; must be a finite number, such as 112.5"),
    (
        GOOD.replace(",", ";").replace(";105", ";10,5"),
        "line 7: sales is '10,5'; must be a finite number, such as 112.5; write a point before decimals, and nothing between "
        "thousands",
    ),
    (
        GOOD.replace(",105", ",1_005"),
        "line 7: sales is '1_005'; must be a finite number, such as 112.5; write a point before decimals, and nothing between "
        "thousands",
    ),
    *((f"day,sales\n{day},3\n", f"line 2: day is {day}; write dates as 2024-01-31") for day in NOT_ISO),
    ("shop,day,sales\na,1/31/2024,3\n", "line 2: day is 1/31/2024; write dates as 2024-01-31"),
    ("31.01.2024,112\n01.02.2024,118\n", "line 1: must be a header that names the columns; holds 31.01.2024, 112"),
    (GOOD.replace(",105", ""), "line 7: has 1 cell; the header has 2"),
    (GOOD.replace(",105", ",105,1"), "line 7: has 3 cells; the header has 2"),
    ("sales\n1\n\n3\n", "line 3: is empty; a series has no gaps: fill it in, or take the line out"),
    ('\n\nnote,sales\n"a\nb",1\nc,x\nd,2\n', "line 6: sales is 'x'; must be a finite number, such as 112.5"),
    (
        GOOD.replace("1949-06,105\n", ""),
        "line 7: month goes from 1949-05 to 1949-07; 1949-06 is missing; data.order=as_is takes the rows as they stand",
    ),
    (
        GOOD.replace("1949-06", "1949-05"),
        "line 7: month 1949-05 stands in the row before as well; data.order=as_is takes the rows as they stand",
    ),
    (GOOD.replace("1949-06", "1948-06"), "line 7: month 1948-06 comes after 1949-05; sort the rows from old to new"),
    (GOOD.replace("1949-06", "1949-16"), "line 7: month is 1949-16; must be a date that exists, written like 1949-01"),
    (GOOD.replace("1949-06", ""), "line 7: month is empty; must be a date that exists, written like 1949-01"),
]


@pytest.mark.parametrize(("content", "reason"), BAD)
def test_the_first_line_says_where_and_what(read, content, reason):
    with pytest.raises(DataError) as raised:
        read(content)
    assert str(raised.value) == f"data.file=my.csv: {reason}"


COLUMNS = [
    (GOOD, "slaes", "data.column=slaes: my.csv has no such column; did you mean sales? There are: month, sales"),
    (GOOD, "SALES", "data.column=SALES: my.csv has no such column; did you mean sales? There are: month, sales"),
    (GOOD, "passengers", "data.column=passengers: my.csv has no such column. There are: month, sales"),
    ("a,a\n1,2\n", "a", "data.column=a: in my.csv 2 columns are called so"),
    ("a,b\nx,y\n", None, "data.column=null: in my.csv no column holds numbers; the first row has: a='x', b='y'"),
    ("t,a\n2024-01,x\n", None, "data.file=my.csv: line 2: a is 'x'; must be a finite number, such as 112.5"),
    (
        "t,a\n31.01.2024,1 000\n",
        None,
        "data.file=my.csv: line 2: a is '1 000'; must be a finite number, such as 112.5",
    ),
    (
        "year,sales\n1949,1\n1950,2\n",
        None,
        "data.column=null: in my.csv several columns hold numbers: year, sales; choose one, such as data.column=sales",
    ),
]


@pytest.mark.parametrize(("content", "column", "message"), COLUMNS)
def test_which_column(read, content, column, message):
    with pytest.raises(DataError) as raised:
        read(content, column)
    assert str(raised.value) == message


def test_logarithms_need_values_above_0(read):
    assert read(GOOD, transform="log").values[0] == 100
    with pytest.raises(DataError, match=r"my.csv: line 7: sales is 0; data.transform=log needs values above 0; choose "):
        read(GOOD.replace(",105", ",0"), transform="log")


def test_a_file_that_is_not_there(read, tmp_path):
    read(GOOD)
    for file, reason in (("mi.csv", "is missing; did you mean my.csv?"), ("sub/zz", "is missing"), ("me.txt", "is missing")):
        with pytest.raises(DataError) as raised:
            read_series(SeriesData(name="series", file=str(tmp_path / file), column=None, **SERIES))
        assert str(raised.value) == f"data.file={file}: {reason}"
    with pytest.raises(DataError, match="cannot be read"):
        read_series(SeriesData(name="series", file=str(tmp_path), column=None, **SERIES))


# --- dates -----------------------------------------------------------------------------------------------------------


def days(count, step, leave_out=(), form="%Y-%m-%d"):
    moments = [datetime(2024, 1, 1) + number * step for number in range(count)]
    return [moment.strftime(form) for number, moment in enumerate(moments) if number not in leave_out]


DAY, HOUR, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)
WORKDAYS = [text for text in days(60, DAY) if parse_moment(text).weekday() < 5]
GAPS = [
    (days(40, DAY, {7}), (7, "goes from 2024-01-07 to 2024-01-09; 2024-01-08 is missing")),
    (days(40, DAY, {7, 8}), (7, "goes from 2024-01-07 to 2024-01-10; 2 rows are missing, from 2024-01-08 on")),
    (days(40, 7 * DAY, {7}), (7, "goes from 2024-02-12 to 2024-02-26; 2024-02-19 is missing")),
    (days(9, HOUR, {4}, "%Y-%m-%d %H:%M"), (4, "goes from 2024-01-01 03:00 to 2024-01-01 05:00; 2024-01-01 04:00 is missing")),
    (
        days(9, HOUR, {4}, "%Y-%m-%dT%H:%M:%S"),
        (4, "goes from 2024-01-01T03:00:00 to 2024-01-01T05:00:00; 2024-01-01T04:00:00 is missing"),
    ),
    (["2024-01-31", "2024-02-29", "2024-03-31", "2024-05-31"], (3, "goes from 2024-03-31 to 2024-05-31; 2024-04 is missing")),
    (["2023-03", "2023-06", "2023-09", "2024-03"], (3, "goes from 2023-09 to 2024-03; 2023-12 is missing")),
    *(
        (
            days(9, HOUR, {4}, f"%Y-%m-%d %H:%M:%S{end}"),
            (4, f"goes from 2024-01-01 03:00:00{end} to 2024-01-01 05:00:00{end}; 2024-01-01 04:00:00{end} is missing"),
        )
        for end in ("Z", "+00:00", "-05:30", ".250", ".000001", ".000Z")
    ),
    (
        days(40, 0.1 * SECOND, {7}, "%Y-%m-%d %H:%M:%S.%f"),
        (7, "goes from 2024-01-01 00:00:00.600000 to 2024-01-01 00:00:00.800000; 2024-01-01 00:00:00.700000 is missing"),
    ),
    (
        ["2024-01-01T00:00:00.01Z", "2024-01-01T00:00:59Z", "2024-01-01T00:02:00.2Z", "2024-01-01T00:04:01Z"],
        (3, "goes from 2024-01-01T00:02:00.2Z to 2024-01-01T00:04:01Z; 2024-01-01T00:03:01.4Z is missing"),
    ),
    (["2024-01-01T12:00Z", "2024-01-01T12:00Z"], (1, "2024-01-01T12:00Z stands in the row before as well")),
    (["2024-01-01T12:00Z", "2024-01-01T14:00+02:00"], (1, "2024-01-01T14:00+02:00 stands in the row before as well")),
    (
        ["2024-01-01T12:00Z", "2024-01-01T13:00+02:00"],
        (1, "2024-01-01T13:00+02:00 comes after 2024-01-01T12:00Z; sort the rows from old to new"),
    ),
    (
        ["2024-01-01T12:00Z", "2024-01-01T13:00"],
        (1, "is 2024-01-01T13:00; must be a date that exists, written like 2024-01-01T12:00Z"),
    ),
    *(
        (
            [f"{start + 60 * step}{end}" for step in range(9) if step != 4],
            (4, f"goes from {start + 180}{end} to {start + 300}{end}; {start + 240}{end[:3]} is missing"),
        )
        for start, end in ((1_700_000_000, ""), (1_700_000_000, "000"), (999_999_900, ""))
    ),
    (["1700000000", "1700000000"], (1, "1700000000 stands in the row before as well")),
    (["1700000060", "1700000000"], (1, "1700000000 comes after 1700000060; sort the rows from old to new")),
    (["2024-01", "2024-02-01"], (1, "is 2024-02-01; must be a date that exists, written like 2024-01")),
    (["2024-13"], (0, "is 2024-13; must be a date that exists, written like 1949-01 or 1949-01-31")),
]


@pytest.mark.parametrize(("labels", "problem"), GAPS)
def test_gaps(labels, problem):
    assert problem_of_moments(labels) == problem


@pytest.mark.parametrize(
    "labels",
    [
        MONTHS,
        ["2024-01"],
        ["2023-12", "2024-01"],
        ["2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30"],
        ["1996-02-29", "2000-02-29", "2004-02-29"],
        days(400, DAY),
        days(40, 28 * DAY),
        days(40, 30 * DAY),
        days(40, HOUR, form="%Y-%m-%d %H:%M"),
        days(40, 0.1 * SECOND, form="%Y-%m-%dT%H:%M:%S.%fZ"),
        ["2024-10-26T00:00+02:00", "2024-10-27T00:00+02:00", "2024-10-28T00:00+01:00", "2024-10-29T00:00+01:00"],
        [
            "2024-01-01T00:00:00",
            "2024-01-01T00:00:59.5",
            "2024-01-01T00:02:00.2",
            "2024-01-01T00:03:00",
        ],
        [str(1_700_000_000 + 60 * step) for step in range(40)],
        WORKDAYS,
        [day for day in WORKDAYS if day != "2024-01-17"],  # a holiday
        ["2024-01-01", "2024-01-03", "2024-01-09", "2024-02-02"],  # no step that most rows follow
    ],
)
def test_no_gaps(labels):
    assert problem_of_moments(labels) is None


@given(
    st.integers(8, 60),
    st.sampled_from([DAY, 7 * DAY, 28 * DAY, HOUR, 0.25 * HOUR]),
    st.data(),
)
def test_one_row_left_out_of_a_regular_series_is_named(count, step, data):
    gone = data.draw(st.integers(2, count - 1))
    labels = days(count + 1, step, form="%Y-%m-%d %H:%M")
    missing = labels.pop(gone)
    index, reason = problem_of_moments(labels)
    assert index == gone
    # Rows that are one a month are counted in months.
    assert f"; {missing} is missing" in reason or f"; {missing[:7]} is missing" in reason


@pytest.mark.parametrize("step", [1, -1])
@pytest.mark.parametrize("unit", [1, 1000])
def test_a_slip_in_a_column_of_epochs_is_found(read, step, unit):
    times = [unit * (1_700_000_000 + 60 * row) for row in range(40)][::step]
    times[20] = times[19]
    with pytest.raises(DataError) as raised:
        read("time,sales\n" + "".join(f"{time},{row}\n" for row, time in enumerate(times)))
    problem = f"{times[20]} stands in the row before as well" if step == 1 else f"{times[1]} comes after {times[0]}"
    assert str(raised.value).startswith(f"data.file=my.csv: line {22 if step == 1 else 3}: time {problem}")


def test_dated_rows_without_a_value_at_the_end_are_those_to_forecast(read):
    series = read(GOOD + "1951-07,\n1951-08,\n")
    assert (series.labels, series.values) == (tuple(MONTHS), tuple(range(100, 130)))
    assert series.future == ("1951-07", "1951-08")
    assert len(series.lines) == 30
    assert read(GOOD).future == ()


def test_rows_to_forecast_stand_at_the_end_once_they_are_sorted(read):
    rows = GOOD.splitlines()[1:]
    assert read("\n".join(["month,sales", "1951-07,", *rows[::-1]]), order="sorted").future == ("1951-07",)
    with pytest.raises(DataError, match="line 2: sales is empty; a series has no gaps"):
        read("\n".join(["month,sales", "1948-12,", *rows[::-1]]), order="sorted")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (GOOD + "1951-07,\n1951-08,5\n", "line 32: sales is empty; a series has no gaps: fill it in"),
        (GOOD + "1951-09,\n", "line 32: month goes from 1951-06 to 1951-09; 2 rows are missing, from 1951-07 on"),
        (GOOD + "Source: me,\n", "line 32: month is Source: me; must be a date that exists, written like 1949-01"),
        ("month,sales\n2024-01,\n2024-02,\n", "line 2: sales is empty"),
        ("what,sales\nx,1\ny,2\nz,\n", "line 4: sales is empty"),  # nothing dates the row
    ],
)
def test_other_empty_values_stay_refused(read, content, message):
    with pytest.raises(DataError, match=message):
        read(content, "sales")
