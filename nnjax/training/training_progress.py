"""Training progress: everything besides the state that a checkpoint must hold for an exact resume.

progress = TrainingProgress()
progress = progress.after_steps(loss, correct, count)        # sums over each step's examples, [steps]
progress = progress.after_evaluation({"loss": 0.31}, on_validation=True)

With several trials, arrays are [trials, steps], and each number is a list with one for each trial.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from statistics import fmean
from types import NoneType
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = float | list[float]
"""A single network's number, or a list with one for each trial."""


def mean_over_trials(metrics: Mapping[str, Numbers]) -> dict[str, float]:
    """The mean of each metric over the trials whose number is finite; NaN where none is."""
    return {name: _mean(values) if isinstance(values, list) else values for name, values in metrics.items()}


def mask_nonfinite(loss: Numbers, metric: NDArray[Any]) -> Numbers:
    """Replaces each trial's metric by NaN where its loss is not finite: the class of such outputs is meaningless."""
    numbers: Numbers = np.where(np.isfinite(loss), metric, np.nan).tolist()
    return numbers


def _mean(values: list[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return fmean(finite) if finite else math.nan


@dataclass(frozen=True)
class Sums:
    """Sums over training examples since the last evaluation.

    Attributes:
        loss: summed over all examples.
        correct: number of correctly classified examples.
        count: number of examples.
    """

    loss: Numbers = 0.0
    correct: Numbers = 0.0
    count: Numbers = 0.0

    def plus(self, loss: NDArray[Any], correct: NDArray[Any], count: NDArray[Any]) -> "Sums":
        """Adds per-step sums, arrays [steps].

        They are added in float64 and one by one, so that the result does not depend on how the steps were cut into calls.
        """

        def added(total: Numbers, more: NDArray[Any]) -> Numbers:
            start = np.broadcast_to(np.asarray(total, np.float64)[..., None], (*more.shape[:-1], 1))
            sums: Numbers = np.cumsum(np.concatenate([start, more], axis=-1), axis=-1)[..., -1].tolist()
            return sums

        return Sums(added(self.loss, loss), added(self.correct, correct), added(self.count, count))

    def means(self, classification: bool) -> dict[str, Numbers]:
        """Returns the mean loss, and the accuracy for classification; empty if no example was counted."""
        if not np.any(self.count):
            return {}
        loss: Numbers = np.divide(self.loss, self.count).tolist()
        return {"loss": loss} | (
            {"accuracy": mask_nonfinite(loss, np.divide(self.correct, self.count))} if classification else {}
        )


@dataclass(frozen=True)
class TrainingProgress:
    """Everything besides the state that a checkpoint must hold for an exact resume.

    Attributes:
        step: steps done.
        sums: the sums over training since the last evaluation.
        monitored: the metrics that stop rules refer to, from the last evaluation; with several trials, their means.
        validation_loss: measured at this very step; None if it was not.
        best_loss: lowest monitored loss so far.
        best_step: the step of the lowest validation loss so far; None without a validation split, in checkpoints of version 0.2
            and before, and where a resume found that this step's checkpoint was lost.
        evaluations_since_best: evaluations that did not lower it.
        trials: by split, each trial's metrics from the last evaluation; empty for a single network.
        diverged: by trial, counted from 0, the step at which its loss stopped being finite.
        seconds: time spent by phase, in this and earlier sessions.
    """

    step: int = 0
    sums: Sums = Sums()
    monitored: dict[str, float] = field(default_factory=dict)
    validation_loss: float | None = None
    best_loss: float | None = None
    best_step: int | None = None
    evaluations_since_best: int = 0
    trials: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    diverged: dict[int, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def after_steps(self, loss: NDArray[Any], correct: NDArray[Any], count: NDArray[Any]) -> "TrainingProgress":
        """Progress after more steps; their sums are [steps] each."""
        return replace(self, step=self.step + loss.shape[-1], sums=self.sums.plus(loss, correct, count), validation_loss=None)

    def after_evaluation(self, monitored: Mapping[str, float], *, on_validation: bool) -> "TrainingProgress":
        """Progress after an evaluation, which starts the sums anew."""
        loss = monitored["loss"]
        better = self.best_loss is None or loss < self.best_loss
        return replace(
            self,
            sums=Sums(),
            monitored=dict(monitored),
            validation_loss=loss if on_validation else None,
            best_loss=loss if better else self.best_loss,
            best_step=(self.step if on_validation else None) if better else self.best_step,
            evaluations_since_best=0 if better else self.evaluations_since_best + 1,
        )

    def after_losses(self, monitored: Sequence[float]) -> "TrainingProgress":
        """Progress after steps that were each evaluated, one monitored loss a step.

        It lacks the metrics of its last step: the evaluation of the step after it brings them.
        """
        lowest = int(np.argmin(monitored))
        better = self.best_loss is None or monitored[lowest] < self.best_loss
        return replace(
            self,
            step=self.step + len(monitored),
            sums=Sums(),
            validation_loss=None,
            best_loss=monitored[lowest] if better else self.best_loss,
            best_step=None if better else self.best_step,
            evaluations_since_best=len(monitored) - 1 - lowest if better else self.evaluations_since_best + len(monitored),
        )

    def after_trials(self, splits: Mapping[str, Mapping[str, Numbers]]) -> "TrainingProgress":
        """Progress after an evaluation of several trials, by split; a trial whose loss is not finite has diverged."""
        trials = {
            split: {name: values for name, values in metrics.items() if isinstance(values, list)}
            for split, metrics in splits.items()
        }
        losses = np.array([metrics["loss"] for metrics in trials.values()])
        unsound = np.flatnonzero(~np.isfinite(losses).all(axis=0)).tolist()
        return replace(self, trials=trials).with_diverged(dict.fromkeys(unsound, self.step))

    def with_diverged(self, diverged: Mapping[int, int]) -> "TrainingProgress":
        """Progress with more diverged trials; the step of a trial that had diverged before stays."""
        return replace(self, diverged={**diverged, **self.diverged})

    def to_json(self) -> dict[str, Any]:
        """As plain numbers and dicts."""
        return {**asdict(self), "diverged": {str(trial): step for trial, step in self.diverged.items()}}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "TrainingProgress":
        """The inverse of `to_json`.

        Raises:
            ValueError: for values that no training saves; or KeyError, TypeError.
        """
        # Checkpoints before 0.2 called trials copies. JSON's keys are text.
        values = {"trials" if key == "copies" else key: value for key, value in values.items()}
        diverged = {int(trial): step for trial, step in values["diverged"].items()}
        progress = cls(**{**values, "sums": Sums(**values["sums"]), "diverged": diverged})
        progress._check()
        return progress

    def _check(self) -> None:
        """Refuses values of other types, which anybody may have written into a file."""
        steps = (self.step, self.best_step, self.evaluations_since_best, *self.diverged.values())
        losses = (self.validation_loss, self.best_loss, *self.monitored.values(), *self.seconds.values())
        if any(type(value) not in (int, NoneType) for value in steps) or None in (self.step, self.evaluations_since_best):
            raise ValueError("a number of steps must be a whole number")
        if any(type(value) not in (int, float, NoneType) for value in losses):
            raise ValueError("a loss, a metric or a time must be a number")
        numbers = [self.sums.loss, self.sums.correct, self.sums.count]
        numbers += [values for metrics in self.trials.values() for values in metrics.values()]
        if any(type(value) not in (int, float) for some in numbers for value in (some if isinstance(some, list) else [some])):
            raise ValueError("sums and trials must hold numbers")
