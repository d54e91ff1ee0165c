"""The loop: chunks of compiled steps, and between them evaluation, checkpoints, stop rules and signals.

    result = fit(experiment, state, TrainingProgress(), checkpoints=…, events=…, stop=…, clock=…)
    result.status                                            # "completed"

The order between two chunks is fixed: evaluate, save, decide whether to stop. A checkpoint thus knows what was measured at its
step, and one that is restored goes on as if it had never ended. The best state since the last checkpoint is held in memory and
written just before the next one: a training that goes on from the last checkpoint finds it again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from nnjax.config.schema import StopRules
from nnjax.parallel.preemption import StopSignal
from nnjax.training.checkpoints import Checkpoints
from nnjax.training.clock import Clock
from nnjax.training.experiment import Experiment
from nnjax.training.runner import ChunkRunner, Events, out_of_time, record
from nnjax.training.state import TrainState
from nnjax.training.training_progress import Numbers, TrainingProgress
from nnjax.training.weights import is_recorded, named_weights


@dataclass(frozen=True)
class FitResult:
    """How training ended.

    Attributes:
        state: as it lies on the devices.
        progress: how far it came.
        status: whether it ended by itself, by a stop rule or by a signal.
        reason: the rule or signal, in words; empty if completed.
    """

    state: TrainState
    progress: TrainingProgress
    status: Literal["completed", "stopped_early", "preempted"]
    reason: str


def fit(
    experiment: Experiment,
    state: TrainState,
    progress: TrainingProgress,
    *,
    checkpoints: Checkpoints,
    events: Events,
    stop: StopSignal,
    clock: Clock,
) -> FitResult:
    """Trains from `progress.step` to the end, a stop rule or a signal, and saves the last state.

    Args:
        experiment: what to train.
        state: where to start, as NumPy arrays or on one device; copied to every device.
        progress: that belongs to `state`.
        checkpoints: where states are saved.
        events: who is told.
        stop: ends the training when it is raised.
        clock: counts compile, train, eval and checkpoint.

    Raises:
        DivergedError: if the loss of a step is not a finite number; the checkpoints before it stay.
    """
    rules, steps = experiment.config.training.stop, experiment.plan.steps
    recorded = not experiment.placement.many and is_recorded(state.params, experiment.config.report.weights)
    if progress.step == 0 and recorded:
        events.weights(0, named_weights(state.params))
    state = experiment.placement.put(state)
    runner: ChunkRunner | None = None
    saver = _Saver(checkpoints, experiment, clock)
    status: Literal["completed", "stopped_early", "preempted"] = "completed"
    try:
        while True:
            at_end = progress.step >= steps.total or out_of_time(rules, clock)
            if progress.sums.count and (at_end or progress.step % steps.evaluate_every == 0):
                progress = _evaluate(experiment, state, progress, events, clock, recorded=recorded)
                if progress.validation_loss is not None and progress.evaluations_since_best == 0:
                    saver.hold(state, progress)
            if steps.checkpoint_every and progress.step and progress.step % steps.checkpoint_every == 0:
                saver.save(state, progress)
            reason = _rule_that_holds(rules, progress, clock)
            if progress.step >= steps.total:
                reason = ""
                break
            if reason:
                status = "stopped_early"
                break
            if stop.requested is not None:
                status, reason = "preempted", stop.requested
                break
            runner = runner or ChunkRunner(experiment, state, events, stop, clock)
            state, progress = runner.advance(state, progress)
        saver.save(state, progress)
    finally:  # the best before a divergence is of use, too
        saver.finish()
    return FitResult(state, progress, status, reason)


class _Saver:
    """Saves states; the best since the last one only when the next is due, as early on every evaluation brings a better one."""

    def __init__(self, checkpoints: Checkpoints, experiment: Experiment, clock: Clock) -> None:
        self._checkpoints, self._placement, self._clock = checkpoints, experiment.placement, clock
        self._held: tuple[TrainState, TrainingProgress] | None = None

    def hold(self, state: TrainState, progress: TrainingProgress) -> None:
        """Keeps a state to be saved later, such as the best so far, in place of the one before."""
        with self._clock("checkpoint"):
            self._held = self._placement.get(state), replace(progress, seconds=dict(self._clock.seconds))

    def save(self, state: TrainState, progress: TrainingProgress) -> None:
        """Starts to save the state that is held, if any, and then this one."""
        held_step = None if self._held is None else self._held[1].step
        if held_step != progress.step:
            self._save_held()
            self.hold(state, progress)
        self._save_held()

    def finish(self) -> None:
        """Saves the state that is held, if any, and waits until everything lies on disk."""
        self._save_held()
        with self._clock("checkpoint"):
            self._checkpoints.wait()

    def _save_held(self) -> None:
        held, self._held = self._held, None  # what could not be written is not tried again
        if held is not None:
            with self._clock("checkpoint"):
                self._checkpoints.save(*held)


def _evaluate(
    experiment: Experiment, state: TrainState, progress: TrainingProgress, events: Events, clock: Clock, *, recorded: bool
) -> TrainingProgress:
    """Measures the validation split, if there is one, and makes a record, with the weights where they are `recorded`."""
    validation: Mapping[str, Numbers] | None = None
    if len(experiment.dataset.validation):
        with clock("eval"):
            validation = experiment.evaluate(state, experiment.dataset.validation).metrics
    weights = experiment.placement.get(state.params) if recorded else None
    return record(experiment, progress, events, validation=validation, weights=weights)


def _rule_that_holds(rules: StopRules, progress: TrainingProgress, clock: Clock) -> str:
    """The stop rule that holds, in words; empty if none does."""
    best, accuracy = progress.best_loss, progress.monitored.get("accuracy")
    # In float32, as the device compares where it ends a call by this rule.
    if rules.loss_below is not None and best is not None and np.float32(best) <= np.float32(rules.loss_below):
        return f"the loss fell to {best:.3g} (training.stop.loss_below={rules.loss_below:g})"
    if rules.accuracy_above is not None and accuracy is not None and accuracy >= rules.accuracy_above:
        return f"the accuracy rose to {accuracy:.4f} (training.stop.accuracy_above={rules.accuracy_above:g})"
    if rules.patience is not None and progress.evaluations_since_best >= rules.patience:
        return f"{rules.patience} evaluations brought no lower loss (training.stop.patience={rules.patience})"
    if out_of_time(rules, clock):
        return f"{rules.max_seconds:g} seconds of training are over (training.stop.max_seconds)"
    return ""
