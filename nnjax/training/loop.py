"""The loop: chunks of compiled steps, and between them evaluation, checkpoints, stop rules and signals.

    result = fit(experiment, state, TrainingProgress(), checkpoints=…, callback=…, stop=…, clock=…)
    result.status                                            # "completed"

The order between two chunks is fixed: evaluate, save, decide whether to stop. So a checkpoint holds the measurements at its
step, and a run that resumes from it continues as if it had never stopped. The best state since the last checkpoint is held in
memory and written just before the next one: a run that resumes from the last checkpoint finds it again.
"""

import time
from dataclasses import dataclass, replace
from threading import Lock
from typing import Literal

import numpy as np

from nnjax.config.errors import DivergedError, StorageError
from nnjax.config.schema import StopRules
from nnjax.parallel.peers import peers
from nnjax.parallel.preemption import StopSignal
from nnjax.training.callbacks import Callback
from nnjax.training.checkpoints import CheckpointStore
from nnjax.training.clock import Clock
from nnjax.training.diverged import DivergenceKeeper
from nnjax.training.evaluation import EvaluationStoppedError
from nnjax.training.experiment import Experiment
from nnjax.training.recording import Recorder
from nnjax.training.runner import ChunkRunner, out_of_time
from nnjax.training.state import TrainState
from nnjax.training.training_progress import TrainingProgress

Status = Literal["completed", "stopped_early", "preempted"]

_PATIENCE = 10.0  # seconds in which a checkpoint that is being written is finished, when another process is gone


@dataclass(frozen=True)
class FitResult:
    """How training ended.

    Attributes:
        state: as placed on the devices.
        progress: at the last step.
        status: whether training reached its end, or a stop rule or a signal ended it.
        reason: the rule or signal, in words; empty if completed.
    """

    state: TrainState
    progress: TrainingProgress
    status: Status
    reason: str


def fit(
    experiment: Experiment,
    state: TrainState,
    progress: TrainingProgress,
    *,
    checkpoints: CheckpointStore,
    callback: Callback,
    stop: StopSignal,
    clock: Clock,
    keeper: DivergenceKeeper | None = None,
) -> FitResult:
    """Trains from `progress.step` to the end, a stop rule or a signal, and saves the last state.

    Args:
        experiment: what to train.
        state: where to start, as NumPy arrays or on one device; copied to every device.
        progress: at the step of `state`.
        checkpoints: where states are saved.
        callback: called with metrics and weights.
        stop: ends the training when it is raised.
        clock: counts data, compile, train, eval and checkpoint.
        keeper: keeps the step at which the training diverges; of several trials, the first one that does.

    Raises:
        DivergedError: if the loss of a step is not a finite number; the checkpoints before it stay.
    """
    steps = experiment.plan.steps
    recorder = Recorder(experiment, state.params, callback, clock)
    if progress.step == 0:
        recorder.first_weights(state.params)
    if keeper is not None:
        keeper.hold(progress.step, state)
    state = experiment.layout.put(state)
    runner: ChunkRunner | None = None
    saver = _Saver(checkpoints, experiment, clock, keeper)
    joined = peers()
    joined.before_loss.append(saver.save_newest)
    stop.agree(0, clock)
    end: tuple[Status, str] | None = None
    try:
        while True:
            if progress.sums.count and _is_evaluation(experiment, progress, clock, stop):
                try:
                    progress = recorder.evaluate(progress, state, stop)
                except EvaluationStoppedError:  # the next session begins with it
                    end = "preempted", stop.requested or ""
                    break
                if progress.validation_loss is not None and progress.evaluations_since_best == 0:
                    saver.hold(state, progress)
            if steps.checkpoint_every and progress.step and progress.step % steps.checkpoint_every == 0:
                saver.save(state, progress)
            elif joined.count > 1:
                saver.hold_newest(state, progress)
            end = _end(experiment, progress, stop, clock)
            if end is not None:
                if end[0] != "preempted":  # a resume leaves out the same records
                    recorder.finish(progress, state)
                break
            if runner is None:
                record_params = recorder.spans and recorder.records_weights
                runner = ChunkRunner(
                    experiment, state, stop=stop, clock=clock, spans=recorder.spans, record_params=record_params
                )
                stop.begin()  # from the first step on there is something to save
            # Calls end at a checkpoint, and at an evaluation unless they may run past it.
            cadences = [steps.checkpoint_every] if recorder.spans else [steps.evaluate_every, steps.checkpoint_every]
            until = min([steps.total, *((progress.step // every + 1) * every for every in cadences if every)])
            with clock("train"):
                for call in runner.calls(progress.step, until):
                    progress = recorder.after_call(progress, call)
                    clock.beat(progress.step)
                    joined.note(step=progress.step)
                    if progress.diverged and keeper is not None:
                        with clock("replay"):  # which is no training time
                            keeper.keep(runner, *min((step, trial) for trial, step in progress.diverged.items()))
            state = runner.state
        saver.save(state, progress)
    except StorageError:  # the disk is full, or the folder gone: nothing more is written
        saver.give_up()
        raise
    except DivergedError as error:
        if keeper is not None and error.split == "validation":
            keeper.keep_validation(progress.step, state)
        elif keeper is not None and runner is not None and error.step is not None:
            keeper.keep(runner, error.step)
        raise
    except Exception as error:
        joined.explain(error)  # while the newest state can still be saved: a peer that is gone ends this process
        raise
    finally:  # the best before a divergence is of use, too
        saver.finish()
        joined.before_loss.remove(saver.save_newest)
    stop.agree(0, clock)  # the last state is saved; before, a signal to a process that is ahead would end all
    stop.end()
    assert end is not None
    status, reason = end
    if stop.requested is not None and status != "preempted":  # it came while the last state was saved
        status, reason = "preempted", stop.requested
    return FitResult(state, progress, status, reason)


def ending_at(experiment: Experiment, progress: TrainingProgress) -> Status | None:
    """Returns how a training that resumes at this progress ends at once; None if it has a step to do."""
    end = _end(experiment, progress, StopSignal(), Clock(progress.seconds))
    return None if end is None else end[0]


def _is_evaluation(experiment: Experiment, progress: TrainingProgress, clock: Clock, stop: StopSignal) -> bool:
    """Whether an evaluation is due: at its cadence, and at the end of training."""
    steps, rules = experiment.plan.steps, experiment.config.training.stop
    return progress.step >= steps.total or progress.step % steps.evaluate_every == 0 or out_of_time(rules, clock, stop)


def _end(experiment: Experiment, progress: TrainingProgress, stop: StopSignal, clock: Clock) -> tuple[Status, str] | None:
    """The one place that decides to stop: how training ends at this step, and why; None if it continues."""
    if progress.step >= experiment.plan.steps.total:
        return "completed", ""
    reason = _rule_that_holds(experiment.config.training.stop, progress, clock, stop)
    if reason:
        return "stopped_early", reason
    return None if stop.requested is None else ("preempted", stop.requested)


class _Saver:
    """Saves states. The best one waits for the next save, since early in training every evaluation is better than the last."""

    def __init__(
        self, checkpoints: CheckpointStore, experiment: Experiment, clock: Clock, keeper: DivergenceKeeper | None
    ) -> None:
        self._checkpoints, self._experiment, self._clock = checkpoints, experiment, clock
        self._keeper = keeper
        self._held: tuple[TrainState, TrainingProgress] | None = None
        self._newest: tuple[TrainState, TrainingProgress] | None = None
        self._next_hold = 0.0
        self._last_saved = 0
        self._saving = Lock()

    def hold_newest(self, state: TrainState, progress: TrainingProgress) -> None:
        """Holds the newest state in process 0, to be saved if another process is gone; takes at most a hundredth of the time.

        A state on the devices is no help then: the call that waits for the lost process has taken its memory over. Nothing is
        held of a state whose parts lie in several processes.
        """
        started, placement = time.monotonic(), self._experiment.placement
        is_whole = not placement.whole_trials and not self._experiment.layout.is_sharded
        if peers().rank or not is_whole or started < self._next_hold or not progress.step:
            return
        with self._clock("checkpoint"):
            held = placement.fetch(state), replace(progress, seconds=dict(self._clock.seconds))
        with self._saving:
            self._newest = held
        now = time.monotonic()
        self._next_hold = now + 100 * (now - started)

    def save_newest(self) -> None:
        """Saves the best and the newest state that are held, if they are newer than all that is saved.

        Called in another thread, once; nothing is saved afterwards.
        """
        if not self._saving.acquire(timeout=_PATIENCE):
            return
        saved = self._last_saved
        for held in (self._held, self._newest):  # the newest one's progress names the best
            if held is not None and held[1].step > saved:
                self._checkpoints.save(*held)
                saved = held[1].step
        self._checkpoints.wait()
        if saved:
            peers().note(saved=saved)

    def hold(self, state: TrainState, progress: TrainingProgress) -> None:
        """Holds a state to be saved later, such as the best so far, in place of the previous one."""
        with self._clock("checkpoint"):
            self._held = self._experiment.layout.get(state), replace(progress, seconds=dict(self._clock.seconds))
            if self._keeper is not None:
                self._keeper.hold(progress.step, self._held[0])

    def save(self, state: TrainState, progress: TrainingProgress) -> None:
        """Starts to save the held state, if there is one, and then this one."""
        held_step = None if self._held is None else self._held[1].step
        if held_step != progress.step:
            self._save_held()
            self.hold(state, progress)
        self._save_held()

    def finish(self) -> None:
        """Saves the held state, if there is one, and waits until everything is on disk."""
        self._save_held()
        with self._clock("checkpoint"), self._saving:
            self._checkpoints.wait()

    def give_up(self) -> None:
        """Leaves the held state unsaved."""
        self._held = None

    def _save_held(self) -> None:
        if self._held is not None:
            with self._clock("checkpoint"), self._saving:
                held, self._held = self._held, None  # what could not be written is not tried again
                self._checkpoints.save(*held)  # the one before is complete now
                if self._last_saved:
                    peers().note(saved=self._last_saved)
                self._last_saved = held[1].step


def _rule_that_holds(rules: StopRules, progress: TrainingProgress, clock: Clock, stop: StopSignal) -> str:
    """The first stop rule that holds, in words; empty if none does."""
    best, accuracy = progress.best_loss, progress.monitored.get("accuracy")
    # In float32, as the device computes losses.
    if rules.loss_below is not None and best is not None and np.float32(best) <= np.float32(rules.loss_below):
        return f"the loss fell to {best:.3g} (training.stop.loss_below={rules.loss_below:g})"
    if rules.accuracy_above is not None and accuracy is not None and accuracy >= rules.accuracy_above:
        return f"the accuracy rose to {accuracy:.4f} (training.stop.accuracy_above={rules.accuracy_above:g})"
    if rules.patience is not None and progress.evaluations_since_best >= rules.patience:
        return f"{rules.patience} evaluations brought no lower loss (training.stop.patience={rules.patience})"
    if out_of_time(rules, clock, stop):
        return f"{rules.max_seconds:g} seconds of training are over (training.stop.max_seconds)"
    return ""
