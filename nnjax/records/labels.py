"""The tags and notes that a person gives to a run: `.hydra/labels.json` in its folder, and nowhere else.

change_labels(run_dir, tags=["best", "-draft"])      # adds one tag, removes another
change_labels(run_dir, note="the learning rate was too high")
read_labels(run_dir)                                 # Labels(tags=("best",), notes=("the learning rate …",))
"""

import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from nnjax.config.errors import ConfigError
from nnjax.config.paths import reaching, shown_path
from nnjax.config.stored_files import StoredFileError, read_json, write_text

if sys.platform != "win32":
    import fcntl

LABELS_FILE = ".hydra/labels.json"

_TAG = re.compile(r"[^\W_][\w.:/@+-]{0,99}")  # begins with a letter or digit: a minus removes a tag
_LONGEST_NOTE = 10_000


@dataclass(frozen=True)
class Labels:
    """What a person said about a run.

    Attributes:
        tags: single words, sorted.
        notes: lines of text, the oldest first.
    """

    tags: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_labels(run_dir: Path) -> Labels:
    """Reads a run's tags and notes; none without a file.

    Raises:
        StoredFileError: if the file is damaged.
    """
    path = run_dir / LABELS_FILE
    try:
        values: Any = read_json(path)
    except FileNotFoundError:
        return Labels()
    except OSError as error:
        raise StoredFileError(f"{shown_path(path)}: cannot be read: {error.strerror}") from error
    lists: list[Any] = [values.get(name, []) for name in ("tags", "notes")] if isinstance(values, dict) else [None]
    if not all(isinstance(found, list) and all(isinstance(text, str) for text in found) for found in lists):
        raise StoredFileError(f"{shown_path(path)}: is damaged: it must hold lists of tags and of notes")
    return Labels(tuple(lists[0]), tuple(lists[1]))


def change_labels(run_dir: Path, *, tags: Sequence[str] = (), note: str | None = None) -> Labels:
    """Adds and removes tags of a run, and adds a note; returns all of them.

    Args:
        run_dir: the run's folder; the run may be running.
        tags: words to add; with a minus before it, one to remove.
        note: a line to add; an empty one removes all notes.

    Raises:
        ConfigError: for a tag that is no word, or if the file is damaged or cannot be written.
    """
    check_tags(tags)
    if note is not None and len(note) > _LONGEST_NOTE:
        raise ConfigError(f"note: has {len(note):,} characters; at most {_LONGEST_NOTE:,}")
    path = run_dir / LABELS_FILE
    with reaching("", path, "cannot be written"), _one_at_a_time(path.parent):
        labels = read_labels(run_dir)
        removed = {tag[1:] for tag in tags if tag.startswith("-")}
        added = {tag for tag in tags if not tag.startswith("-")}
        labels = replace(labels, tags=tuple(sorted((set(labels.tags) | added) - removed)))
        if note is not None:
            labels = replace(labels, notes=(*labels.notes, note) if note.strip() else ())
        write_text(path, json.dumps(asdict(labels), ensure_ascii=False, indent=2) + "\n")
    return labels


def check_tags(tags: Sequence[str]) -> None:
    """Refuses a tag that is no word.

    Raises:
        ConfigError: for the first one.
    """
    for tag in tags:
        if not _TAG.fullmatch(tag.removeprefix("-")):
            allowed = "a word of letters, digits and _ . : / @ + -, that begins with a letter or digit"
            raise ConfigError(f"tag={tag}: must be {allowed}; a minus before it removes it")


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Waits until no other process changes the labels in a folder, so that of two tags none is lost."""
    folder.mkdir(exist_ok=True)
    if sys.platform == "win32":
        yield
        return
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(number, fcntl.LOCK_EX)
        yield
    finally:
        os.close(number)
