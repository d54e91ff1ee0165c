"""Finds runs by the words of a command line: folders of runs or sweeps, patterns, `outputs` itself.

    find_records(["outputs/train/2026-11-23/14-05-09_cnn_digits", "outputs/sweeps/2026-11-23/15-00-00"])
    find_folders("outputs/train/*/*_cnn_*", "runs")          # the runs' folders alone

A word may start at the current folder or at the project's root. Folders named `trash` and hidden ones are left out.
"""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from nnjax.cli.compose import project_root
from nnjax.cli.folder_contents import FOLDERS
from nnjax.cli.runs import CONFIG_FILE
from nnjax.config.errors import ConfigError
from nnjax.config.paths import absence, expanded, is_dir, shown_path
from nnjax.config.stored_files import read_text
from nnjax.records.record import RunRecord, read_record
from nnjax.records.settings import holds_runs, is_training

TRASH = "trash"
METRICS_FILE = "metrics.jsonl"

_NOT_SEARCHED = {*FOLDERS, TRASH}
Kind = Literal["run", "other", "folder"]
_NUMBERS = re.compile("([0-9]+)")
_PATTERN = re.compile(r"[*?[]")
_DEEPEST = 12  # folders below the one that a word names
_MOST_NAMES = 2000  # compared with a misspelt one


def find_records(words: Sequence[str], key: str = "runs") -> tuple[RunRecord, ...]:
    """Reads the runs that the words name, each once, in the words' order and within a word in that of the paths.

    Args:
        words: see `find_folders`.
        key: of the command's config, for the error.

    Raises:
        ConfigError: for a word that names no run, with the nearest run.
    """
    folders = dict.fromkeys(folder for word in words for folder in find_folders(word, key))
    return tuple(map(read_record, folders))


def find_folders(word: str, key: str = "runs") -> tuple[Path, ...]:
    """The folders of the trainings that a word names, absolute, in the order of `by_number`.

    Args:
        word: a run's folder, a folder with runs at any depth below it (of a sweep, a day, `outputs`), or a pattern of such
            (`*`, `?`, `[…]`).
        key: of the command's config, for the error.

    Raises:
        ConfigError: if it names no run, with the nearest run.
    """
    named = named_folders(word, key)
    found = {run for folder in named for run in run_folders(folder)}
    if not found:
        absent = "no folder matches" if _PATTERN.search(word) else absence(_bases(word, key)[0])
        reason = "holds no run" if named else absent
        near = _nearest(word)
        raise ConfigError(f"{key}={word}: {reason}{f'; did you mean {near}?' if near else ''}")
    return tuple(sorted(found, key=by_number))


def named_folders(word: str, key: str = "runs") -> tuple[Path, ...]:
    """The folders that a word names, absolute, whatever is in them; empty if there are none."""
    for base in _bases(word, key):
        if is_dir(base):
            return (base.resolve(),)
        if _PATTERN.search(word) and (matches := [path.resolve() for path in _matching(base) if is_dir(path)]):
            return tuple(sorted(matches, key=by_number))
    return ()


def run_folders(folder: Path, kind: Callable[[Path], Kind] | None = None) -> Iterator[Path]:
    """Yields the folders of trainings at or below a folder, in the order of `by_number`; those of other verbs are left out.

    A run's own folder is not searched for further runs.

    Args:
        folder: where to begin.
        kind: `folder_kind`, or a faster one.
    """
    yield from _below(folder, kind or folder_kind, 0)


def folder_kind(folder: Path) -> Kind:
    """Whether a folder is a training's, another verb's, or one that may hold runs."""
    if folder.name == ".hydra":  # it holds a copy of the run's config
        return "other"
    try:
        text = read_text(folder / CONFIG_FILE)
    except FileNotFoundError:
        return "run" if _has(folder, METRICS_FILE) else "folder"  # a run that lost its config
    except (OSError, ConfigError):
        text = ""
    if is_training(text):
        return "run"
    if holds_runs(text):
        return "folder"
    return "run" if _has(folder, METRICS_FILE) else "other"


def _below(folder: Path, kind: Callable[[Path], Kind], depth: int) -> Iterator[Path]:
    found = kind(folder)
    if found == "run":
        yield folder
    if found != "folder" or depth == _DEEPEST:
        return
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if _is_searched(entry.name) and entry.is_dir(follow_symlinks=False)]
    except OSError:
        return
    for name in sorted(names, key=lambda name: by_number(Path(name))):
        yield from _below(folder / name, kind, depth + 1)


def by_number(path: Path) -> tuple[list[list[str | int]], Path]:
    """A key to sort paths by: as texts, but with the numbers in them by their value, so that a sweep's job 2 precedes 10."""
    split = (_NUMBERS.split(part) for part in path.parts)  # each second one is a number
    return [[int(word) if place % 2 else word for place, word in enumerate(words)] for words in split], path


def _matching(pattern: Path) -> list[Path]:
    """The paths that match an absolute pattern; none for one that is no pattern, such as `a**b`."""
    try:
        found = list(Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor))))
    except (OSError, ValueError, NotImplementedError):
        return []
    return [path for path in found if all(part in pattern.parts or _is_searched(part) for part in path.parts)]


def _is_searched(name: str) -> bool:
    return not name.startswith(".") and name not in _NOT_SEARCHED


def _has(folder: Path, name: str) -> bool:
    try:
        (folder / name).lstat()
    except OSError:
        return False
    return True


def _bases(word: str, key: str) -> list[Path]:
    """The paths that a word may mean: from here, and from the project's root."""
    path = expanded(word, key)
    return [base / path for base in dict.fromkeys((Path.cwd(), project_root()))]


def _nearest(word: str) -> str | None:
    """The folder with runs, or the run, whose path is most similar; some of the newest ones are compared."""
    outputs = project_root() / "outputs"
    runs = list(run_folders(outputs))[-_MOST_NAMES:]
    above = {parent for run in runs for parent in run.parents if parent.is_relative_to(outputs)}
    names = {shown_path(path): None for path in (*runs, *sorted(above))}
    near = get_close_matches(word.rstrip("/"), names, n=1, cutoff=0.5)
    return near[0] if near else _nearest_path(Path.cwd() / expanded(word, "runs"))


def _nearest_path(path: Path) -> str | None:
    """The folder that is there and spelt most like the first part of a path that is not."""
    above = next((folder for folder in path.parents if is_dir(folder)), None)
    if above is None:
        return None
    with suppress(OSError):
        names = [entry.name for entry in os.scandir(above) if entry.is_dir()]
        if near := get_close_matches(path.relative_to(above).parts[0], names, n=1):
            return shown_path(above / near[0])
    return None
