"""Strokes are measured, widened and filled; pictures are resized without aliasing."""

import numpy as np
import pytest
from drawn import drawn
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import grey_closing

from nnjax.serving.grey_pictures import box_of, closing, resized, smoothed, spread, stroke_width, with_stroke_width


@pytest.mark.parametrize("width", [4, 9, 20])
def test_the_width_of_a_stroke_is_measured_and_set(width):
    line = np.zeros((60, 200), np.float32)
    line[20 : 20 + width, 5:195] = 1
    assert stroke_width(line) == pytest.approx(width, rel=0.15)
    for wanted in (6, 12):
        assert stroke_width(with_stroke_width(line, wanted)) == pytest.approx(wanted, abs=2)
    assert stroke_width(np.zeros((4, 4), np.float32)) == 0


@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.integers(8, 30), st.integers(8, 30))
def test_closing_is_scipys(seed, half, height, width):
    grey = np.random.default_rng(seed).random((height, width)).astype(np.float32)
    padded = np.pad(grey, 2 * half, mode="edge")
    expected = grey_closing(padded, (2 * half + 1, 2 * half + 1))[2 * half : -2 * half, 2 * half : -2 * half]
    inner = np.s_[2 * half : -2 * half, 2 * half : -2 * half]  # far from the border, where paddings differ
    np.testing.assert_array_equal(closing(grey, 2 * half + 1)[inner], expected[inner])


def test_closing_fills_strokes_and_keeps_shadows():
    paper = np.full((100, 100), 0.9, np.float32)
    paper[:, 50:] = 0.5
    written = paper.copy()
    written[20:80, 20:24] = 0.1
    written[40:43, 10:90] = 0.1
    np.testing.assert_array_equal(closing(written, 9), paper)


def test_neighbours_spread_and_smooth():
    dot = np.zeros((5, 5), np.float32)
    dot[2, 2] = 9
    assert (spread(dot, square=False) > 0).sum() == 5
    assert (spread(dot, square=True) > 0).sum() == 9
    np.testing.assert_allclose(smoothed(dot)[1:4, 1:4], 1)


def test_boxes_and_sizes():
    assert box_of(np.pad(np.ones((3, 5), np.float32), ((1, 2), (4, 1)))) == (1, 4, 4, 9)
    assert box_of(np.zeros((3, 5), np.float32)) == (0, 3, 0, 5)
    small = resized(drawn(5), 0.1)
    assert small.shape == (28, 28)
    assert small.mean() == pytest.approx(drawn(5).mean(), rel=0.01)
