"""Lists of numbers become arrays; anything else in them costs no memory."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from nnjax.serving.number_lists import NotNumbers, UnequalLengths, number_array


@given(arrays(np.float64, array_shapes(max_dims=5, max_side=4, min_side=0), elements=st.floats(allow_nan=False)))
def test_nested_lists_are_the_array(array):
    found = number_array(array.tolist())
    assert found.dtype == np.float64
    assert found.tolist() == array.tolist()


def test_numbers_of_both_kinds_and_none_in_a_list():
    assert number_array([1, (2.5), np.float32(0.5)]).tolist() == [1, 2.5, 0.5]
    assert number_array(3).shape == ()


@pytest.mark.parametrize("values", [["1"], [True], [None], [1, True], [{}], "12", [10**400], [[[[[[[[[1]]]]]]]]]])
def test_what_is_no_number_is_refused(values):
    with pytest.raises(NotNumbers):
        number_array(values)


@pytest.mark.parametrize("values", [[[1, 2], [3]], [1, [2]], [[1], 2], [[], [1]]])
def test_lists_of_unequal_lengths_are_refused(values):
    with pytest.raises(UnequalLengths):
        number_array(values)


def test_a_long_text_among_many_elements_takes_no_memory():
    values = ["a" * 20_000, *[""] * 10_000]
    tracemalloc.start()
    try:
        with pytest.raises(NotNumbers):
            number_array(values)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
