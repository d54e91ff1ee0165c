"""Checkpoints: the training state and its progress, saved whole or not at all, and verified whenever they are read.

    checkpoints = Checkpoints(run_dir / "checkpoints", keep=2)
    checkpoints.save(host_state, progress)
    state, progress = checkpoints.restore(template, "last")

The state is stored as a flat mapping from paths such as ``.params['conv_1']['kernel']`` to arrays, readable without this
package (see `nnjax.training.checkpoint_file`). A thread writes, so that training does not wait for the disk. Saving takes one
process, without any exchange with others; reading changes nothing.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from nnjax.config.errors import StorageError
from nnjax.config.storage import free_bytes, size_text
from nnjax.training.background import Background
from nnjax.training.checkpoint_choice import Which, find, newest_intact
from nnjax.training.checkpoint_file import Notes, Saved, remove_parts, write_checkpoint
from nnjax.training.checkpoint_folder import (
    CheckedFile,
    Entry,
    check_run,
    delete,
    in_order,
    kept,
    list_checkpoints,
    read_entry,
    read_last,
    set_aside,
    verify_checkpoints,
)
from nnjax.training.training_progress import TrainingProgress

if TYPE_CHECKING:
    from nnjax.training.state import TrainState

__all__ = ["CheckedFile", "CheckpointStore", "Checkpoints", "Restored", "Which", "read_last", "verify_checkpoints"]


class CheckpointStore(Protocol):
    """What a training saves to."""

    def save(self, state: "TrainState", progress: TrainingProgress) -> None:
        """Starts to save a state of NumPy arrays, at the step of `progress`."""

    def restore(self, template: "TrainState", which: Which) -> "tuple[TrainState, TrainingProgress]":
        """Returns a saved state, as NumPy arrays, and the progress that was saved with it."""

    @property
    def steps(self) -> list[int]:
        """Steps of the saved states, oldest first."""

    def wait(self) -> None:
        """Waits until everything is saved."""


class Restored(NamedTuple):
    """A checkpoint, read and verified.

    Attributes:
        state: as NumPy arrays.
        progress: as it was saved, except for `best_step` where the best checkpoint is lost.
        saved: the file's other content.
        lost: the best checkpoint, if a resume found it lost: its step and validation loss, and the step of the best one left.
    """

    state: "TrainState"
    progress: TrainingProgress
    saved: Saved
    lost: Mapping[str, Any] | None = None


class Checkpoints:
    """The checkpoints of one run, in all of its sessions: the newest `keep`, and the one with the lowest validation loss.

    Args:
        folder: where they are; created by the first `save`, in a folder that exists.
        keep: how many of the newest stay; 0 opens them for reading only.
        run_id: of the run; checkpoints of another one are refused. None takes any, if all are of one run.
        data_hash: returns the hash of the dataset that the run trains on; called before the first checkpoint is written.
        records: from a step to the lines of metrics.jsonl up to it, which are saved, too.
    """

    def __init__(
        self,
        folder: Path,
        keep: int = 0,
        *,
        run_id: str | None = None,
        data_hash: Callable[[], str | None] = lambda: None,
        records: Callable[[int], bytes] = lambda step: b"",
    ) -> None:
        self._folder = folder.absolute()
        self._keep = keep
        self._run_id, self._data_hash, self._records = run_id, data_hash, records
        self._known: dict[Path, Notes] = {}
        self._writing: Background[None] | None = None
        self._is_made = False

    def save(self, state: "TrainState", progress: TrainingProgress) -> None:
        """Starts to save a state; it is complete after `wait`, or when the next one starts.

        Args:
            state: NumPy arrays, as on one device; nobody changes them any more.
            progress: at the step of `state`; the best checkpoint has the lowest `validation_loss`.

        Raises:
            StorageError: if this one cannot be written, or the one before could not.
        """
        assert self._keep, "opened for reading only"
        self.wait()
        if not self._is_made:
            self._make_folder()
        from nnjax.training.state import arrays_by_path

        arrays, records = arrays_by_path(state), self._records(progress.step)
        self._writing = Background(lambda: self._write(arrays, progress, records))

    def restore(self, template: "TrainState", which: Which) -> "tuple[TrainState, TrainingProgress]":
        """Reads a checkpoint; see `read`."""
        restored = self.read(template, which)
        return restored.state, restored.progress

    def read(self, template: "TrainState", which: Which) -> Restored:
        """Reads a checkpoint.

        Args:
            template: a state of the same shapes.
            which: the newest, the one with the lowest validation loss, or that of a step.

        Raises:
            DataError: if there is no such checkpoint, it is damaged or of another run, it does not fit the template, or
                damage leaves it open which one is the newest or the best.
        """
        entry = find(list_checkpoints(self._folder, self._known), which, self._folder, self._run_id)
        saved = read_entry(entry.path)
        check_run(saved.path, saved.notes, self._run_id)
        return Restored(_restored(template, saved), saved.notes.progress, saved)

    def restore_newest(
        self,
        template: "TrainState",
        warn: Callable[[str], None],
        *,
        accept: Callable[[Saved], None] = lambda saved: None,
        tidy: bool = True,
    ) -> Restored | None:
        """Reads the newest intact checkpoint, to resume from, and makes sure of the best; None if there is none at all.

        Args:
            template: a state of the same shapes.
            warn: called with a line about each damaged checkpoint that is passed over.
            accept: raises an error to refuse the resume; nothing is changed then.
            tidy: whether damaged checkpoints are renamed, which one process of several does.

        Raises:
            DataError: if there are checkpoints, and none can be used.
        """
        choice = newest_intact(list_checkpoints(self._folder, self._known), self._folder, self._run_id)
        if choice is None:
            return None
        state = _restored(template, choice.saved)
        accept(choice.saved)
        for warning in choice.warnings:
            warn(warning)
        for fault in choice.damaged if tidy else ():
            self._known.pop(fault.path, None)
            set_aside(fault.path)
        return Restored(state, choice.progress, choice.saved, choice.lost)

    @property
    def steps(self) -> list[int]:
        """Steps of the complete checkpoints, oldest first."""
        return sorted({entry.step for entry in list_checkpoints(self._folder, self._known).entries})

    def wait(self) -> None:
        """Waits until everything that was saved is on disk.

        Raises:
            StorageError: if it could not be written.
        """
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def _make_folder(self) -> None:
        if self._folder.is_symlink():
            raise StorageError(f"{self._folder}: is a link; checkpoints are written into the run's own folder only")
        try:
            self._folder.mkdir(exist_ok=True)  # but none above it, which may have been deleted for a reason
            remove_parts(self._folder)
        except OSError as error:
            raise self._refused(error, 0, None) from error
        self._is_made = True

    def _write(self, arrays: Mapping[str, Any], progress: TrainingProgress, records: bytes) -> None:
        """Writes one checkpoint and then deletes those that need not stay; in the thread."""
        try:
            listing = list_checkpoints(self._folder, self._known).entries
            entries = [entry for entry in listing if self._is_own(entry)]  # another run's files are left alone
            if any(_is_same(entry.notes.progress, progress) for entry in entries):
                return
            number = 1 + max((entry.notes.number for entry in entries), default=0)
            notes = Notes(progress, self._run_id, self._data_hash(), number)
            path = write_checkpoint(self._folder, arrays, notes, records)
            self._known[path] = notes
            entries = [*in_order([*entries, Entry(path, notes)])]
            stay = {entry.path for entry in kept(entries, self._keep)}
            for entry in entries:
                if entry.path not in stay:
                    delete(entry.path)
                    del self._known[entry.path]
        except OSError as error:
            raise self._refused(error, sum(array.nbytes for array in arrays.values()), progress.step) from error

    def _is_own(self, entry: Entry) -> bool:
        """Whether a checkpoint is of this run; one of a version up to 0.2 names none."""
        return None in (self._run_id, entry.notes.run_id) or entry.notes.run_id == self._run_id

    def _refused(self, error: OSError, size: int, step: int | None) -> StorageError:
        """The system's refusal to write, in a line, with the space that is needed and free."""
        bytes_left = free_bytes(self._folder)
        free = "" if bytes_left is None else f", and {size_text(bytes_left)} are free"
        what = (
            f"the checkpoint of step {step} takes {size_text(size)}{free}" if step is not None else "no checkpoint can be saved"
        )
        whole = self.steps
        last = f"the last one, of step {whole[-1]}, is intact" if whole else "there is none yet"
        return StorageError(f"{self._folder}: cannot be written: {error.strerror or error}; {what}; {last}")


def _is_same(one: TrainingProgress, other: TrainingProgress) -> bool:
    """Whether two checkpoints are of the same moment of training."""
    texts = [json.dumps(replace(progress, seconds={}).to_json(), sort_keys=True) for progress in (one, other)]
    return texts[0] == texts[1]


def _restored(template: "TrainState", saved: Saved) -> "TrainState":
    from nnjax.training.state import with_arrays

    return with_arrays(template, saved.arrays, saved.path, "the checkpoint")
