"""Checkpoints of a training that writes nothing: the last and the best state, in memory.

checkpoints = MemoryCheckpoints()
checkpoints.save(host_state, progress)
state, progress = checkpoints.restore(state, "best")
"""

from nnjax.training.checkpoints import Which
from nnjax.training.state import TrainState
from nnjax.training.training_progress import TrainingProgress


class MemoryCheckpoints:
    """A `CheckpointStore` of the newest state and the one with the lowest validation loss."""

    def __init__(self) -> None:
        self._last: tuple[TrainState, TrainingProgress] | None = None
        self._best: tuple[float, TrainState, TrainingProgress] | None = None

    def save(self, state: TrainState, progress: TrainingProgress) -> None:
        """Keeps a state; `progress.validation_loss` tells whether it is the best so far."""
        self._last = state, progress
        loss = progress.validation_loss
        if loss is not None and (self._best is None or loss < self._best[0]):
            self._best = loss, state, progress

    def restore(self, template: TrainState, which: Which) -> tuple[TrainState, TrainingProgress]:
        """Returns the newest or the best state; there is one, as a training saves at its end and at each better evaluation."""
        if which == "best":
            assert self._best is not None
            return self._best[1:]
        assert self._last is not None
        return self._last

    @property
    def steps(self) -> list[int]:
        """The steps of the states that are kept."""
        return sorted({saved[-1].step for saved in (self._best, self._last) if saved is not None})

    def wait(self) -> None:
        """Returns at once."""
