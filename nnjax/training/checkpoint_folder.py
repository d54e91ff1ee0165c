"""The checkpoints in a run's folder: which there are, which are the last and the best, which stay, and whether they are intact.

    listing = list_checkpoints(run_dir / "checkpoints")
    listing.entries[-1].path                       # of the newest
    best(listing.entries).path                     # of the lowest validation loss
    verify_checkpoints(run_dir)                    # reads and checks every one

The order is by step. All of it needs NumPy, but no JAX.
"""

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnjax.config.checkpoint_names import FILE, FOLDER
from nnjax.config.errors import DataError
from nnjax.config.run_identity import read_run_id
from nnjax.training.checkpoint_file import DamagedError, Notes, Saved, is_renamed, read_checkpoint, read_notes
from nnjax.training.orbax_checkpoints import is_orbax, read_orbax, read_orbax_notes
from nnjax.training.training_progress import TrainingProgress


@dataclass(frozen=True)
class Entry:
    """A checkpoint whose header can be read; its arrays may be damaged.

    Attributes:
        path: its file, or its folder for a version up to 0.2.
        notes: everything but the arrays.
    """

    path: Path
    notes: Notes

    @property
    def step(self) -> int:
        """Steps done."""
        return self.notes.progress.step


@dataclass(frozen=True)
class Listing:
    """What a folder holds.

    Attributes:
        entries: the checkpoints, oldest first.
        faults: those whose header cannot be read, or that have another file's name.
    """

    entries: tuple[Entry, ...] = ()
    faults: tuple[DamagedError, ...] = ()


@dataclass(frozen=True)
class CheckedFile:
    """What a check found.

    Attributes:
        step: by its name; -1 where that is damaged.
        path: the file or folder.
        ok: whether every bit is as it was written.
        reason: why not; empty if it is.
    """

    step: int
    path: Path
    ok: bool
    reason: str


def list_checkpoints(folder: Path, known: dict[Path, Notes] | None = None) -> Listing:
    """Reads the headers of all checkpoints in a folder, which need not exist.

    Args:
        folder: of a run.
        known: headers that were read before, which are not read again; the new ones are added.
    """
    entries, faults = [], []
    known = {} if known is None else known
    for path in folder.glob("*"):
        try:
            if path not in known:
                if FILE.fullmatch(path.name) or is_renamed(path):
                    known[path] = read_notes(path)
                elif is_orbax(path):
                    known[path] = read_orbax_notes(path)
                else:
                    continue
            entries.append(Entry(path, known[path]))
        except DamagedError as error:
            if path.exists():  # else another process deleted it meanwhile
                faults.append(error)
        except DataError as error:
            faults.append(DamagedError(path, str(error).partition(": ")[2]))
    return Listing(in_order(entries), tuple(sorted(faults, key=lambda fault: (step_of(fault.path), fault.path))))


def in_order(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Sorts checkpoints by step; of one step, by the order in which they were saved."""
    return tuple(sorted(entries, key=lambda entry: (entry.step, entry.notes.number)))


def best(entries: Sequence[Entry]) -> Entry | None:
    """The checkpoint with the lowest validation loss, the earliest of several; None if none was measured."""
    measured = [(loss, entry.step, entry) for entry in entries if (loss := entry.notes.progress.validation_loss) is not None]
    return min(measured, key=lambda item: item[:2])[2] if measured else None


def lost_best(entries: Sequence[Entry], progress: TrainingProgress) -> bool:
    """Whether the checkpoint of the lowest validation loss so far is not among these.

    Args:
        entries: up to the step of `progress`.
        progress: of the newest.
    """
    found = best(entries)
    if progress.best_step is not None:
        return found is None or found.step != progress.best_step
    # Versions up to 0.2 stored the loss alone.
    is_old = bool(entries) and is_orbax(entries[-1].path)
    return is_old and found is not None and found.notes.progress.validation_loss != progress.best_loss


def kept(entries: Sequence[Entry], keep: int) -> list[Entry]:
    """The checkpoints that stay: the newest `keep` steps, and the best; of a step, the one that was saved last."""
    last = {entry.step: entry for entry in entries}
    steps = sorted(last)[-keep:]
    found = best(list(last.values()))
    return [entry for step, entry in last.items() if step in steps or entry is found]


def read_entry(path: Path) -> Saved:
    """Reads a checkpoint of this version, with its checksum, or of an earlier one.

    Raises:
        DamagedError: if it is not as it was written.
    """
    return read_orbax(path) if is_orbax(path) else read_checkpoint(path)


def delete(path: Path) -> None:
    """Deletes a checkpoint; of a folder, no part stays under its name, even if the process is killed meanwhile."""
    if is_orbax(path):
        gone = path.with_name(f".deleted-{path.name}-{time.time_ns()}")
        path.rename(gone)
        shutil.rmtree(gone)
    else:
        path.unlink(missing_ok=True)


def set_aside(path: Path) -> None:
    """Renames a damaged checkpoint to ``damaged-NAME``, which is kept and never read."""
    aside = path.with_name(f"damaged-{path.name}")
    path.rename(aside if not aside.exists() else aside.with_name(f"{aside.name}-{time.time_ns()}"))


def step_of(path: Path) -> int:
    """The step in a checkpoint's name; -1 without one."""
    return int(path.name.partition("-")[0]) if FILE.fullmatch(path.name) or FOLDER.fullmatch(path.name) else -1


def check_run(path: Path, notes: Notes, run_id: str | None) -> None:
    """Refuses the checkpoint of another run; one of a version up to 0.2 names none.

    Raises:
        DamagedError: if its run is not `run_id`; None allows any.
    """
    if run_id is not None and notes.run_id != run_id and not is_orbax(path):
        raise DamagedError(path, f"it is of run {notes.run_id}, and this one is {run_id}", is_foreign=True)


def verify_checkpoints(run_dir: Path) -> list[CheckedFile]:
    """Reads every checkpoint of a run and verifies all of it, oldest first; the best one is listed if it is missing."""
    folder, run_id = run_dir / "checkpoints", read_run_id(run_dir)
    listing = list_checkpoints(folder)
    checked = [CheckedFile(step_of(fault.path), fault.path, False, fault.reason) for fault in listing.faults]
    for entry in listing.entries:
        reason = ""
        try:
            if is_orbax(entry.path):
                reason = "it is of version 0.2 or before, and carries no checksum"
            check_run(entry.path, read_entry(entry.path).notes, run_id)
        except DamagedError as error:
            reason = error.reason
        except DataError as error:
            reason = str(error)
        checked.append(CheckedFile(entry.step, entry.path, not reason, reason))
    newest = listing.entries[-1].notes.progress if listing.entries else TrainingProgress()
    if lost_best(listing.entries, newest) and newest.best_step not in [file.step for file in checked]:
        step = newest.best_step if newest.best_step is not None else -1
        checked.append(CheckedFile(step, folder, False, f"the best one so far (validation loss {newest.best_loss}) is missing"))
    return sorted(checked, key=lambda file: (file.step, file.path))


def read_last(run_dir: Path) -> tuple[Mapping[str, Any], TrainingProgress]:
    """The newest checkpoint of a run, verified: its arrays by name, and the progress.

    Raises:
        DataError: if there is none, or it is damaged.
    """
    listing = list_checkpoints(run_dir / "checkpoints")
    if not listing.entries:
        raise DataError(f"{run_dir / 'checkpoints'}: no complete checkpoint here")
    newest = listing.entries[-1]
    if newer := [fault for fault in listing.faults if not 0 <= step_of(fault.path) < newest.step]:
        raise newer[-1]
    saved = read_entry(newest.path)
    check_run(saved.path, saved.notes, read_run_id(run_dir))
    return saved.arrays, saved.notes.progress
