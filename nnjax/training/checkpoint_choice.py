"""Chooses among a run's checkpoints: the last, the best or a step's to read, and the newest intact one to resume from.

    find(list_checkpoints(folder), "best", folder, run_id).path
    choice = newest_intact(list_checkpoints(folder), folder, run_id)
    choice.saved.arrays, choice.warnings

Nothing is changed here. What damage leaves open is refused for reading; for a resume it is said, and the one before is taken.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from nnjax.config.errors import DataError
from nnjax.training.checkpoint_file import DamagedError, Saved
from nnjax.training.checkpoint_folder import Entry, Listing, best, check_run, lost_best, read_entry, step_of
from nnjax.training.training_progress import TrainingProgress

Which = Literal["last", "best"] | int


@dataclass(frozen=True)
class Choice:
    """The checkpoint to resume from.

    Attributes:
        saved: its content, verified.
        progress: as it was saved, but with `best_step` as far as the best checkpoint is there.
        damaged: those to set aside.
        warnings: lines about them.
        lost: step and loss of the best checkpoint that is lost, and the step of the best one left; None if nothing is.
    """

    saved: Saved
    progress: TrainingProgress
    damaged: tuple[DamagedError, ...]
    warnings: tuple[str, ...]
    lost: Mapping[str, Any] | None


def find(listing: Listing, which: Which, folder: Path, run_id: str | None) -> Entry:
    """Finds the checkpoint to read: the newest, the one with the lowest validation loss, or that of a step.

    Raises:
        DataError: if there is none, or damage leaves it open which one it is.
    """
    entries, faults = _of_this_run(listing, folder, run_id)
    steps = [entry.step for entry in entries]
    if not isinstance(which, str):
        if which in steps:
            return [entry for entry in entries if entry.step == which][-1]
        if damaged := [fault for fault in faults if step_of(fault.path) == which]:
            raise damaged[0]
    if not entries:
        raise _none_usable(folder, faults, run_id) if faults else DataError(f"{folder}: no complete checkpoint here")
    if which not in ("last", "best"):
        raise DataError(f"{folder}: no checkpoint of step {which}; there are {steps}")
    progress = entries[-1].notes.progress
    # A name that is damaged may be that of any step.
    unclear = [fault for fault in faults if not 0 <= step_of(fault.path) < steps[-1]]
    if which == "best" and progress.best_step is None:
        unclear = faults
    if unclear:
        raise DataError(f"{unclear[-1]}\n  it may be the {which} one; those of the steps {_texts(steps)} can be had")
    if which == "last":
        return entries[-1]
    if lost_best(entries, progress):
        place = "" if progress.best_step is None else f" of step {progress.best_step}"
        raise DataError(
            f"{folder}: the best checkpoint{place}, with validation loss {progress.best_loss:.4g}, is missing\n"
            f"  those of the steps {_texts(steps)} can be had"
        )
    found = best(entries)
    if found is None:
        raise DataError(f"{folder}: no best checkpoint, since the run had no validation split; take last")
    return found


def newest_intact(listing: Listing, folder: Path, run_id: str | None) -> Choice | None:
    """Reads the newest checkpoint that is intact, and the best one; None if there is none at all.

    Raises:
        DataError: if there are checkpoints, and none can be used.
    """
    entries, faults = _of_this_run(listing, folder, run_id)
    saved: Saved | None = None
    while entries and saved is None:
        try:
            saved = read_entry(entries[-1].path)
        except DamagedError as error:
            faults.append(error)
            entries.pop()
    if saved is None:
        if faults:
            raise _none_usable(folder, faults, run_id)
        return None
    newest = entries[-1].step
    faults.sort(key=lambda fault: step_of(fault.path))
    warnings = [
        f"{fault}\n  {'resuming from the one before' if step_of(fault.path) > newest else 'it is set aside'}"
        for fault in faults
    ]
    progress, found = saved.notes.progress, best(entries)
    if progress.best_step is None and found is not None and found.notes.progress.validation_loss == progress.best_loss:
        progress = replace(progress, best_step=found.step)  # of a version up to 0.2
    while found is not None and found is not entries[-1]:
        try:
            read_entry(found.path)
            break
        except DamagedError as error:
            faults.append(error)
            warnings.append(f"{error}\n  it is set aside")
            entries.remove(found)
            found = best(entries)
    if not lost_best(entries, progress):
        return Choice(saved, progress, tuple(faults), tuple(warnings), None)
    step, loss, left = progress.best_step, progress.best_loss, None if found is None else found.step
    place = f"{'' if step is None else f'step {step}, '}validation loss {loss:.4g}"
    warnings.append(
        f"the best checkpoint so far ({place}) is lost: unless a lower loss comes, training.test=best tests the best of those "
        f"left{'' if left is None else f', step {left}'}"
    )
    lost = {"step": step, "validation_loss": loss, "best_left": left}
    return Choice(saved, replace(progress, best_step=None), tuple(faults), tuple(warnings), lost)


def _of_this_run(listing: Listing, folder: Path, run_id: str | None) -> tuple[list[Entry], list[DamagedError]]:
    """This run's checkpoints, oldest first, and whatever cannot be one of them.

    Raises:
        DataError: if the run's name is lost, and the checkpoints bear several.
    """
    named = {str(entry.notes.run_id) for entry in listing.entries if entry.path.is_file()}
    if run_id is None and len(named) > 1:
        raise DataError(
            f"{folder}: holds checkpoints of several runs ({', '.join(sorted(named))}), and .hydra/run.json, which would say "
            "which of them this is, is lost or damaged"
        )
    entries, faults = [], list(listing.faults)
    first_file = min((entry.step for entry in listing.entries if entry.path.is_file()), default=None)
    for entry in listing.entries:
        try:
            if first_file is not None and entry.path.is_dir() and entry.step > first_file:
                raise DamagedError(entry.path, "it is of version 0.2 or before, and this run was continued by a later one")
            check_run(entry.path, entry.notes, run_id)
            entries.append(entry)
        except DamagedError as error:
            faults.append(error)
    return entries, faults


def _none_usable(folder: Path, faults: list[DamagedError], run_id: str | None) -> DataError:
    if all(fault.is_foreign for fault in faults):
        return DataError(
            f"{folder}: none of these checkpoints is of this run, {run_id}: {faults[-1].reason}\n"
            "  if they are, .hydra/run.json was changed: delete it, and the resumed run takes its name from the checkpoints"
        )
    newest_first = sorted(faults, key=lambda fault: step_of(fault.path), reverse=True)
    return DataError("\n  ".join([*map(str, newest_first), "none is left; rerun=FOLDER trains a new run like this one"]))


def _texts(steps: list[int]) -> str:
    return ", ".join(map(str, steps))
