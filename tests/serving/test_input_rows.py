"""Rows of numbers become inputs; what is no number is refused with its line and column."""

import numpy as np
import pytest
from models import facts_of, series_facts

from nnjax.config.errors import DataError
from nnjax.data.time_series import Transform
from nnjax.serving.facts import InputFacts
from nnjax.serving.input_rows import columns_note, rows_from_csv, rows_from_lists

NAMED = facts_of(inputs=InputFacts((2,), "float32", features=("width", "length")))
PLAIN = facts_of((2,))
YEARS = facts_of(inputs=InputFacts((2,), "float32", features=("2023", "2024")))


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("1,2\n3,4\n", PLAIN),
        ("1,2\r\n3,4", PLAIN),
        ("\ufeffa;b\n1;2\n3;4\n\n\n", PLAIN),
        ("1\t2\n3\t4", NAMED),
        ("width,length\n1,2\n3,4", NAMED),
        ("length,name,width\n2,x,1\n4,,3", NAMED),
        ("0,1,2\n1,2,5\n3,4,6", facts_of(inputs=InputFacts((2,), "float32", features=("0", "1")))),  # as pandas counts columns
        ("2024,2023\n2,1\n4,3", YEARS),
        ("2022;2024;name;2023\n0;2;x;1\n0;4;;3", YEARS),
        ("1,2\n3,4", YEARS),
        ("x,y\n1,2\n3,4", NAMED),  # two columns of other names: by place
        (' " 1 " , 2e0\n3,4', PLAIN),
    ],
)
def test_columns_stand_by_name_or_place(text, facts, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text(text)
    for source in (text, path):
        inputs = rows_from_csv(source, facts)
        assert inputs.dtype == np.float32
        assert inputs.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("text", "facts", "message"),
    [
        ("1,2\n3,x", PLAIN, "the rows, line 2, column 2: 'x'; must be a finite number"),
        ("a,b\n1,2\n,4", PLAIN, "the rows, line 3, column 1 (a): is blank; must be a finite number"),
        ("N/A,1\n3,4", PLAIN, "the rows, line 1, column 1: 'N/A'; must be a finite number"),
        ("N/A,-\n3,4", PLAIN, "the rows, line 1, column 1: 'N/A'; must be a finite number"),
        ("0,1,2\n", facts_of((3,)), "the rows: holds no rows of numbers"),
        ("1,nan", PLAIN, "the rows, line 1, column 2: 'nan'; must be a finite number"),
        ("1,1_000", PLAIN, "the rows, line 1, column 2: '1_000'; must be a finite number"),
        ("1,2\n1,2,3", PLAIN, "the rows, line 2: has 3 columns; must have 2"),
        ("1,2,3", NAMED, "the rows, line 1: has 3 columns; must have 2: width, length"),
        ("width,lenght\n1,2", NAMED, "the rows: has no column length; did you mean lenght? There are: width, lenght"),
        ("width,length,width\n1,2,3", NAMED, "the rows: has 2 columns width; must have one"),
        ("1,2\n\n3,4", PLAIN, "the rows, line 2: is blank; must hold numbers"),
        ("", PLAIN, "the rows: holds no rows of numbers"),
        ("1 2", PLAIN, "the rows: holds no rows of numbers; commas, semicolons or tabs separate columns, and blanks do not"),
        (
            "1 2\n3 4",
            PLAIN,
            "the rows, line 1: has 1 columns; must have 2; commas, semicolons or tabs separate columns, and blanks do not",
        ),
        ("a,b\n", PLAIN, "the rows: holds no rows of numbers"),
        ("1,1e300", PLAIN, "the rows: holds a number beyond ±3.4e38"),
    ],
)
def test_what_is_no_row_is_refused(text, facts, message):
    with pytest.raises(DataError) as caught:
        rows_from_csv(text, facts)
    assert str(caught.value) == message


def test_two_numbers_are_no_header():
    """Of two columns, 0 and 1 may be a row."""
    assert rows_from_csv("0,1\n1,0", PLAIN).tolist() == [[0, 1], [1, 0]]
    assert rows_from_csv("0,1,2\n1,0,3", facts_of((3,))).tolist() == [[1, 0, 3]]
    assert rows_from_csv("0,1,3\n1,0,3", facts_of((3,))).tolist() == [[0, 1, 3], [1, 0, 3]]


def test_a_row_that_holds_some_of_the_names_is_no_header():
    """Names may be numbers, such as years; a header holds them all, and each once."""
    assert rows_from_csv("2024,2024\n2023,2", YEARS).tolist() == [[2024, 2024], [2023, 2]]
    assert rows_from_csv("2023,2\n3,4", YEARS).tolist() == [[2023, 2], [3, 4]]
    assert rows_from_csv("1\n2\n2024", series_facts(name="2024")).ravel().tolist() == [1, 2, 2024]


@pytest.mark.parametrize(
    ("text", "facts", "reason"),
    [
        ("", PLAIN, None),
        ("1,2", PLAIN, None),
        ("a,b\n1,2", PLAIN, "the model has no names for them"),
        ("length,width\n1,2", NAMED, None),
        ("2024,2023\n1,2", YEARS, None),
        ("2024,2024\n1,2", YEARS, None),
        ("a,b\n1,2", NAMED, "none is called width or length"),
    ],
)
def test_columns_that_are_taken_by_place_are_noted(text, facts, reason):
    note = f"a.csv: its columns are taken by their places, not by their names: {reason}"
    assert columns_note(text, facts, "a.csv") == (reason and note)


def test_files_that_cannot_be_rows(tmp_path):
    with pytest.raises(DataError, match=r"none.csv: cannot be read: No such file"):
        rows_from_csv(tmp_path / "none.csv", PLAIN)
    (tmp_path / "a.csv").write_bytes(b"1,2\n\xff\xfe")
    with pytest.raises(DataError, match=r"a.csv: is no text in UTF-8: byte 4"):
        rows_from_csv(tmp_path / "a.csv", PLAIN)
    with pytest.raises(DataError, match=r"holds more than 3 bytes"):
        rows_from_csv("1,2\n", PLAIN, max_bytes=3)


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("difference", [0, 2])
def test_a_series_ends_in_one_window(log, difference):
    values = np.array([3.0, 5, 4, 8, 9, 7, 6])
    facts = series_facts(log=log, difference=difference, mean=0.5, std=2.0)
    expected = Transform(log, difference, 0.5, 2.0)(values)[-3:]
    for inputs in (
        rows_from_lists(values.tolist(), facts),
        rows_from_lists([[value] for value in values], facts),
        rows_from_csv("\n".join(map(str, values)), facts),
        rows_from_csv(
            "month,passengers\n" + "\n".join(f"2024-{place + 1},{value}" for place, value in enumerate(values)), facts
        ),
    ):
        assert (inputs.shape, inputs.dtype) == ((1, 3, 1), np.float32)
        np.testing.assert_allclose(inputs[0, :, 0], expected, rtol=1e-6)


@pytest.mark.parametrize("header", ["month,2024", "2024,month"])
def test_a_series_whose_name_is_a_number(header):
    """A file of it has a header, too, as that of the training had."""
    rows = [[{"month": f"2020-{place}", "2024": str(place)}[name] for name in header.split(",")] for place in (1, 2, 3)]
    text = "\n".join([header, *map(",".join, rows)])
    assert rows_from_csv(text, series_facts(name="2024")).ravel().tolist() == [1, 2, 3]
    with pytest.raises(DataError, match=r"has 2 values of 2024; must have at least 3"):
        rows_from_csv("2024\n1\n2", series_facts(name="2024"))


def test_a_series_that_is_too_short_or_not_above_zero():
    with pytest.raises(DataError, match=r"^rows: has 4 values of passengers; must have at least 5, the last ones known$"):
        rows_from_lists([1, 2, 3, 4], series_facts(difference=2))
    with pytest.raises(DataError, match=r"^rows: passengers holds 0; must be above 0, for its logarithm is taken$"):
        rows_from_lists([1, 2, 0], series_facts(log=True))


@pytest.mark.parametrize("values", [[1, 2], [[1, 2]], [[1.0, 2.0]]])
def test_lists_are_one_input_or_several(values):
    assert rows_from_lists(values, PLAIN).tolist() == [[1, 2]]


def test_pictures_as_lists():
    facts = facts_of(inputs=InputFacts((2, 2, 1), "uint8", "plain", 255.0))
    flat, nested = rows_from_lists([0, 1, 2, 255], facts), rows_from_lists([[[0], [1]], [[2], [255]]], facts)
    assert flat.dtype == np.uint8
    np.testing.assert_array_equal(flat, nested)
    with pytest.raises(DataError, match=r"^rows: must be whole numbers from 0 to 255$"):
        rows_from_lists([0, 1, 2, 256], facts)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[1, 2], [3]], "rows: its lists are of different lengths; must be lists of 2 numbers"),
        ([1, "2"], "rows=[1, '2']: must be numbers, lists of 2 numbers"),
        ([1, None], "rows=[1, None]: must be numbers, lists of 2 numbers"),
        ([True, False], "rows=[True, False]: must be numbers, lists of 2 numbers"),
        ([], "rows=[]: must be numbers, lists of 2 numbers"),
        ({"a": 1}, "rows={'a': 1}: must be numbers, lists of 2 numbers"),
        ([1, 2, 3], "rows: has the shape [3]; must be lists of 2 numbers"),
        (5, "rows: has the shape []; must be lists of 2 numbers"),
        ([1, float("inf")], "rows=[1, inf]: must be finite numbers"),
        ([1, 10**400], f"rows=[1, 1{52 * '0'}…: must be numbers, lists of 2 numbers"),
        ([1, 10**5000], "rows=…: must be numbers, lists of 2 numbers"),
    ],
)
def test_lists_that_are_no_input_are_refused(values, message):
    with pytest.raises(DataError) as caught:
        rows_from_lists(values, PLAIN)
    assert str(caught.value) == message
