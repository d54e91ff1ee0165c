"""The loop: chunks of compiled steps, and between them evaluation, checkpoints, stop rules and signals.

    result = fit(experiment, state, TrainingProgress(), checkpoints=…, events=…, stop=…, clock=…)
    result.status                                            # "completed"

The order between two chunks is fixed: evaluate, decide whether to stop, save. A checkpoint thus knows what was measured at its
step, and one that is restored goes on as if it had never ended.
"""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np

from nnjax.config.errors import DivergedError
from nnjax.config.schema import StopRules
from nnjax.parallel.preemption import StopSignal
from nnjax.training.checkpoints import Checkpoints
from nnjax.training.clock import Clock
from nnjax.training.diagnosis import first_nonfinite, is_finite
from nnjax.training.experiment import Experiment
from nnjax.training.feed import Feeder, make_feeder
from nnjax.training.progress import Sums, TrainingProgress
from nnjax.training.state import TrainState
from nnjax.training.step import StepMetrics, make_train_chunk

# A call takes about this long, so that a signal is answered, and the bar moves, a few times a second.
_SECONDS_PER_CALL = 0.3


class Events(Protocol):
    """What the loop tells; numbers are plain Python ones."""

    def trained(self, step: int, metrics: Mapping[str, float], examples_per_second: float) -> None:
        """A chunk is done; metrics are means over its examples."""

    def evaluated(self, step: int, train: Mapping[str, float], validation: Mapping[str, float] | None) -> None:
        """An evaluation is done; `train` are means since the one before."""


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
    rules, lengths = experiment.config.training.stop, experiment.lengths
    state = experiment.parallel.replicate(state)
    runner: _ChunkRunner | None = None
    status: Literal["completed", "stopped_early", "preempted"] = "completed"
    while True:
        at_end = progress.step >= lengths.total_steps or _out_of_time(rules, clock)
        if progress.sums.count and (at_end or progress.step % lengths.evaluate_every == 0):
            progress = _evaluate(experiment, state, progress, events, clock)
        is_best = progress.validation_loss is not None and progress.evaluations_since_best == 0
        if is_best or (lengths.checkpoint_every and progress.step and progress.step % lengths.checkpoint_every == 0):
            _save(checkpoints, experiment, state, progress, clock)
        reason = _rule_that_holds(rules, progress, clock)
        if progress.step >= lengths.total_steps:
            reason = ""
            break
        if reason:
            status = "stopped_early"
            break
        if stop.requested is not None:
            status, reason = "preempted", stop.requested
            break
        runner = runner or _ChunkRunner(experiment, state, events, stop, clock)
        state, progress = runner.advance(state, progress)
    _save(checkpoints, experiment, state, progress, clock)
    with clock("checkpoint"):
        checkpoints.wait()
    return FitResult(state, progress, status, reason)


class _ChunkRunner:
    """Calls the compiled chunk, as many steps at a time as take a fraction of a second."""

    def __init__(self, experiment: Experiment, state: TrainState, events: Events, stop: StopSignal, clock: Clock) -> None:
        config, parallel = experiment.config, experiment.parallel
        with clock("data"):
            self._feeder: Feeder = make_feeder(experiment.dataset.train, config, parallel, experiment.lengths.total_steps)
        with clock("compile"):
            chunk = make_train_chunk(experiment.recipe, self._feeder.max_steps)
            arguments = (state, self._feeder(0, 1), parallel.replicate(np.int32(0)))
            donate = () if config.debug.strict else (0,)
            self._chunk = parallel.compile(chunk, donate).lower(*arguments).compile()
        self._experiment = experiment
        self._events, self._stop, self._clock = events, stop, clock
        self._steps_per_call = 1

    def advance(self, state: TrainState, progress: TrainingProgress) -> tuple[TrainState, TrainingProgress]:
        """Trains up to the next evaluation or checkpoint, or until a signal comes or time runs out."""
        rules, lengths = self._experiment.config.training.stop, self._experiment.lengths
        step = progress.step
        cadences = [every for every in (lengths.evaluate_every, lengths.checkpoint_every) if every]
        until = min(lengths.total_steps, *((step // every + 1) * every for every in cadences))
        pending: tuple[int, StepMetrics] | None = None
        self._settled_at = time.perf_counter()
        with self._clock("train"):
            # One call is made even where the time limit is shorter than a call.
            while step < until and self._stop.requested is None and not (pending and _out_of_time(rules, self._clock)):
                num_steps = min(self._steps_per_call, until - step)
                feed = self._feeder(step, num_steps)
                count = self._experiment.parallel.replicate(np.int32(num_steps))
                before = state
                state, metrics = self._chunk(state, feed, count)
                step += num_steps
                if self._experiment.config.debug.strict:
                    self._check_step(before, state, step)
                # One call is in flight while the last one's numbers are read; more would abort XLA's fake CPU devices,
                # which give up on a rendezvous that takes too long.
                if pending is not None:
                    progress = self._settle(progress, *pending)
                pending = (num_steps, metrics)
            if pending is not None:
                progress = self._settle(progress, *pending)
        return state, progress

    def _settle(self, progress: TrainingProgress, num_steps: int, metrics: StepMetrics) -> TrainingProgress:
        """Waits for a call, adds up its numbers and sets the pace of the next ones."""
        fetched = self._experiment.parallel.fetch(metrics)
        loss, correct, count = (x[:num_steps] for x in (fetched.loss, fetched.correct, fetched.count))
        if not np.isfinite(loss).all():
            first = int(np.argmin(np.isfinite(loss)))
            raise _diverged("the training loss", loss[first], progress.step + first + 1, self._experiment)
        progress = progress.after_steps(loss, correct, count)
        now = time.perf_counter()
        seconds = max(now - self._settled_at, 1e-6)
        self._settled_at = now
        means = Sums().plus(loss, correct, count).means(self._experiment.classification)
        self._events.trained(progress.step, means, float(count.sum()) / seconds)
        pace = int(num_steps * _SECONDS_PER_CALL / seconds)
        if not self._experiment.config.debug.strict:
            # A short call before an evaluation says little of the pace, and must not slow down the calls after it.
            most = max(4 * num_steps, self._steps_per_call)
            self._steps_per_call = min(max(pace, 1), most, self._feeder.max_steps)
        return progress

    def _check_step(self, before: TrainState, after: TrainState, step: int) -> None:
        if not is_finite((after.params, after.model_state)):
            batch = self._feeder.examples(step - 1)
            where = first_nonfinite(self._experiment, self._experiment.parallel.fetch(before), *batch)
            raise DivergedError(f"{where} is not finite in step {step}: the first number of this training that is not")


def _evaluate(
    experiment: Experiment, state: TrainState, progress: TrainingProgress, events: Events, clock: Clock
) -> TrainingProgress:
    """Measures the validation split, if there is one; stop rules look at it, or else at the training since the last time."""
    train = monitored = progress.sums.means(experiment.classification)
    validation: Mapping[str, float] | None = None
    if len(experiment.dataset.validation):
        with clock("eval"):
            validation = monitored = experiment.evaluate(state, experiment.dataset.validation).metrics
    events.evaluated(progress.step, train, validation)
    if not math.isfinite(monitored["loss"]):
        raise _diverged("the validation loss", monitored["loss"], progress.step, experiment)
    return progress.after_evaluation(monitored, on_validation=validation is not None)


def _save(
    checkpoints: Checkpoints, experiment: Experiment, state: TrainState, progress: TrainingProgress, clock: Clock
) -> None:
    with clock("checkpoint"):
        checkpoints.save(experiment.parallel.fetch(state), replace(progress, seconds=dict(clock.seconds)))


def _out_of_time(rules: StopRules, clock: Clock) -> bool:
    return rules.max_seconds is not None and clock.read("train") >= rules.max_seconds


def _rule_that_holds(rules: StopRules, progress: TrainingProgress, clock: Clock) -> str:
    """The stop rule that holds, in words; empty if none does."""
    best, accuracy = progress.best_loss, progress.monitored.get("accuracy")
    if rules.loss_below is not None and best is not None and best <= rules.loss_below:
        return f"the loss fell to {best:.3g} (training.stop.loss_below={rules.loss_below:g})"
    if rules.accuracy_above is not None and accuracy is not None and accuracy >= rules.accuracy_above:
        return f"the accuracy rose to {accuracy:.4f} (training.stop.accuracy_above={rules.accuracy_above:g})"
    if rules.patience is not None and progress.evaluations_since_best >= rules.patience:
        return f"{rules.patience} evaluations brought no lower loss (training.stop.patience={rules.patience})"
    if _out_of_time(rules, clock):
        return f"{rules.max_seconds:g} seconds of training are over (training.stop.max_seconds)"
    return ""


def _diverged(what: str, value: float, step: int, experiment: Experiment) -> DivergedError:
    return DivergedError(
        f"{what} became {value} at step {step} (epoch {step / experiment.lengths.steps_per_epoch:.2f}), "
        f"with a learning rate of {experiment.learning_rate(step - 1):.3g}\n"
        f"  try a smaller optimizer.learning_rate, or optimizer.clip_norm=1; debug=strict names the layer where it starts"
    )
