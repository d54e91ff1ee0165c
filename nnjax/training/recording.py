"""From the numbers of compiled calls to records: training progress, evaluations and weights, for the callback.

    recorder = Recorder(experiment, state, callback, clock)
    progress = recorder.after_call(progress, call)          # sums of its steps
    progress = recorder.evaluate(progress, state)           # a record, and a new beginning of the sums

Every record is made by `Recorder.evaluate`, whether a call ended there or ran past the evaluation.
"""

import math
import time
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

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
    return (
        experiment.plan.steps.evaluate_every == 1
        and not len(experiment.dataset.validation)
        and rules.patience is None
        and rules.accuracy_above is None
        and not config.debug.strict
    )


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
        for part in [slice(i, i + 1) for i in range(until)] if self.spans else [slice(until)]:
            progress = progress.after_steps(loss[..., part], correct[..., part], count[..., part])
            if self.spans:
                progress = self._record(progress, None, _row(call.metrics.params, part.start))
        sums = Sums().plus(loss[..., :until], correct[..., :until], count[..., :until])
        seconds = max(time.perf_counter() - call.started, 1e-6)
        self._callback.trained(progress.step, sums.means(self._experiment.classification), np.sum(sums.count) / seconds)
        if until < num_steps:
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
        params = self._experiment.placement.get(state.params) if self.records_weights else None
        return self._record(progress, validation, params)

    def _record(
        self, progress: TrainingProgress, validation: Mapping[str, Numbers] | None, params: Pytree | None
    ) -> TrainingProgress:
        """Makes a record. Stop rules refer to the validation split, or else to the training since the last record."""
        train = progress.sums.means(self._experiment.classification)
        splits = {"train": train} | ({} if validation is None else {"validation": validation})
        if self._experiment.placement.many:
            progress = progress.after_trials(splits)
        self._callback.evaluated(progress.step, train, validation)
        if params is not None:
            self._callback.weights(progress.step, named_weights(params))
        monitored = mean_over_trials(train if validation is None else validation)
        if not math.isfinite(monitored["loss"]):
            raise self._diverged("the validation loss", monitored["loss"], progress.step, "validation")
        return progress.after_evaluation(monitored, on_validation=validation is not None)

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
