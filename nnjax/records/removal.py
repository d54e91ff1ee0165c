"""Moves runs, or their checkpoints, to the trash; never a run that is running. Nothing is deleted before the trash is.

    planned = plan_removal(folders, "checkpoints")       # what would be moved, how large it is, and what is refused
    moved = [move_to_trash(each, stamp="2026-11-23_14-05-09") for each in planned if not each.refusal]
    empty_trash(project_root() / "outputs" / "trash")

The trash of `outputs` is `outputs/trash/DATE_TIME/`, where a run keeps its path; other runs have it beside them. Only a folder
with this module's mark is ever deleted.
"""

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nnjax.cli.compose import project_root
from nnjax.cli.folder_lock import in_use_elsewhere, locked
from nnjax.config.errors import ConfigError, StorageError
from nnjax.config.paths import reaching, shown_path
from nnjax.records.find import METRICS_FILE, TRASH

MARK = ".nnjax-trash"

_QUIET_SECONDS = 600
_LATE_SECONDS = 60  # the log's last lines may be written after the summary


@dataclass(frozen=True)
class Removal:
    """A folder that a person wants to be rid of.

    Attributes:
        run: the run's folder, absolute.
        path: what is moved: the run's folder, or its checkpoints.
        size: bytes.
        refusal: why it stays; empty if nothing is against it.
    """

    run: Path
    path: Path
    size: int
    refusal: str = ""


def plan_removal(runs: Sequence[Path], what: Literal["checkpoints", "runs"]) -> list[Removal]:
    """What removing would move, in the order of the runs; runs without checkpoints are left out if only these are asked for."""
    paths = [(run, run / "checkpoints" if what == "checkpoints" else run) for run in runs]
    return [Removal(run, path, size_of(path), refusal(run)) for run, path in paths if path.is_dir() and not path.is_symlink()]


def refusal(run: Path) -> str:
    """Why a run must not be touched now; empty if nothing is against it."""
    if in_use_elsewhere(run):
        return "is running"
    last = max(filter(None, (_changed(run / name) for name in (METRICS_FILE, "train.log", "checkpoints"))), default=0.0)
    ended = _changed(run / "summary.json")
    seconds = time.time() - last
    if seconds < _QUIET_SECONDS and (ended is None or ended < last - _LATE_SECONDS):
        return f"was written to {max(seconds, 0):.0f} s ago, without a result; it may be running on another machine"
    return ""


def move_to_trash(removal: Removal, stamp: str) -> Path:
    """Moves what was planned, while the run is locked; returns where it is now.

    Args:
        removal: without a refusal.
        stamp: names the folder in the trash.

    Raises:
        ConfigError: if the run is in use by now, or cannot be moved, or if somebody else's folder is in the trash's place.
    """
    base = _base(removal.run)
    to = _free(base / TRASH / stamp / removal.path.relative_to(base))
    with locked(removal.run):
        if reason := refusal(removal.run):
            raise ConfigError(f"{shown_path(removal.run)}: {reason}")
        with reaching("", removal.path, "cannot be moved to the trash"):
            _make_trash(base / TRASH)
            to.parent.mkdir(parents=True, exist_ok=True)
            removal.path.rename(to)
    _remove_empty(removal.path.parent, base)
    return to


def _make_trash(trash: Path) -> None:
    """Makes a trash folder and marks it as one that may be deleted with all that is in it.

    Raises:
        ConfigError: if the folder is there without the mark: what a person keeps in it would be deleted with the trash.
    """
    if not trash.is_symlink():
        trash.mkdir(exist_ok=True)
        if (trash / MARK).is_file():
            return
        if not any(trash.iterdir()):
            (trash / MARK).touch()
            return
    raise ConfigError(f"{shown_path(trash)}: was not made by experiments.runs, which would use it as its trash; rename it")


def trashes(folders: Sequence[Path]) -> list[Path]:
    """The trash folders of runs or of folders above them, which this module made."""
    bases = dict.fromkeys(base for folder in folders for base in (folder, _base(folder)))
    return [base / TRASH for base in bases if (base / TRASH / MARK).is_file() and not (base / TRASH).is_symlink()]


def empty_trash(trash: Path) -> None:
    """Deletes a trash folder.

    Raises:
        StorageError: if it has no mark of this module, or something in it cannot be deleted.
    """
    if trash.is_symlink() or not (trash / MARK).is_file():
        raise StorageError(f"{shown_path(trash)}: was not made by experiments.runs, and stays")
    with reaching("", trash, "cannot be deleted", StorageError):
        for entry in sorted(trash.iterdir()):  # the mark last, so that a second attempt is possible
            if entry.name != MARK and entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry.name != MARK:
                entry.unlink()
        (trash / MARK).unlink()
        trash.rmdir()


def size_of(folder: Path) -> int:
    """Bytes of the files below a folder; links are not followed."""
    return sum(_sizes(str(folder)))


def _sizes(folder: str) -> Iterator[int]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    yield from _sizes(entry.path)
                else:
                    yield entry.stat(follow_symlinks=False).st_size
    except OSError:
        return


def _base(folder: Path) -> Path:
    """The folder whose trash is used: `outputs`, or the one around a run or its sweep."""
    outputs = (project_root() / "outputs").resolve()
    if folder.is_relative_to(outputs) and folder != outputs:
        return outputs
    above = folder.parent
    # A sweep's own folder is searched for its jobs' results.
    return above.parent if (above / "multirun.yaml").exists() else above


def _free(path: Path) -> Path:
    """The path, or one beside it that is free."""
    number, free = 2, path
    while os.path.lexists(free):
        free = path.with_name(f"{path.name}_{number}")
        number += 1
    return free


def _remove_empty(folder: Path, base: Path) -> None:
    """Removes the folders of a day that became empty."""
    while folder != base and folder.is_relative_to(base):
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent


def _changed(path: Path) -> float | None:
    try:
        return path.lstat().st_mtime
    except OSError:
        return None
