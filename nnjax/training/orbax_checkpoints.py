"""Reads the checkpoints of versions up to 0.2, which Orbax wrote: a folder for each, named by its step.

    read_orbax(run_dir / "checkpoints/60").arrays

They carry no checksums. Orbax is imported for the arrays only: the progress is a file of JSON.
"""

import json
from pathlib import Path

from nnjax.config.checkpoint_names import FOLDER
from nnjax.training.checkpoint_file import DamagedError, Notes, Saved
from nnjax.training.training_progress import TrainingProgress


def is_orbax(path: Path) -> bool:
    """Whether a path has the form of such a checkpoint."""
    return FOLDER.fullmatch(path.name) is not None and path.is_dir() and not path.is_symlink()


def read_orbax_notes(path: Path) -> Notes:
    """The progress; such a checkpoint names neither its run nor its data.

    Raises:
        DamagedError: if it cannot be read.
    """
    try:
        if not (file := path / "progress" / "metadata").is_file():
            raise FileNotFoundError(f"{file} is missing")
        progress = TrainingProgress.from_json(json.loads(file.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedError(path, f"its progress is damaged ({type(error).__name__}: {error})") from error
    if progress.step != int(path.name):
        raise DamagedError(path, f"its name says step {path.name}, and its content is of step {progress.step}")
    return Notes(progress)


def read_orbax(path: Path) -> Saved:
    """Reads a whole checkpoint.

    Raises:
        DamagedError: if it cannot be read.
    """
    notes = read_orbax_notes(path)
    import orbax.checkpoint as ocp  # takes most of a second

    try:
        with ocp.Checkpointer(ocp.PyTreeCheckpointHandler()) as checkpointer:
            arrays = checkpointer.restore(path / "state")
    except Exception as error:
        raise DamagedError(path, str(error).partition("\n")[0] or type(error).__name__) from error
    return Saved(path, notes, arrays, None)
