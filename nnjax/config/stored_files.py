"""Reads small files that another process or person wrote, within limits, and writes files whole or not at all.

values = read_json(run_dir / "summary.json")              # StoredFileError: …/summary.json: is a symbolic link; …
write_text(run_dir / ".hydra/sessions.json", "[]")

A run's folder may come from anywhere. So a reader follows no link, waits for no pipe, and takes no more memory or time than a
small file needs. Whatever it cannot take, it refuses in one line.
"""

import json
import os
import secrets
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from nnjax.config.errors import ConfigError
from nnjax.config.paths import shown_path, why

MOST_BYTES = 1 << 20
"""The largest file of settings that is read: parsing more takes seconds."""

MOST_RESULTS = 1 << 26
"""The largest file of results, such as the summary of many trials."""

_LONGEST_REASON = 150
_MOST_LEVELS = 64

_KINDS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISREG, "a file"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
)


class StoredFileError(ConfigError):
    """A file that is missing, too large, or holds something else than it should."""


def kind_of(mode: int) -> str:
    """Returns the kind of a file in words, from the `st_mode` that `lstat` gives."""
    return next((words for matches, words in _KINDS if matches(mode)), "a device")


def read_bytes(path: Path, most_bytes: int = MOST_BYTES) -> bytes:
    """Reads a regular file of limited size.

    Raises:
        FileNotFoundError: if there is none.
        StoredFileError: for a link, a pipe, a folder, a device, a larger file, or one that cannot be read.
    """
    # A link is not followed, and a pipe without a writer is not waited for.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        mode = path.lstat().st_mode
        if not stat.S_ISREG(mode):
            raise StoredFileError(f"{shown_path(path)}: is {kind_of(mode)}, and must be a file")
        with os.fdopen(os.open(path, flags), "rb") as file:
            state = os.fstat(file.fileno())
            if not stat.S_ISREG(state.st_mode):
                raise StoredFileError(f"{shown_path(path)}: is {kind_of(state.st_mode)}, and must be a file")
            content = b"" if state.st_size > most_bytes else file.read(most_bytes + 1)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise StoredFileError(f"{shown_path(path)}: cannot be read: {why(error) or error}") from error
    if max(state.st_size, len(content)) > most_bytes:
        raise StoredFileError(f"{shown_path(path)}: is larger than {most_bytes:,} bytes")
    return content


def read_text(path: Path, most_bytes: int = MOST_BYTES) -> str:
    """Reads a file of UTF-8 text.

    Raises:
        FileNotFoundError: if there is none.
        StoredFileError: as `read_bytes`, and for bytes that are no text.
    """
    content = read_bytes(path, most_bytes)
    if b"\0" in content:
        raise StoredFileError(f"{shown_path(path)}: cannot be read: it holds NUL bytes")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise StoredFileError(f"{shown_path(path)}: cannot be read: byte {error.start} is no UTF-8") from error


def read_json(path: Path, most_bytes: int = MOST_BYTES) -> Any:
    """Reads a file of JSON.

    Raises:
        FileNotFoundError: if there is none.
        StoredFileError: as `read_text`, and for text that is no JSON, is nested deeper than 64 levels, or holds a key twice.
    """
    text = read_text(path, most_bytes)
    try:
        return parse_json(text)
    except ValueError as error:
        raise StoredFileError(f"{shown_path(path)}: is damaged: {one_line(error)}") from error


def parse_json(text: str) -> Any:
    """Reads a text of JSON.

    Raises:
        ValueError: for text that is no JSON, is nested deeper than 64 levels, or holds a key twice.
    """
    try:
        values = json.loads(text, object_pairs_hook=with_unique_keys)
    except RecursionError:
        values = None
        levels = _MOST_LEVELS + 1
    else:
        levels = _levels(values)
    if levels > _MOST_LEVELS:
        raise ValueError(f"brackets are nested deeper than {_MOST_LEVELS} levels")
    return values


def one_line(error: object) -> str:
    """Returns an error's text as a line of limited length, without letters that a terminal would obey."""
    text = " ".join(str(error).split())
    shown = "".join(letter if letter.isprintable() else "?" for letter in text[:_LONGEST_REASON])
    return shown + ("…" if len(text) > _LONGEST_REASON else "")


def write_text(path: Path, text: str) -> None:
    """Writes a file whole or not at all, also if the machine fails: the old one stays until the new one is on the disk.

    Raises:
        OSError: if it cannot be written.
    """
    with replaced(path) as part:
        part.write_text(text, encoding="utf-8")


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Yields a path beside `path` for the new file, which takes its place once it is on the disk.

    On an exception the old file stays, and nothing is left of the new one.

    Raises:
        OSError: if it cannot be written.
    """
    # Nobody can put a link in the place of a name that cannot be guessed.
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def with_unique_keys(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """A mapping from pairs, as `json` hands them over (`object_pairs_hook`).

    Raises:
        ValueError: if a key stands twice.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


def _levels(values: object) -> int:
    """The depth of nested lists and mappings."""
    levels, inner = 0, [values]
    while inner and levels <= _MOST_LEVELS:
        inner = [
            item
            for value in inner
            if isinstance(value, list | dict)
            for item in (value.values() if isinstance(value, dict) else value)
        ]
        levels += bool(inner)
    return levels
