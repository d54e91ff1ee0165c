"""The pictures that a word of a command names: a file, a folder, a pattern, or standard input.

    for picture in find_pictures("scans/*.png", "image"):
        open_picture(picture.source, name=picture.name)

A folder stands for the pictures in it, by the ends of their names, in the order of their names; folders in it are left out.
"""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from nnjax.config.errors import ConfigError
from nnjax.config.paths import expanded, is_dir, is_file, reaching
from nnjax.config.shell import shell_text
from nnjax.serving.pictures import DEFAULT_LIMITS

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
"""The ends of pictures' names, in any case."""

STDIN = "-"
"""The word for standard input."""


@dataclass(frozen=True)
class PictureFile:
    """A picture that was named.

    Attributes:
        name: for output and errors.
        source: for `open_picture`.
    """

    name: str
    source: Path | bytes


def find_pictures(word: str, key: str) -> Sequence[PictureFile]:
    """Returns the pictures that a word names, at least one; files are not opened here.

    Args:
        word: a path, a pattern with `*`, `?` or `[…]`, or `-` for standard input.
        key: what gave it, for errors.

    Raises:
        ConfigError: if it names no file, or no picture.
    """
    if word == STDIN:
        # One byte more than is allowed is refused as too large.
        return [PictureFile("standard input", sys.stdin.buffer.read(DEFAULT_LIMITS.max_bytes + 1))]
    path, shown = expanded(word, key), f"{key}={shell_text(word)}"
    if is_dir(path):
        with reaching(key, path):
            entries = sorted(path.iterdir())
        found = [each for each in entries if each.suffix.lower() in SUFFIXES and is_file(each)]
        if not found:
            holds = f"holds no picture ({', '.join(SUFFIXES)})"
            raise ConfigError(f"{shown}: the folder {holds}{_of(len(entries))}")
    elif is_file(path):
        found = [path]
    elif not re.search(r"[*?[]", word):
        raise ConfigError(f"{shown}: no such file{_near(path)}")
    else:
        base = Path(path.anchor)
        # Python takes ** for a whole part of a path only; in part of one a shell reads it as *.
        pattern = re.sub(r"\*{2,}(?=[^/])|(?<=[^/])\*{2,}", "*", str(path.relative_to(base)))
        with reaching(key, path):
            found = sorted(each for each in base.glob(pattern) if is_file(each))
        if not found:
            raise ConfigError(f"{shown}: no file has such a name")
    return [PictureFile(str(each), each) for each in found]


def _of(count: int) -> str:
    return ": it is empty" if count == 0 else f", and {count} other {'file' if count == 1 else 'files'}"


def _near(path: Path) -> str:
    """A picture beside it with a similar name."""
    try:
        names = sorted(each.name for each in path.parent.iterdir() if each.suffix.lower() in SUFFIXES)
    except OSError:
        return ""
    near = get_close_matches(path.name, names, n=1)
    return f"; did you mean {shell_text(path.with_name(near[0]))}?" if near else ""
