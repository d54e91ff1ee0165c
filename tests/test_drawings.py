"""The pictures in docs/images that docs/drawings.py makes are those that it makes now."""

import importlib.util
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image

DOCS = Path(__file__).parents[1] / "docs"
_SPEC = importlib.util.spec_from_file_location("drawings", DOCS / "drawings.py")
drawings = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(drawings)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawings")
    drawings.draw(folder)
    return folder


def pixels(path):
    """The size of a picture, and its grey values on a coarse grid, where one letter more or less hardly counts."""
    with Image.open(path) as image:
        return image.size, np.asarray(image.convert("L").resize((60, 30)), float)


@pytest.mark.slow
@pytest.mark.parametrize("name", drawings.DRAWINGS)
def test_a_picture_is_up_to_date(made, name):
    kept = DOCS / "images" / name
    with Image.open(kept) as image:
        version = image.info["Software"].removeprefix("Matplotlib version").partition(",")[0]
    if version == matplotlib.__version__:
        assert kept.read_bytes() == (made / name).read_bytes(), "python docs/drawings.py draws it again"
    else:  # other versions place letters a little differently
        (size, old), (other_size, new) = pixels(kept), pixels(made / name)
        assert np.allclose(size, other_size, rtol=0.03)
        assert np.abs(old - new).mean() < 6


def test_no_picture_is_left_from_an_earlier_list():
    assert {path.name for path in (DOCS / "images").glob("00-*")} == set(drawings.DRAWINGS)


@pytest.mark.slow
def test_a_number_of_a_link_changes_the_picture(made, monkeypatch, tmp_path):
    slower = {"nvlink": (36e9, 3.4e-6)}
    link = drawings.link
    monkeypatch.setattr(drawings, "link", lambda preset: slower.get(preset) or link(preset))
    name = "00-words_links.png"
    drawings.draw(tmp_path, [name])
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() != (made / name).read_bytes()


def test_presets_that_share_a_line_have_the_same_numbers_and_none_is_left_out():
    for presets in drawings.LINES:
        assert len({drawings.link(preset) for preset in presets}) == 1
    drawn = {preset for presets in drawings.LINES for preset in presets}
    assert drawn == {path.stem for path in (drawings.ROOT / "conf/link").glob("*.yaml")} - {"custom"}
