import numpy as np
import pytest

from nnjax.config.errors import InputError
from nnjax.data.given_arrays import finite_float32, plain_array


@pytest.mark.parametrize("dtype", [bool, np.int64, np.float16, np.float32, np.float64])
def test_numbers_become_float32(dtype):
    array = np.asfortranarray(np.arange(6).reshape(2, 3).astype(dtype))
    numbers = finite_float32(array, "inputs", InputError)
    assert numbers.dtype == np.float32
    np.testing.assert_array_equal(numbers, array)
    assert finite_float32(array[:0], "inputs", InputError).shape == (0, 3)


@pytest.mark.parametrize(
    ("value", "columns", "message"),
    [
        (np.nan, (), "inputs: [1, 0, 2] is nan; must be a finite number, within ±3.4e38"),
        (-np.inf, ("a", "b", "c"), "inputs: [1, 0, 2] (c) is -inf; must be a finite number, within ±3.4e38"),
        (3.5e38, (), "inputs: [1, 0, 2] is 3.5e+38; must be a finite number, within ±3.4e38"),
    ],
)
def test_the_first_that_is_not_finite_is_named(value, columns, message):
    array = np.asfortranarray(np.zeros((2, 2, 3)))
    array[1, 0, 2] = array[1, 1, 0] = value
    with pytest.raises(InputError) as caught:
        finite_float32(array, "inputs", InputError, columns)
    assert str(caught.value) == message


def test_a_mask_that_hides_nothing_is_none():
    values = np.ma.masked_equal(np.array([1, 2]), 3)
    assert type(plain_array(values, "targets", InputError)) is np.ndarray
    with pytest.raises(InputError, match=r"^targets: \[1\] is masked; must be a number$"):
        plain_array(np.ma.masked_equal(np.array([1, 2]), 2), "targets", InputError)


def test_rows_of_several_lengths_are_no_array():
    with pytest.raises(InputError, match=r"^targets: .*inhomogeneous"):
        plain_array([[1], [1, 2]], "targets", InputError)
