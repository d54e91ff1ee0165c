"""CSV files are cut some thousand rows at a time: lines are counted right, whichever chunk they are in, and little is kept."""

import os
import threading
import tracemalloc

import pytest
from archives import PLAIN

from nnjax.config.data_options import SeriesData
from nnjax.config.errors import DataError
from nnjax.data import series_file, series_table
from nnjax.data.dataset_spec import dataset_spec
from nnjax.data.load import load
from nnjax.data.series_file import read_series
from nnjax.data.series_table import open_table

SERIES = {**PLAIN, "window": 3, "holdout": 2, "season": 4, "transform": "none", "difference": 0}


@pytest.fixture
def cut(tmp_path, monkeypatch):
    """Writes a file, named my.csv, and cuts it into rows, three at a time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(series_table, "_ROWS", 3)

    def cut(content):
        (tmp_path / "my.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
        with open_table(tmp_path / "my.csv") as table:
            chunks = list(table.chunks())
        lines = [line for chunk in chunks for line in chunk.lines]
        return table.header, lines, [row for chunk in chunks for row in zip(*chunk.columns[:], strict=True)]

    return cut


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_where_rows_start(cut, end):
    rows = [f'"a{end}b",{row}' if row % 4 == 1 else f"c ,\t{row}" for row in range(10)]
    header, lines, cells = cut(end.join(["", '"no', 'te", value', *rows, ",", "", " , "]) + end)
    assert header == [f"no{end}te", "value"]
    assert lines == [4, 5, 7, 8, 9, 10, 12, 13, 14, 15]
    assert cells == [(f"a{end}b" if row % 4 == 1 else "c", str(row)) for row in range(10)]


@pytest.mark.parametrize("rows", range(1, 9))
def test_mistakes_in_any_chunk(cut, rows):
    good = "a,b\n" + "1,2\n" * rows
    for bad, reason in (
        (",\n1,2\n", "is empty; a series has no gaps: fill it in, or take the line out"),
        (",\n\n\n\n\n1,2\n", "is empty; a series has no gaps: fill it in, or take the line out"),
        ("1\n1,2\n", "has 1 cell; the header has 2"),
        ("1,2,3\n", "has 3 cells; the header has 2"),
        ('"1,2\n3,4\n', "cannot be cut into cells (unexpected end of data); is a quote missing?"),
        (b"\xe9,2\n", "is not UTF-8 text (byte 0xe9); save it as CSV in UTF-8"),
        ("\0,2\n", "is no text, but binary; save it as CSV in UTF-8"),
    ):
        with pytest.raises(DataError) as raised:
            cut(good.encode() + (bad if isinstance(bad, bytes) else bad.encode()))
        assert str(raised.value) == f"data.file=my.csv: line {rows + 2}: {reason}"
    assert len(cut(f"{good}\n,\n\n")[1]) == rows


def test_a_pipe_is_read_once(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("sales\n3\n4\n",))
    writer.start()
    with open_table(pipe) as table:
        assert [list(chunk.columns[0]) for chunk in table.chunks()] == [["3", "4"]]
    writer.join()


@pytest.mark.slow
def test_a_long_file_is_read_once_and_takes_little_memory(tmp_path):
    rows = 60_000
    path = tmp_path / "long.csv"
    path.write_text("time,a,sales\n" + "".join(f"{1_700_000_000 + 60 * row},7,{row % 97}.25\n" for row in range(rows)))
    data = SeriesData(name="series", file=str(path), column="sales", **SERIES)
    series_file._read.cache_clear()
    tracemalloc.start()
    try:
        series = read_series(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(series.values) == rows
    assert peak / rows < 180  # the label takes 59 and 8 for its place, the value 24 and 2 times 8
    assert dataset_spec(data).num_train == load(data).spec.num_train == rows - 5
    assert series_file._read.cache_info().misses == 1


def test_what_comes_after_the_first_rows_is_checked_as_well(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    good = [f"{1_700_000_000 + 60 * row},{row % 97}" for row in range(9000)]
    for place, row, reason in (
        (8000, "x,1", "time is x; must be a date that exists, written like 1700000000"),
        (8000, "1700479940,1", "time 1700479940 stands in the row before as well"),
        (8000, "1700480000,n/a", "sales is 'n/a'; must be a finite number, such as 112.5"),
        (8000, "1700480000,1_0", "sales is '1_0'; must be a finite number, such as 112.5; write a point before decimals, and "),
    ):
        (tmp_path / "my.csv").write_text("\n".join(["time,sales", *good[:place], row, *good[place + 1 :]]) + "\n")
        with pytest.raises(DataError) as raised:
            read_series(SeriesData(name="series", file="my.csv", column=None, **SERIES))
        assert str(raised.value).startswith(f"data.file=my.csv: line {place + 2}: {reason}")
