from types import SimpleNamespace

import numpy as np
import pytest

from nnjax.config.errors import DataError
from nnjax.data.named_columns import by_name, column_names


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        (("width", "length"), ("width", "length")),
        (range(3), ()),  # as pandas counts them
        ((1, 2), ("1", "2")),
        ((2024, 2023), ("2024", "2023")),
        (("0", "1"), ("0", "1")),
    ],
)
def test_columns_that_are_counted_from_0_have_no_names(columns, names):
    assert column_names(SimpleNamespace(columns=columns)) == names


def test_arrays_and_lists_have_none():
    assert column_names(np.zeros((2, 2))) == column_names([[1, 2]]) == ()


@pytest.mark.parametrize(
    ("names", "wanted", "expected"),
    [
        ("abc", "abc", [0, 1, 2]),
        ("cab", "abc", [1, 2, 0]),
        ("", "abc", [0, 1, 2]),
        ("cab", "", [0, 1, 2]),
        ("201", "", [1, 2, 0]),
    ],
)
def test_columns_stand_as_wanted(names, wanted, expected):
    array = np.array([[0, 1, 2], [10, 11, 12]])
    ordered = by_name(array, tuple(names), tuple(wanted), "inputs", DataError)
    assert ordered.tolist() == [expected, [10 + place for place in expected]]


def test_equal_names_are_refused():
    with pytest.raises(DataError, match="inputs have the columns a, b, a; must have a, a, b"):
        by_name(np.zeros((1, 3)), ("a", "b", "a"), ("a", "a", "b"), "inputs", DataError)


@pytest.mark.parametrize("names", ["abx", "ab", "abcd", "abcc"])
def test_other_names_are_refused(names):
    with pytest.raises(DataError) as caught:
        by_name(np.zeros((2, len(names))), tuple(names), ("a", "b", "c"), "inputs", DataError)
    assert str(caught.value) == f"inputs have the columns {', '.join(names)}; must have a, b, c, in any order"
