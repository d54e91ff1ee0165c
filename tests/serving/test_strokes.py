"""Figures are found on their ground, whichever is the darker."""

import numpy as np
import pytest
from drawn import STROKES, drawn, photographed

from nnjax.serving.grey_pictures import box_of, resized, with_stroke_width
from nnjax.serving.strokes import find_figure, is_dark_on_light


def grey(photo):
    return np.asarray(photo, np.float32) / np.float32(255)


def overlap(ink, digit):
    """Intersection over union of the found figure and the drawn one, both at 40 pixels."""
    top, bottom, left, right = box_of(digit)
    true = resized(np.ascontiguousarray(digit[top:bottom, left:right]), (40, 40)) > 0.5
    found = resized(ink, (40, 40)) > 0.5
    return (true & found).sum() / (true | found).sum()


CONDITIONS = {
    "even": {},
    "shadow": {"shadow": True},
    "pencil": {"strength": 0.25, "noise": 0.03},
    "blurred": {"blur": 4.0},
    "noise": {"noise": 0.08},
    "chalk": {"dark": False},
    "far": {"margin": 5.0},
}


@pytest.mark.slow
@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_figure_on_paper_is_found(condition):
    for seed, digit in enumerate(STROKES):
        ink = drawn(digit)
        figure = find_figure(grey(photographed(ink, seed, **CONDITIONS[condition])))
        assert figure is not None
        assert figure.dark_on_light == (condition != "chalk"), digit
        assert figure.parts == 1
        assert overlap(figure.ink, ink) > (0.7 if condition in ("blurred", "far", "noise") else 0.8), digit


@pytest.mark.parametrize("digit", STROKES)
def test_a_thin_line_is_not_lost(digit):
    ink = drawn(digit, width=3, side=900)
    figure = find_figure(grey(photographed(ink, seed=3)))
    assert figure is not None
    assert figure.parts == 1  # whole
    wide = with_stroke_width(figure.ink, 16)
    top, bottom, left, right = box_of(wide)
    assert overlap(wide[top:bottom, left:right], drawn(digit, width=90, side=900)) > 0.6


@pytest.mark.parametrize("shade", [0.0, 0.3, 1.0])
def test_nothing_is_found_where_nothing_is(shade):
    assert find_figure(np.full((50, 80), shade, np.float32)) is None
    assert find_figure(np.full((1, 1), shade, np.float32)) is None
    noise = np.random.default_rng(0).normal(shade, 0.02, (200, 200)).clip(0, 1).astype(np.float32)
    assert find_figure(noise) is None


def test_dirt_and_what_reaches_over_the_border_are_left_out():
    ink = drawn(3)
    dirty = ink.copy()
    dirty[20:23, 40:43] = 1
    dirty[:, :6] = 1
    clean, found = find_figure(1 - 0.8 * ink), find_figure(1 - 0.8 * dirty)
    assert found.parts == 1
    np.testing.assert_allclose(found.ink, clean.ink, atol=0.35)
    assert overlap(found.ink, ink) > 0.85


@pytest.mark.parametrize("digit", STROKES)
def test_the_corner_of_a_shadow_is_no_ink(digit):
    corner = np.where(np.indices((280, 280)).sum(0) > 400, 0.6, 1)
    ink = drawn(digit, 14)
    figure = find_figure((0.9 * corner * (1 - 0.7 * ink)).astype(np.float32))
    assert figure.dark_on_light
    assert overlap(figure.ink, ink) > 0.9


def test_a_cluttered_picture_is_noticed():
    random = np.random.default_rng(0)
    scene = sum(resized(random.random((side, side)).astype(np.float32), (300, 300)) / 3 for side in (5, 12, 30))
    assert find_figure(1 - 0.7 * drawn(5)).clutter < 0.02
    assert find_figure(resized(drawn(5, 3, 28), (140, 140))).clutter < 0.1  # its edges are soft and wide
    figure = find_figure(scene.clip(0, 1))
    assert figure is None or figure.clutter > 0.3


def test_polarity_of_a_plain_picture():
    assert is_dark_on_light(1 - drawn(8 - 1))
    assert not is_dark_on_light(drawn(7))
    assert not is_dark_on_light(np.zeros((4, 4), np.float32))


@pytest.mark.slow
@pytest.mark.parametrize("digit", STROKES)
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("margin", [0, 6])
@pytest.mark.parametrize("width", [34, 50])
def test_a_figure_that_is_cropped_tightly_is_found(digit, dark, margin, width):
    """Also of thick strokes: a gap between them, which has the ground's value, was taken for the figure."""
    ink = drawn(digit, width)
    top, bottom, left, right = box_of(ink)
    cut = np.pad(ink[top:bottom, left:right], margin)
    figure = find_figure(0.1 + 0.8 * (1 - cut if dark else cut))
    assert figure is not None
    assert figure.dark_on_light == dark
    assert figure.parts == 1
    assert figure.at_border or margin
    assert overlap(figure.ink, ink) > 0.85


def test_more_ground_is_put_around_an_even_border_alone():
    """Paper with a shadow stays as it is: a frame of one shade would stand out from it."""
    for seed, digit in enumerate(STROKES):
        figure = find_figure(grey(photographed(drawn(digit), seed, shadow=True, margin=1.3)))
        assert not figure.at_border
        assert figure.parts == 1
