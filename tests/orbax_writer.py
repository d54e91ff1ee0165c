"""Checkpoints as versions up to 0.2 wrote them, for tests of reading them."""

from pathlib import Path
from typing import Any

import jax
import numpy as np

from nnjax.training.training_progress import TrainingProgress


def save_as_orbax(path: Path, state: Any, progress: TrainingProgress) -> None:
    """Writes a folder named by its step."""
    flat = {jax.tree_util.keystr(place): np.asarray(leaf) for place, leaf in jax.tree_util.tree_leaves_with_path(state)}
    save_arrays_as_orbax(path, flat, progress)


def save_arrays_as_orbax(path: Path, arrays: Any, progress: TrainingProgress) -> None:
    """The same of arrays by their paths."""
    import orbax.checkpoint as ocp

    values = progress.to_json()
    del values["best_step"]  # came after 0.2
    with ocp.CheckpointManager(path.parent.absolute()) as manager:
        manager.save(
            progress.step, args=ocp.args.Composite(state=ocp.args.PyTreeSave(dict(arrays)), progress=ocp.args.JsonSave(values))
        )
        manager.wait_until_finished()
    assert path.name == str(progress.step)
