import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from nnjax.reporting.figures import answer_figure
from nnjax.reporting.figures.answer_figure import draw_answer

RANDOM = np.random.default_rng(0)
STEPS = [(f"step {place}", RANDOM.integers(0, 255, (30, 40), np.uint8)) for place in range(3)]
GIVEN = ("as given", RANDOM.integers(0, 255, (60, 40, 3), np.uint8))


def drawn(tmp_path, steps=(GIVEN, *STEPS), classes=10, looked="some", spread=0.0, is_class=True, **options):
    values = np.linspace(0.01, 0.2, classes).astype(np.float32)
    heat = RANDOM.normal(size=steps[-1][1].shape[:2]).astype(np.float32) if isinstance(looked, str) else looked
    path = tmp_path / "folder" / "figure.png"
    draw_answer(
        path,
        name=options.get("name", "photo.png"),
        steps=steps,
        looked=heat,
        labels=[f"class {place}" for place in range(classes)],
        values=values,
        spread=np.full(classes, spread, np.float32),
        is_class=is_class,
        remarks=options.get("remarks", ()),
    )
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.slow
def test_a_figure_grows_with_its_panels(tmp_path):
    widths = [drawn(tmp_path, looked=looked).shape[1] for looked in ("some", None)]
    assert widths[0] > widths[1]
    assert drawn(tmp_path, steps=[GIVEN]).shape[1] < widths[1]


@pytest.mark.slow
@pytest.mark.parametrize("classes", [1, 2, 12, 100])
def test_any_number_of_classes(tmp_path, classes):
    height, width, _ = drawn(tmp_path, classes=classes).shape
    assert 200 < height < 800
    assert 800 < width < 2400


def test_many_steps_are_shortened(tmp_path):
    steps = [GIVEN, *STEPS * 5]
    assert drawn(tmp_path, steps=steps).shape[1] < 2400


def test_a_name_that_is_not_utf_8_is_escaped(tmp_path):
    assert (drawn(tmp_path, name="bad\udcff.png", looked=None) == drawn(tmp_path, name="bad\\udcff.png", looked=None)).all()


@pytest.mark.slow
def test_what_is_shown_shows(tmp_path):
    plain = drawn(tmp_path, looked=np.zeros((30, 40), np.float32))
    for options in ({"spread": 0.05}, {"is_class": False}, {"remarks": ["unlike the training data"]}, {"name": "other.png"}):
        other = drawn(tmp_path, looked=np.zeros((30, 40), np.float32), **options)
        assert other.shape != plain.shape or (other != plain).any(), options


def test_a_name_of_any_length_and_letters(tmp_path):
    drawn(tmp_path, name="$x$ " * 60, remarks=["a long remark " * 30])


def test_a_coloured_picture_is_grey_under_the_colours_of_the_answer():
    axes = Figure().add_subplot()
    answer_figure._draw_overlay(axes, np.full((5, 4, 3), (255, 0, 0), np.uint8), np.zeros((5, 4)))
    under, over = axes.images
    assert np.unique(under.get_array()).tolist() == [160 + 95 // 3]
    assert not np.any(over.get_alpha())
