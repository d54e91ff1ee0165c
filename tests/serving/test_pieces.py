"""Connected pieces are those that scipy finds."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import label

from nnjax.serving.pieces import pieces


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 12), st.floats(0, 1))
def test_pieces_are_scipys(seed, height, width, share):
    mask = np.random.default_rng(seed).random((height, width)) < share
    found, count = pieces(mask)
    expected, number = label(mask, np.ones((3, 3)))
    assert count == number
    assert len({*zip(found.ravel().tolist(), expected.ravel().tolist(), strict=True)}) == number + (not mask.all())
    assert ((found > 0) == mask).all()


def test_a_spiral_is_one_piece():
    mask = np.zeros((9, 9), bool)
    mask[0], mask[:, 8], mask[8], mask[2:, 0], mask[2, :7], mask[2:7, 6], mask[6, 2:7] = (True,) * 7
    assert pieces(mask)[1] == 1
