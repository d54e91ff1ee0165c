import io
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from nnjax.config.errors import ConfigError
from nnjax.serving.picture_files import find_pictures
from nnjax.serving.pictures import DEFAULT_LIMITS


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("scans/b.png", "scans/a.JPG", "scans/notes.txt", "scans/more/c.png", "texts/a.txt", "one [2].png", "two.bin"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("word", "names"),
    [
        ("scans", ["scans/a.JPG", "scans/b.png"]),
        ("scans/b.png", ["scans/b.png"]),
        ("scans/*", ["scans/a.JPG", "scans/b.png", "scans/notes.txt"]),
        ("scans/?.png", ["scans/b.png"]),
        ("**/*.png", ["one [2].png", "scans/b.png", "scans/more/c.png"]),
        ("one [2].png", ["one [2].png"]),  # a file of that name comes before the pattern
        ("two.bin", ["two.bin"]),
    ],
)
def test_words(folder, word, names):
    found = find_pictures(word, "image")
    assert [picture.name for picture in found] == names
    assert [picture.source for picture in found] == [Path(name) for name in names]
    absolute = find_pictures(str(folder / word), "image")
    assert [picture.source for picture in absolute] == [folder / name for name in names]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("scans/c.png", "image=scans/c.png: no such file; did you mean scans/b.png?"),
        ("nowhere/x.png", "image=nowhere/x.png: no such file"),
        ("x*.png", "image=x*.png: no file has such a name"),
        ("texts", "image=texts: the folder holds no picture (.png, .jpg, .jpeg, .bmp, .gif, .webp), and 1 other file"),
        ("empty", "image=empty: the folder holds no picture (.png, .jpg, .jpeg, .bmp, .gif, .webp): it is empty"),
        ("a\0b", "image=$'a\\x00b': cannot be found: a name cannot hold a NUL character"),
        ("**x.png", "image=**x.png: no file has such a name"),
    ],
)
def test_what_names_no_picture_is_refused_in_a_line(folder, word, message):
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        find_pictures(word, "image")


def test_standard_input_is_read_up_to_the_limit(monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"abc")))
    (picture,) = find_pictures("-", "image")
    assert (picture.name, picture.source) == ("standard input", b"abc")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(bytes(DEFAULT_LIMITS.max_bytes + 10))))
    (picture,) = find_pictures("-", "image")
    assert len(picture.source) == DEFAULT_LIMITS.max_bytes + 1
