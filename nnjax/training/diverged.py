"""The step at which a training diverged: found by a replay, and kept in files from which it can be repeated.

    keeper = DivergenceKeeper(run_dir / "diverged", experiment)
    keeper.hold(progress.step, host_state)                # a good state, whenever one is on the host anyway
    keeper.keep(runner, step=412, trial=0)                # state, batches and keys of the steps up to it

A compiled call does many steps, and its loss tells which of them went wrong. The steps since the last good state are repeated
by the same program, which gives the same bits; the last ones one by one, until a loss or a parameter is not finite. A training
that goes well pays for a reference to a state on the host, nothing else.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import jax
import numpy as np

from nnjax.config.errors import DataError
from nnjax.training.diagnosis import is_finite
from nnjax.training.diverged_files import Batch, DivergedStep, write_diverged
from nnjax.training.experiment import Experiment
from nnjax.training.state import TrainState

if TYPE_CHECKING:
    from nnjax.training.runner import ChunkRunner

_MOST_BYTES = 2**27  # of a state that is held in memory; three are
_MOST_STEPS = 20  # steps before the one that went wrong whose batches are kept
_MOST_BATCH_BYTES = 2**25  # of all of these batches together
_MOST_EXAMPLES = 256  # of a validation split
_MOST_REPLAYED = 600.0  # seconds of a replay
_SHORT_REPLAY = 60.0  # seconds of a replay that also shows the steps before


class DivergenceKeeper:
    """Keeps what is needed to repeat the step at which a training diverges; of several such steps, the first.

    Args:
        folder: where it is written, when it happens; made then.
        experiment: the training.
        restore: reads the newest checkpoint before a step, where states are too large to be held; None if there is none.
        seconds: how long training took so far.

    Attributes:
        note: a line about a step that diverged: whether it was kept, or why it could not be; empty if none did.
        is_kept: whether the files were written.
    """

    def __init__(
        self,
        folder: Path,
        experiment: Experiment,
        restore: Callable[[int], tuple[int, TrainState] | None],
        seconds: Callable[[], float],
    ) -> None:
        self._folder, self._experiment, self._restore, self._seconds = folder, experiment, restore, seconds
        self._held: list[tuple[int, TrainState]] = []
        self._first_step: int | None = None  # of this session, and the seconds of those before
        self._earlier_seconds = 0.0
        self.note, self.is_kept = "", False

    def hold(self, step: int, state: TrainState) -> None:
        """Holds a good state: the first one, and the newest two.

        Args:
            step: steps done.
            state: on the host.
        """
        if self._first_step is None:
            self._first_step, self._earlier_seconds = step, self._seconds()
        if sum(np.asarray(leaf).nbytes for leaf in jax.tree.leaves(state)) <= _MOST_BYTES:
            self._held = [*self._held[:1], *self._held[1:][-1:], (step, state)]

    def keep(self, runner: "ChunkRunner", step: int, trial: int = 0) -> None:
        """Repeats the steps before the one that diverged, and writes the files. Raises nothing.

        Args:
            runner: of the training.
            step: whose loss is not finite, counted from 1.
            trial: counted from 0.
        """
        self._attempt(lambda: self._repeat(runner, step, trial))

    def keep_validation(self, step: int, state: TrainState) -> None:
        """As `keep`, for a validation loss that is not finite after `step` steps; the state is on the devices."""
        placement, split = self._experiment.placement, self._experiment.dataset.validation

        def measure() -> DivergedStep:
            losses = placement.one_of(self._experiment.evaluate(state, split).losses, 0)
            rows = np.flatnonzero(~np.isfinite(losses))[:_MOST_EXAMPLES].astype(np.int32)
            batch = np.asarray(split.inputs[rows]), np.asarray(split.targets[rows]), rows
            own = placement.one_of(self._experiment.layout.get(state), 0)
            return self._step("validation", step, 0, own, own, {step: batch}, is_repeated=len(rows) > 0)

        self._attempt(measure)

    def _attempt(self, make: Callable[[], DivergedStep]) -> None:
        """Makes and writes the files once; a failure must not take the place of the error that led here."""
        if self.note:
            return
        if jax.process_count() > 1:
            self.note = "the step was not kept: that is done in trainings of one process only"
            return
        try:
            write_diverged(make(), self._folder)
            self.note, self.is_kept = f"the step is kept in {self._folder}", True
        except Exception as error:
            self.note = f"the step was not kept: {str(error).partition(chr(10))[0]}"

    def _repeat(self, runner: "ChunkRunner", step: int, trial: int) -> DivergedStep:
        for start, state in self._starts(step):
            if (seconds := self._seconds_of(step - start, step)) > _MOST_REPLAYED:
                raise DataError(f"the last state before it is {step - start} steps, {seconds:.0f} s of training, back")
            if (found := self._find(runner, start, state, step, trial)) is not None:
                return found
        raise DataError("there is no state before it")

    def _seconds_of(self, steps: int, done: int) -> float:
        """How long a replay takes, by the pace of the steps done."""
        return (self._seconds() - self._earlier_seconds) * steps / max(1, done - (self._first_step or 0))

    def _starts(self, step: int) -> list[tuple[int, TrainState]]:
        """Good states before a step: those far enough back to show its history, if the replay is short; then the newest."""
        held = [(start, state) for start, state in reversed(self._held) if start < step]
        if not held and (saved := self._restore(step)) is not None:
            held.append(saved)
        enough = max(self._first_step or 0, step - 1 - _MOST_STEPS)
        early = [item for item in held if item[0] <= enough and self._seconds_of(step - item[0], step) <= _SHORT_REPLAY]
        return [*early, *(item for item in held if item not in early)]

    def _find(self, runner: "ChunkRunner", start: int, state: TrainState, step: int, trial: int) -> DivergedStep | None:
        placement, layout = self._experiment.placement, self._experiment.layout

        def alone(state: Any) -> TrainState:
            """One trial's state, on the host."""
            own: TrainState = placement.one_of(layout.get(state), trial)
            return own

        inputs = self._experiment.dataset.train.inputs
        batch_bytes = inputs[:1].nbytes * self._experiment.config.training.global_batch_size
        first = max(start, step - 1 - min(_MOST_STEPS, _MOST_BATCH_BYTES // max(1, batch_bytes)))
        for begin in dict.fromkeys((first, start)):
            now, _ = runner.replay(layout.put(state), start, begin)
            earlier = before = alone(now)
            if not _is_good(earlier):
                continue  # it went wrong before that, in a parameter that the loss did not show
            done, went_wrong = begin, False
            while done < step and not went_wrong:
                before = alone(now)
                now, loss = runner.replay(now, done, done + 1)
                went_wrong = not (np.isfinite(placement.one_of(loss, trial)).all() and _is_good(alone(now)))
                done += 1
            kept = range(max(begin, done - 1 - _MOST_STEPS), done)
            if kept.start > begin:  # it took more steps than are kept
                now, _ = runner.replay(layout.put(state), start, kept.start)
                earlier = alone(now)
            batches = {number + 1: runner.examples(number, trial) for number in kept}
            return self._step("train", done, trial, before, earlier, batches, is_repeated=went_wrong)
        return None

    def _step(
        self,
        split: Literal["train", "validation"],
        step: int,
        trial: int,
        before: TrainState,
        earlier: TrainState,
        batches: Mapping[int, Batch],
        *,
        is_repeated: bool,
    ) -> DivergedStep:
        experiment = self._experiment
        own = experiment.plan.trials[trial]
        dataset = experiment.dataset
        return DivergedStep(
            step=step,
            split=split,
            trial=trial,
            seed=own.seed,
            learning_rate=own.learning_rate,
            rate=experiment.learning_rate(step - 1, trial),
            state=before,
            earlier=earlier,
            batches=batches,
            mean=dataset.mean,
            std=dataset.std,
            spec=dataset.spec,
            is_repeated=is_repeated,
        )


def _is_good(state: TrainState) -> bool:
    return is_finite((state.params, state.model_state, state.slow))
