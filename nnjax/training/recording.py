"""From the numbers of compiled calls to records: training progress, evaluations and weights, for the callback.

    recorder = Recorder(experiment, state, callback, clock)
    progress = recorder.after_call(progress, call)          # sums of its steps
    progress = recorder.evaluate(progress, state)           # a record, and a new beginning of the sums

Where each step is evaluated by its training loss alone, only the steps of `nnjax.checks.sparse` get a record: writing one takes
far longer than the step. Each step is evaluated all the same, so that stop rules hold at the same step with fewer records.
"""

import math
import time
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from nnjax.checks.sparse import EACH_UNTIL, recorded_steps, records_text
from nnjax.config.errors import DivergedError
from nnjax.parallel.preemption import StopSignal
from nnjax.training.callbacks import Callback
from nnjax.training.clock import Clock
from nnjax.training.experiment import Experiment
from nnjax.training.runner import Call
from nnjax.training.state import Pytree, TrainState
from nnjax.training.training_progress import Numbers, Sums, TrainingProgress, mean_over_trials
from nnjax.training.weights import is_recorded, named_weights


def spans_evaluations(experiment: Experiment) -> bool:
    """Whether a call may run past evaluations; see `Recorder.spans`."""
    config, rules = experiment.config, experiment.config.training.stop
    return _is_each_step(experiment) and rules.patience is None and rules.accuracy_above is None and not config.debug.strict


def steps_of_records(experiment: Experiment) -> Sequence[int] | None:
    """The steps that get a record, the step at which a stop rule ends the training aside; None if every evaluation gets one."""
    if not _is_each_step(experiment) or experiment.config.report.records == "all":
        return None
    return recorded_steps("sparse", experiment.plan.steps.total)


def records_note(experiment: Experiment, step: int) -> str:
    """Says that a training that ended at a step has sparse records; empty if it has all of them."""
    steps = steps_of_records(experiment)
    if steps is None or step <= EACH_UNTIL:
        return ""
    return f"Records: {records_text(bisect_left(steps, step) + 1, step)}"  # one is that of the last step


def _is_each_step(experiment: Experiment) -> bool:
    """Whether an evaluation is due after each step, and is no more than the loss of this step."""
    return experiment.plan.steps.evaluate_every == 1 and not len(experiment.dataset.validation)


class Recorder:
    """Makes the records of one training.

    Args:
        experiment: the training.
        params: the parameters at its beginning, of which only the shapes matter.
        callback: called with the records.
        clock: counts evaluation as "eval".

    Attributes:
        records_weights: whether the network is small enough to have its weights recorded.
        spans: whether a call may run past evaluations: they come after every step and need only its loss, since there is no
            validation split, and no stop rule that the device cannot check.
    """

    def __init__(self, experiment: Experiment, params: Pytree, callback: Callback, clock: Clock) -> None:
        self.records_weights = not experiment.placement.many and is_recorded(params, experiment.config.report.weights)
        self.spans = spans_evaluations(experiment)
        steps = steps_of_records(experiment)
        self._recorded = None if steps is None else frozenset(steps)
        self._unrecorded: tuple[TrainingProgress, Pytree | None] | None = None
        self._experiment, self._callback, self._clock = experiment, callback, clock

    def first_weights(self, params: Pytree) -> None:
        """Records the weights before the first step."""
        if self.records_weights:
            self._callback.weights(0, named_weights(params))

    def after_call(self, progress: TrainingProgress, call: Call) -> TrainingProgress:
        """Adds up a call's steps, and makes the records of the evaluations that it ran past.

        Raises:
            DivergedError: if the loss of a step is not finite; with several trials, if no trial's loss is.
        """
        many = self._experiment.placement.many
        metrics: Any = call.metrics  # of NumPy arrays, once they are fetched
        loss, correct, count = metrics.loss, metrics.correct, metrics.count
        finite = np.isfinite(loss)
        any_finite = finite.any(axis=0) if many else finite
        num_steps = loss.shape[-1]
        until = num_steps if any_finite.all() else int(np.argmin(any_finite))
        if many:
            progress = progress.with_diverged(
                {trial: progress.step + 1 + int(np.argmin(row)) for trial, row in enumerate(finite) if not row.all()}
            )
        if not self.spans:
            progress = progress.after_steps(loss[..., :until], correct[..., :until], count[..., :until])
        else:
            progress = self._after_evaluated_steps(progress, call.metrics, until)
        sums = Sums().plus(loss[..., :until], correct[..., :until], count[..., :until])
        seconds = max(time.perf_counter() - call.started, 1e-6)
        self._callback.trained(progress.step, sums.means(self._experiment.classification), np.sum(sums.count) / seconds)
        if until < num_steps:
            if self._unrecorded is not None:  # the last finite loss
                self._emit(*self._unrecorded)
            what, value = ("the training loss of every trial", math.nan) if many else ("the training loss", loss[until])
            raise self._diverged(what, value, progress.step + 1)
        return progress

    def evaluate(self, progress: TrainingProgress, state: TrainState, stop: StopSignal | None = None) -> TrainingProgress:
        """Measures the validation split, if there is one, and makes a record.

        Args:
            progress: at the step of `state`.
            state: as placed on the devices.
            stop: may end the measurement.

        Raises:
            DivergedError: if the validation loss is not finite.
            EvaluationStoppedError: if a signal came; nothing was recorded.
        """
        validation: Mapping[str, Numbers] | None = None
        if len(self._experiment.dataset.validation):
            with self._clock("eval"):
                validation = self._experiment.evaluate(state, self._experiment.dataset.validation, stop).metrics
        params = self._params_of(state) if self._is_recorded(progress.step) else None
        return self._record(progress, validation, params)

    def finish(self, progress: TrainingProgress, state: TrainState) -> None:
        """Records the step at which the training ends, unless it has its record."""
        if progress.step and not self._is_recorded(progress.step) and not progress.sums.count:
            self._emit(progress, self._params_of(state))

    def _params_of(self, state: TrainState) -> Pytree | None:
        return self._experiment.placement.get(state.params) if self.records_weights else None

    def _is_recorded(self, step: int) -> bool:
        return self._recorded is None or step in self._recorded

    def _after_evaluated_steps(self, progress: TrainingProgress, metrics: Any, until: int) -> TrainingProgress:
        """Progress after the first `until` steps of a call, each evaluated; those between two records take no loop."""
        first, done = progress.step, 0
        with np.errstate(invalid="ignore"):
            losses = metrics.loss[..., :until].astype(np.float64) / metrics.count[..., :until]
        recorded = [i for i in range(until) if self._is_recorded(first + i + 1)]
        for step in recorded if not until or until - 1 in recorded else [*recorded, until - 1]:
            if step > done:
                between = losses[..., done:step]
                progress = progress.after_losses([mean_over_trials({"loss": row})["loss"] for row in between.T.tolist()])
            part = slice(step, step + 1)
            progress = progress.after_steps(metrics.loss[..., part], metrics.correct[..., part], metrics.count[..., part])
            progress = self._record(progress, None, _row(metrics.params, step))
            done = step + 1
        return progress

    def _record(
        self, progress: TrainingProgress, validation: Mapping[str, Numbers] | None, params: Pytree | None
    ) -> TrainingProgress:
        """Makes a record. Stop rules refer to the validation split, or else to the training since the last record."""
        train = progress.sums.means(self._experiment.classification)
        splits = {"train": train} | ({} if validation is None else {"validation": validation})
        if self._experiment.placement.many:
            progress = progress.after_trials(splits)
        recorded = self._is_recorded(progress.step)
        if recorded:
            self._call_back(progress.step, train, validation, params)
        monitored = mean_over_trials(train if validation is None else validation)
        if not math.isfinite(monitored["loss"]):
            raise self._diverged("the validation loss", monitored["loss"], progress.step, "validation")
        progress = progress.after_evaluation(monitored, on_validation=validation is not None)
        self._unrecorded = None if recorded else (progress, params)
        return progress

    def _emit(self, progress: TrainingProgress, params: Pytree | None) -> None:
        """Makes the record that was left out after an evaluation of the training loss."""
        train: Mapping[str, Numbers] = progress.trials["train"] if self._experiment.placement.many else progress.monitored
        self._call_back(progress.step, train, None, params)

    def _call_back(
        self, step: int, train: Mapping[str, Numbers], validation: Mapping[str, Numbers] | None, params: Pytree | None
    ) -> None:
        self._callback.evaluated(step, train, validation)
        if params is not None:
            self._callback.weights(step, named_weights(params))

    def _diverged(self, what: str, value: float, step: int, split: str = "train") -> DivergedError:
        """The error for a number that stopped being finite at a step."""
        experiment = self._experiment
        several = experiment.config.training.vary.learning_rate is not None
        rate = "" if several else f", with a learning rate of {experiment.learning_rate(step - 1):.3g}"
        clipping = ", or optimizer.clip_norm=1" if hasattr(experiment.config.optimizer, "clip_norm") else ""
        return DivergedError(
            f"{what} became {value} at step {step} (epoch {step / experiment.plan.steps.per_epoch:.2f}){rate}\n"
            f"  try an optimizer.learning_rate nearer to 0{clipping}; debug=strict names the layer where it starts",
            step,
            split,
        )


def _row(params: Pytree | None, step: int) -> Any:
    """The parameters after one of a call's steps."""
    return None if params is None else jax.tree.map(lambda values: values[step], params)
