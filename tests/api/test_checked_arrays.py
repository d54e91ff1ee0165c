"""Arrays and tables for a trained network become what its dataset stores, or are refused."""

from dataclasses import replace

import numpy as np
import pytest
from named_tables import NamedTable

import nnjax
from nnjax.api.checked_arrays import checked_inputs, checked_split


@pytest.fixture(scope="module")
def named():
    """A dataset of vectors whose values have names."""
    read = nnjax.load_data(nnjax.compose("model=fnn", "data=synthetic", "data.input_shape=[3]"))
    return replace(read, features=("width", "length", "2024"))


def test_the_columns_of_a_table_are_found_by_name(named):
    values = np.arange(6.0).reshape(2, 3)
    table = NamedTable(named.features, values)
    for columns in (("width", "length", "2024"), ("2024", "width", "length")):
        inputs = checked_inputs(table[columns], named)
        assert (inputs.dtype, inputs.tolist()) == (np.float32, values.tolist())
        split = checked_split(nnjax.Split(table[columns], np.array([0, 1])), named)
        assert split.inputs.tolist() == values.tolist()
    years = NamedTable(("width", "length", 2024), values)  # pandas' columns may be whole numbers
    assert checked_inputs(years[(2024, "length", "width")], named).tolist() == values.tolist()
    counted = NamedTable(range(3), values)
    assert checked_inputs(counted, named).tolist() == values.tolist()


@pytest.mark.parametrize("columns", [("width", "length", "height"), ("width", "length")])
def test_other_columns_are_refused(named, columns):
    with pytest.raises(nnjax.InputError) as caught:
        checked_inputs(NamedTable(columns, np.zeros((2, len(columns)))), named)
    message = f"inputs have the columns {', '.join(columns)}; must have width, length, 2024, in any order"
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, r"\[1, 2\] \(2024\) is nan; must be a finite number, within ±3.4e38"),
        (-1e39, r"\[1, 2\] \(2024\) is -1e\+39; must be"),
        (np.ma.masked, r"\[1, 2\] is masked; must be a number"),
    ],
)
def test_what_is_no_number_is_refused(named, value, message):
    values = np.ma.zeros((2, 3))
    assert checked_inputs(values, named).tolist() == values.tolist()
    values[1, 2] = value
    with pytest.raises(nnjax.InputError, match=f"^inputs.*: {message}"):
        checked_inputs(values, named)
    with pytest.raises(nnjax.InputError, match=f"^inputs.*: {message}"):
        checked_split(nnjax.Split(values, np.array([0, 1])), named)


@pytest.mark.parametrize(("value", "message"), [(np.nan, "is nan"), (1e39, r"is 1e\+39"), (np.ma.masked, "is masked")])
def test_targets_that_are_no_numbers_are_refused(value, message):
    data = nnjax.load_data(
        nnjax.compose("model=fnn", "data=synthetic", "data.input_shape=[3]", "data.task=regression", "loss=mse")
    )
    targets = np.ma.zeros((2, data.spec.num_outputs))
    targets[0, 1] = value
    with pytest.raises(nnjax.InputError, match=rf"^targets: \[0, 1\] {message}"):
        checked_split(nnjax.Split(np.zeros((2, 3)), targets), data)
