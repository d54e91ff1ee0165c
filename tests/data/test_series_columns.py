"""Which column holds the values, which ones the dates, and in what order rows are taken."""

from datetime import date, datetime, timedelta

import pytest
from archives import PLAIN

from nnjax.cli.compose import compose_train
from nnjax.config.data_options import SeriesData
from nnjax.config.errors import ConfigError, DataError
from nnjax.data.series_file import read_series

SERIES = {**PLAIN, "window": 3, "holdout": 2, "season": 4, "transform": "none", "difference": 0}
VALUES = [100 + 37 * row % 23 for row in range(40)]
DAYS = [date(2023, 12, 20) + timedelta(days=row) for row in range(40)]
HOURS = [datetime(2023, 12, 31, 20) + timedelta(hours=row) for row in range(40)]
MONTHS = [(2005 + row // 12, row % 12 + 1) for row in range(40)]
NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def table(header, rows):
    return "\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n"


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Writes a file, named my.csv, and reads it back as a series."""
    monkeypatch.chdir(tmp_path)

    def read(content, column=None, order="checked"):
        (tmp_path / "my.csv").write_text(content)
        return read_series(SeriesData(name="series", file=str(tmp_path / "my.csv"), column=column, order=order, **SERIES))

    return read


@pytest.fixture
def refused(read):
    """The message that a file is refused with, without its name."""

    def refused(*args, **kwargs):
        with pytest.raises(DataError) as raised:
            read(*args, **kwargs)
        return str(raised.value).removeprefix("data.file=my.csv: ")

    return refused


FALLING = {
    "quarters in French": [f"{4 - row % 4}T{2014 - row // 4}" for row in range(12)],
    "quarters in German": [f"{4 - row % 4}. Quartal {2014 - row // 4}" for row in range(12)],
    "weeks of short years": [f"KW{30 - row:02}/20" for row in range(12)],
    "months in Japanese": [f"{2004 - row // 12}年{12 - row % 12}月" for row in range(30)],
    "months in Dutch": [f"{2004 - row // 12}MM{12 - row % 12:02}" for row in range(30)],
    "months of numbered years": [f"{3 - row // 12}-{12 - row % 12:02}" for row in range(36)],
    "days without a year": [f"{day:%m-%d}" for day in (date(2021, 1, 30) - timedelta(days=row) for row in range(60))],
    "numbered days": [f"Day {12 - row}" for row in range(12)],
}


@pytest.mark.parametrize("name", FALLING)
@pytest.mark.parametrize("index", [False, True])
def test_labels_of_no_known_form_are_refused_where_they_fall(read, refused, name, index):
    labels = FALLING[name]

    def content(labels):
        numbers = [(row,) if index else () for row in range(len(labels))]
        rows = [(*number, label, row % 7) for row, (number, label) in enumerate(zip(numbers, labels, strict=True))]
        return table(",when,sales" if index else "when,sales", rows)

    reason = f"line 3: when {labels[1]} comes after {labels[0]}; sort the rows from old to new"
    assert refused(content(labels), "sales") == f"{reason}; data.order=as_is takes the rows as they stand"
    assert len(read(content(labels), "sales", order="as_is").values) == len(labels)
    assert len(read(content(labels[::-1]), "sales").values) == len(labels)


@pytest.mark.parametrize(
    "labels", [[f"T-{12 - row}" for row in range(12)], [f"run {row * 5 % 7}" for row in range(40)], ["b", "a", "c"]]
)
def test_labels_that_do_not_fall_may_be_anything(read, labels):
    content = table("when,sales", [(label, row % 7) for row, label in enumerate(labels)])
    assert len(read(content, "sales").values) == len(labels)


def test_a_date_that_never_changes_is_not_the_time_of_a_row(read, refused):
    years = [("09/11/23", "2024-05-05", 1960 + row, value) for row, value in enumerate(VALUES)]
    header = "updated,downloaded,year,sales"
    assert read(table(header, years), "sales").labels[0] == "1960"
    assert "year 1998 comes after 1999" in refused(table(header, years[::-1]), "sales")
    assert "day 2024-05-05 stands in the row before" in refused(table("day,sales", [("2024-05-05", 1), ("2024-05-05", 2)]))


def test_several_series_below_each_other_are_told(refused):
    rows = [(country, day, value) for country in ("de", "fr") for day, value in zip(DAYS, VALUES, strict=True)]
    assert refused(table("country,day,sales", rows), "sales") == (
        f"line 42: day {DAYS[0]} comes after {DAYS[-1]}, and stands in an earlier row as well; "
        "keep the rows of one series alone"
    )


def test_business_days_may_leave_out_holidays_and_not_half_a_year(read, refused):
    days = [day for row in range(400) if (day := date(2024, 1, 1) + timedelta(days=row)).weekday() < 5]

    def content(gap):
        return table("day,sales", [(day, 3) for day in days if not 0 < (day - date(2024, 6, 3)).days < gap])

    assert read(content(12)).labels[-1] == "2025-02-03"
    assert "day goes from 2024-06-03 to 2024-12-02; 181 rows are missing" in refused(content(182))


# --- order -----------------------------------------------------------------------------------------------------------

DATED = {
    "not the first column": (
        "shop,sales,day",
        [("a", value, day) for day, value in zip(DAYS, VALUES, strict=True)],
        "2023-12-20",
    ),
    "year, month": ("year,month,sales", [(*month, value) for month, value in zip(MONTHS, VALUES, strict=True)], "2005-01"),
    "names of months": (
        "sales,Month,Year",
        [(value, NAMES[month - 1], year) for (year, month), value in zip(MONTHS, VALUES, strict=True)],
        "2005-Jan",
    ),
    "floats": (
        "year,month,sales",
        [(f"{y}.0", f"{m}.0", value) for (y, m), value in zip(MONTHS, VALUES, strict=True)],
        "2005-01",
    ),
    "day, month, year": (
        "day,month,year,sales",
        [(day.day, day.month, day.year, value) for day, value in zip(DAYS, VALUES, strict=True)],
        "2023-12-20",
    ),
    "year to hour": (
        "year,month,day,hour,sales",
        [(*hour.timetuple()[:4], value) for hour, value in zip(HOURS, VALUES, strict=True)],
        "2023-12-31 20:00",
    ),
    "year, quarter": (
        "year,quarter,sales",
        [(2000 + i // 4, f"Q{i % 4 + 1}", value) for i, value in enumerate(VALUES)],
        "2000-Q1",
    ),
    "year, week": (
        "year,week,sales",
        [(*(date(2020, 11, 2) + timedelta(weeks=i)).isocalendar()[:2], value) for i, value in enumerate(VALUES)],
        "2020-W45",
    ),
    "date, hour": (
        "date,hour,sales",
        [(hour.date(), hour.hour, value) for hour, value in zip(HOURS, VALUES, strict=True)],
        "2023-12-31 20:00",
    ),
    "digits, time": (
        "date,time,sales",
        [(f"{hour:%Y%m%d}", f"{hour:%H:%M}", value) for hour, value in zip(HOURS, VALUES, strict=True)],
        "2023-12-31 20:00",
    ),
    "digits": ("sales,day", [(value, f"{day:%Y%m%d}") for day, value in zip(DAYS, VALUES, strict=True)], "20231220"),
    "seconds": ("sales,time", [(value, 1_700_000_000 + 60 * row) for row, value in enumerate(VALUES)], "1700000000"),
}


@pytest.mark.parametrize("name", DATED)
def test_dates_are_found_and_held_to_their_order(read, refused, name):
    header, rows, first = DATED[name]
    series = read(table(header, rows))
    assert (series.name, series.values, series.labels[0]) == ("sales", tuple(VALUES), first)
    assert refused(table(header, rows[::-1])).endswith("; sort the rows from old to new, or say data.order=sorted")
    assert "stands in the row before as well" in refused(table(header, rows[:9] + rows[8:]))
    assert " missing" in refused(table(header, rows[:20] + rows[21:]))
    again = read(table(header, rows[::-1]), order="sorted")
    assert (again.values, again.labels) == (series.values, series.labels)
    assert list(again.lines) == list(range(41, 1, -1))
    assert read(table(header, rows[::-1]), order="as_is").values == tuple(VALUES[::-1])


def test_sorted_rows_are_checked_as_well(refused):
    rows = [*zip(DAYS, VALUES, strict=True)][::-1]
    assert refused(table("day,sales", rows[:9] + rows[10:]), order="sorted") == (
        "line 10: day goes from 2024-01-18 to 2024-01-20; 2024-01-19 is missing; data.order=as_is takes the rows as they stand"
    )
    assert "stands in the row before as well" in refused(table("day,sales", rows[:9] + rows[8:]), order="sorted")
    assert "must be a date that exists" in refused(table("day,sales", [*rows[:9], ("x", 1), *rows[9:]]), order="sorted")
    for header, content in (
        ("sales", [(1,), (2,)]),
        ("shop,sales", [("a", 1), ("b", 2)]),
        ("id,sales", [("a1", 1), ("a2", 2)]),
    ):
        message = "data.order=sorted: my.csv has no column of dates, and none that counts, to sort by"
        assert refused(table(header, content), order="sorted") == message


@pytest.mark.parametrize("header", ["index,sales", ",sales", "shop,t,sales"])
def test_an_index_that_falls(read, refused, header):
    rows = [(39 - row, value) if header[0] != "s" else ("a", 39 - row, value) for row, value in enumerate(VALUES)]
    name = header.split(",")[-2] or "column 0"
    assert refused(table(header, rows), "sales") == (
        f"line 3: {name} 38 comes after 39; sort the rows from old to new, or say data.order=sorted; "
        "data.order=as_is takes the rows as they stand"
    )
    assert read(table(header, rows[::-1]), "sales").labels == tuple(map(str, range(40)))
    assert read(table(header, rows), "sales", "sorted").values == tuple(VALUES[::-1])
    assert read(table(header, rows), "sales", "as_is").values == tuple(VALUES)


def test_an_undated_file_is_fine(read):
    assert read(table("sales", [(value,) for value in VALUES])).labels == tuple(map(str, range(1, 41)))
    assert read(table("stock,sales", zip(VALUES[::-1], VALUES, strict=True)), "sales").values == tuple(VALUES)
    assert read(table("month,sales", [(row % 12 + 1, value) for row, value in enumerate(VALUES)]), "sales").values == tuple(
        VALUES
    )


def test_a_year_that_repeats_needs_the_month(refused):
    rows = [(year, "abc"[month % 3], value) for (year, month), value in zip(MONTHS, VALUES, strict=True)]
    assert refused(table("jahr,x,sales", rows), "sales") == (
        "line 3: jahr 2005 stands in the row before as well; one column must hold the month too, as in 2005-01"
        "; data.order=as_is takes the rows as they stand"
    )


def test_dates_of_other_forms_are_refused_wherever_most_rows_have_them(read, refused):
    rows = [*zip([f"{NAMES[month - 1]}-{year % 100:02}" for year, month in MONTHS], VALUES, strict=True)]
    message = "write months as 2024-01, or days as 2024-01-31"
    assert refused(table("month,sales", rows)) == f"line 2: month is Jan-05; {message}"
    assert refused(table("month,sales", [("", 1), *rows])) == f"line 3: month is Jan-05; {message}"
    assert refused(table("month,sales", rows), order="sorted") == f"line 2: month is Jan-05; {message}"
    assert read(table("month,sales", rows), order="as_is").labels[0] == "Jan-05"
    assert (
        refused("day,sales\n2020-01-01,1\n1/2/2020,2\n1/3/2020,3\n1/4/2020,4\n")
        == "line 3: day is 1/2/2020; write dates as 2024-01-31"
    )
    assert refused("day,sales\n,1\n2020-01-02,2\n2020-01-03,3\n").startswith("line 2: day is empty; must be a date that exists")


# --- columns ---------------------------------------------------------------------------------------------------------

MONTHLY = "month,sales\n2024-01,1\n2024-02,5\n2024-03,2\n"


@pytest.mark.parametrize("column", [1, -1, "1", "-1"])
def test_a_column_by_its_place(read, column):
    assert (read(MONTHLY, column).name, read(MONTHLY, column).values) == ("sales", (1, 5, 2))


def test_a_name_goes_before_a_place(read):
    assert read("a,b,1\nx,5,7\ny,6,9\n", 1).values == (7, 9)
    assert read("2023,2024,x\n5,7,a\n6,9,b\n", 2024).values == (7, 9)
    assert read("month,\n2024-01,5\n2024-02,6\n", 1).name == "column 1"


@pytest.mark.parametrize("column", [2, -3, "7"])
def test_a_place_that_is_not_there(refused, column):
    assert refused(MONTHLY, column) == (
        f"data.column={column}: my.csv has no column of this name or place; must be -2 to 1, or a name: 0=month, 1=sales"
    )


@pytest.mark.slow
def test_a_column_by_its_place_on_the_command_line(tmp_path):
    (tmp_path / "my.csv").write_text(
        table("month,sales", [(f"{y}-{m:02}", v) for (y, m), v in zip(MONTHS, VALUES, strict=True)])
    )
    sizes = ["data.window=2", "data.holdout=2", "data.season=2", "training.global_batch_size=2"]
    for text, column in (("1", 1), ("-1", -1), ("sales", "sales"), ("null", None), ("'1'", "1")):
        config = compose_train(["model=fnn", "data=series", f"data.file={tmp_path / 'my.csv'}", f"data.column={text}", *sizes])
        assert config.data.column == column
        assert config.data.order == "checked"
    for text in ("true", "1.5"):
        with pytest.raises(ConfigError, match=rf"data\.column={text}: must be text, or a whole number"):
            compose_train(["model=fnn", "data=series", f"data.file={tmp_path / 'my.csv'}", f"data.column={text}", *sizes])


NUMBERS = [
    ("units", "id,sales\n1,12 kg\n2,13 kg\n3,11 kg\n", "id, sales"),
    ("thousands", 'id,sales\n1,"1,234"\n2,"1,300"\n3,"1,250"\n', "id, sales"),
    ("percent", "rank,sales\n7,12%\n2,13%\n5,11%\n", "rank, sales"),
    ("money", "id,sales\n1,$12.50\n2,€13\n3,£1 300\n", "id, sales"),
    ("gaps", "id,sales\n1,12\n2,n/a\n3,-\n4,\n", "id, sales"),
    ("years", "sales,year\n12,1991\n15,1992\n11,1993\n", "sales, year"),
]


@pytest.mark.parametrize(("content", "columns"), [case[1:] for case in NUMBERS], ids=[case[0] for case in NUMBERS])
def test_an_id_is_not_taken_for_values_that_are_written_wrongly(refused, content, columns):
    name = "sales" if "sales" in columns else columns
    assert refused(content) == (
        f"data.column=null: in my.csv several columns hold numbers: {columns}; choose one, such as data.column={name}"
    )


@pytest.mark.parametrize("content", ["year,country\n1991,a\n1992,b\n1993,c\n", "id,country\n4,a\n7,b\n9,c\n"])
def test_the_only_numbers_say_which_row(refused, content):
    name = content.partition(",")[0]
    assert refused(content) == (
        f"data.column=null: in my.csv only {name} holds numbers, and seems to say when or which; choose one, such as "
        f"data.column={name}"
    )


def test_a_column_of_dates_in_digits_is_not_the_one_with_the_values(read, refused):
    rows = [(f"{day:%Y%m%d}", value) for day, value in zip(DAYS, VALUES, strict=True)]
    assert read(table("day,sales", rows)).name == "sales"
    assert refused(table("day,sales", [(day, "many") for day, _ in rows])) == (
        "line 2: sales is 'many'; must be a finite number, such as 112.5"
    )


def test_a_date_column_without_a_name_is_called_by_its_place_beside_an_hour(refused):
    rows = [(hour.date(), hour.hour, value) for hour, value in zip(HOURS, VALUES, strict=True)]
    message = refused(table(",hour,sales", [*rows[:20], rows[19], *rows[20:]]), column="sales")
    assert message.startswith("line 22: column 0 + hour 2024-01-01 15:00 stands in the row before as well")


# --- rows that are none ----------------------------------------------------------------------------------------------


def test_a_row_with_the_total(read, refused):
    rows = [(f"{year}-{month:02}", value) for (year, month), value in zip(MONTHS, VALUES, strict=True)]
    for word in ("Total", "SUM", "Grand total", "Average:", "Summe"):
        message = f"line 42: month is {word}; the values must be one a moment: take the line out"
        assert refused(table("month,sales", [*rows, (word, sum(VALUES))])) == message
    assert refused(table(",sales", [*rows, ("Total", sum(VALUES))])).startswith("line 42: column 0 is Total; the values must")
    total = table("sales", [(value,) for value in [*VALUES, sum(VALUES)]])
    assert refused(total) == f"line 42: sales is {sum(VALUES)}, the sum of all rows above; take the line out"
    assert read(total, order="as_is").values[-1] == sum(VALUES)
    assert read("sales\n1\n2\n3\n").values == (1, 2, 3)


def test_a_point_between_thousands(read, refused):
    assert refused("sales\n987\n1.012\n1.150\n998\n") == (
        "line 3: sales is 1.012, where others have no point; if it stands between thousands, write 1012, else 987.000 for 987"
    )
    for numbers in ("987.000\n1.012\n1.150\n", "987\n1.012\n1.15\n", "0.125\n0.250\n1\n", "1\n2.125\n3\n"):
        assert len(read(f"sales\n{numbers}").values) == 3
