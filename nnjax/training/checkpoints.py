"""Checkpoints: the training state and its progress, saved whole or not at all.

    checkpoints = Checkpoints(run_dir / "checkpoints", keep=2)
    checkpoints.save(host_state, progress)
    state, progress = checkpoints.restore(template, "last")

Orbax writes each into a temporary folder and renames it when it is complete, so a kill leaves the previous one. The state is
stored as a flat mapping from paths such as ``.params['conv_1']['kernel']`` to arrays, readable without this package.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import jax
import numpy as np

from nnjax.config.errors import DataError
from nnjax.training.state import TrainState
from nnjax.training.training_progress import TrainingProgress

if TYPE_CHECKING:
    import orbax.checkpoint as ocp

Which = Literal["last", "best"] | int


class Checkpoints:
    """The checkpoints of one run: the newest `keep`, and the one with the lowest validation loss.

    Args:
        folder: where they are; created by the first `save`.
        keep: how many of the newest stay; 0 opens them for reading only.
    """

    def __init__(self, folder: Path, keep: int = 0) -> None:
        self._folder = folder.absolute()
        self._keep = keep
        self._manager: ocp.CheckpointManager | None = None
        self._own: set[int] = set()  # steps that this process saved

    def save(self, state: TrainState, progress: TrainingProgress) -> None:
        """Starts to save a state; it is complete after `wait`, or when the next one starts.

        Args:
            state: NumPy arrays, as on one device.
            progress: at the step of `state`; the best checkpoint has the lowest `validation_loss`.
        """
        import orbax.checkpoint as ocp

        assert self._keep, "opened for reading only"
        if progress.step in self._open().all_steps():
            if (
                progress.step in self._own
                or progress.validation_loss is None
                or self._validation_loss(progress.step) is not None
            ):
                return
            self._open().delete(progress.step)  # saved before the evaluation at this step, which a signal had ended
        self._own.add(progress.step)
        saved = self._open().save(
            progress.step,
            args=ocp.args.Composite(state=ocp.args.PyTreeSave(_flatten(state)), progress=ocp.args.JsonSave(progress.to_json())),
            metrics=None if progress.validation_loss is None else {"loss": progress.validation_loss},
        )
        if not saved:
            raise DataError(f"{self._folder}: step {progress.step} was not saved; a later step is there: {self.steps}")

    def restore(self, template: TrainState, which: Which) -> tuple[TrainState, TrainingProgress]:
        """Reads a checkpoint.

        Args:
            template: a state of the same shapes.
            which: the newest, the one with the lowest validation loss, or that of a step.

        Returns:
            The state as NumPy arrays, and the progress that was saved with it.

        Raises:
            DataError: if there is no such checkpoint, or it does not fit the template.
        """
        import orbax.checkpoint as ocp

        try:
            step = self._find(which)
            saved = self._open().restore(
                step, args=ocp.args.Composite(state=ocp.args.PyTreeRestore(), progress=ocp.args.JsonRestore())
            )
        except DataError:
            raise
        except Exception as error:
            raise DataError(f"{self._folder}: checkpoint {which} cannot be read; there are {self.steps}\n  {error}") from error
        return _unflatten(template, saved.state, self._folder / str(step)), TrainingProgress.from_json(saved.progress)

    def restore_newest(self, template: TrainState, warn: Callable[[str], None]) -> tuple[TrainState, TrainingProgress] | None:
        """Reads the newest readable checkpoint, to resume from; None if there is none at all.

        Args:
            template: a state of the same shapes.
            warn: called with a line about each damaged checkpoint that was skipped.

        Raises:
            DataError: if there are checkpoints, and none can be read.
        """
        damaged: list[int] = []
        for step in reversed(self.steps):
            try:
                restored = self.restore(template, step)
            except DataError as error:
                if step == self.steps[0]:
                    raise
                damaged.append(step)
                warn(f"{error}\n  resuming from the one before")
            else:
                self.close()
                for later in damaged:  # kept under another name: Orbax saves no step before one that is there
                    (self._folder / str(later)).rename(self._folder / f"damaged-{later}-{time.time_ns()}")
                return restored
        return None

    @property
    def steps(self) -> list[int]:
        """Steps of the complete checkpoints, oldest first."""
        return sorted(self._open().all_steps()) if self._folder.is_dir() else []

    def wait(self) -> None:
        """Waits until everything that was saved is on disk."""
        if self._manager is not None:
            self._manager.wait_until_finished()

    def close(self) -> None:
        """Waits, and releases the folder."""
        if self._manager is not None:
            self._manager.close()
            self._manager = None

    def _find(self, which: Which) -> int:
        steps = self.steps
        if not steps:
            raise DataError(f"{self._folder}: no complete checkpoint here")
        if which == "last":
            return steps[-1]
        if which == "best":
            losses = {step: self._validation_loss(step) for step in steps}
            measured = {step: loss for step, loss in losses.items() if loss is not None}
            if not measured:
                raise DataError(f"{self._folder}: no best checkpoint, since the run had no validation split; take last")
            return min(measured, key=lambda step: measured[step])
        if which not in steps:
            raise DataError(f"{self._folder}: no checkpoint of step {which}; there are {steps}")
        return which

    def _validation_loss(self, step: int) -> float | None:
        import orbax.checkpoint as ocp

        saved = self._open().restore(step, args=ocp.args.Composite(progress=ocp.args.JsonRestore()))
        return TrainingProgress.from_json(saved.progress).validation_loss

    def _open(self) -> "ocp.CheckpointManager":
        # Orbax takes most of a second to import, which `--help` and a failed start need not pay.
        import orbax.checkpoint as ocp
        from orbax.checkpoint import checkpoint_managers as policies

        if self._manager is None:
            best = policies.BestN(
                get_metric_fn=lambda metrics: metrics["loss"],
                reverse=True,
                n=1,
                keep_checkpoints_without_metrics=False,
            )
            keep = policies.AnyPreservationPolicy([policies.LatestN(self._keep), best])
            options = ocp.CheckpointManagerOptions(preservation_policy=keep, cleanup_tmp_directories=True)
            if not self._keep:
                options = ocp.CheckpointManagerOptions(create=False)
            self._manager = ocp.CheckpointManager(self._folder, options=options)
        return self._manager


def _flatten(state: TrainState) -> dict[str, Any]:
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(state)}


def _unflatten(template: TrainState, saved: Mapping[str, Any], folder: Path) -> TrainState:
    wanted = _flatten(template)
    differing = sorted(wanted.keys() ^ saved.keys()) + [
        key for key in wanted.keys() & saved.keys() if np.shape(wanted[key]) != np.shape(saved[key])
    ]
    if differing:
        raise DataError(
            f"{folder}: the checkpoint is of another network or optimizer than the config describes; differs in {differing[0]}"
            f" and {len(differing) - 1} more"
        )
    leaves = [np.asarray(saved[key], leaf.dtype) for key, leaf in wanted.items()]
    state: TrainState = jax.tree.unflatten(jax.tree.structure(template), leaves)
    return state
