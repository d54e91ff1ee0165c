"""What a signal leaves of a run that has not begun: nothing half-made. It removes a new run's folder, and says so.

with removed_if_unbegun(run_dir):
    ...                                  # SIGTERM before the first step: "… and FOLDER was removed", exit code 75
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nnjax.cli.folder_contents import BEGUN_FILES, BEGUN_FOLDERS
from nnjax.cli.runs import in_use_elsewhere
from nnjax.config.leaving import code_of, on_leaving, shown_name
from nnjax.config.paths import shown_path

_FILES = BEGUN_FILES | {"multirun.yaml"}  # may be removed; anything else keeps the folder as it is


@contextmanager
def removed_if_unbegun(folder: Path, *, named: bool = False) -> Iterator[None]:
    """While the context is open, a signal that ends the process removes a new run's folder, unless it holds a result.

    Args:
        folder: for this run; what it holds already stays.
        named: whether a person named it: then it may have been there before, and is emptied only.
    """
    before = frozenset(_names(folder))

    def put_away(name: str) -> tuple[str, int]:
        if in_use_elsewhere(folder):  # by a process that came first
            return f"{shown_name(name)}: stopped before anything was made", code_of(name)
        is_new = bool(set(_names(folder)) - before) or not before
        removed = remove_unbegun(folder, before, keep=named)
        if not removed:
            return f"{shown_name(name)}: stopped; {shown_path(folder)} holds what was done so far", code_of(name)
        what = "stays as it is" if not is_new else "was emptied" if named else "was removed"
        return f"{shown_name(name)}: stopped before anything was made; {shown_path(folder)} {what}", code_of(name)

    with on_leaving(put_away):
        yield


def unchanged_at_signal(folder: Path | str) -> on_leaving:
    """While the context is open, a signal that ends the process says that a resumed run is as it was before."""

    def answer(name: str) -> tuple[str, int]:
        return f"{shown_name(name)}: stopped before a further step; {shown_path(Path(folder))} is as it was", code_of(name)

    return on_leaving(answer)


def finished_at_signal(finish: Callable[[], object]) -> on_leaving:
    """While the context is open, a signal that ends a sweep between two trainings shows first what there is.

    Args:
        finish: shows it.
    """

    def answer(name: str) -> tuple[str, int]:
        finish()
        return f"{shown_name(name)}: the sweep ends", code_of(name)

    return on_leaving(answer, decides=True)  # a job that is done says nothing about the others


def remove_unbegun(folder: Path, before: frozenset[str] = frozenset(), *, keep: bool = False) -> bool:
    """Removes a run's first files, and its folder if it is empty then; returns whether that was done.

    Args:
        folder: of a run.
        before: names of the entries that are not the run's own.
        keep: whether the empty folder stays.
    """
    own = [name for name in _names(folder) if name not in before]
    if not all(_is_early(folder / name) for name in own):
        return False
    for name in own:
        path = folder / name
        if name in BEGUN_FOLDERS:
            shutil.rmtree(path, ignore_errors=True)  # follows no link
        elif name == "checkpoints":
            with suppress(OSError):
                path.rmdir()
        else:
            path.unlink(missing_ok=True)
    if not keep:
        with suppress(OSError):
            folder.rmdir()
    return True


def _is_early(path: Path) -> bool:
    """Whether an entry of a run's folder may be there before the first step, and holds nothing of value."""
    if path.name == "checkpoints":
        return path.is_dir() and not _names(path)
    if path.name == "metrics.jsonl" and not _has_no_step(path):
        return False
    if path.name == "journal.log" or (path.name == "search.log" and not _has_no_trial(path)):  # of a search
        return False
    early = path.name in _FILES or path.name in BEGUN_FOLDERS or path.name.endswith(".log")
    return early or path.name.startswith(".config.yaml.")


def _has_no_step(path: Path) -> bool:
    """Whether metrics hold nothing but the weights before the first step."""
    try:
        return all(line.startswith('{"step": 0,') for line in path.read_text(encoding="utf-8", errors="replace").splitlines())
    except OSError:
        return False


def _has_no_trial(path: Path) -> bool:
    """Whether a search's process ended no trial."""
    try:
        return not any(line.startswith("trial ") for line in path.read_text(encoding="utf-8", errors="replace").splitlines())
    except OSError:
        return False


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208  (names are wanted, not paths)
    except OSError:
        return []
