"""The interface of a contestant, and the common part of those that train step by step.

trainer.first_step()                    # the time at its end
trainer.curve(50)                       # from the initial weights: [(0, 1, loss), (1, 2, loss), …]
trainer.run(seconds=2.0)                # (steps, seconds), from the current state
trainer.reach(0.98, epochs=10)          # from the initial weights: [(moment, accuracy), …], one per epoch
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.tasks import Inputs

Curve = list[tuple[int, int, float]]  # first step, end, and mean loss of the steps between
Moments = list[tuple[float, float]]  # time.monotonic(), which all processes share; test accuracy

_EVALUATION_BATCH = 1000


class Trainer(Protocol):
    """A contestant at work.

    Attributes:
        detail: settings chosen by trial, for the report.
    """

    detail: dict[str, Any]

    def first_step(self) -> float:
        """Trains one step; returns the time at its end."""

    def curve(self, steps: int) -> Curve:
        """Returns the losses of the first steps."""

    def run(self, seconds: float) -> tuple[int, float]:
        """Trains for about so many seconds; returns steps and seconds."""

    def reach(self, accuracy: float, epochs: int) -> Moments:
        """Trains until the test accuracy is reached, for at most so many epochs."""


class StepByStep(ABC):
    """A trainer whose caller sets the number of steps.

    Args:
        inputs: the common inputs; the training split is normalised here, once.
    """

    def __init__(self, inputs: Inputs) -> None:
        self.inputs = inputs
        self.detail: dict[str, Any] = {}
        self.x = inputs.normalized(inputs.data.train_inputs)
        self.y = inputs.data.train_targets
        self._step, self._rate = 0, 0.0

    @abstractmethod
    def reset(self) -> None:
        """Resets the weights to the initial ones."""

    @abstractmethod
    def train(self, rows: NDArray[np.int32]) -> Sequence[Any]:
        """Does a step on each row of examples, `rows` [steps, batch], and waits; returns each step's loss."""

    @abstractmethod
    def predict(self, x: NDArray[np.float32]) -> NDArray[Any]:
        """Returns the classes [n] of normalised inputs."""

    def rows(self, first: int, steps: int) -> NDArray[np.int32]:
        """[steps, batch] the examples of consecutive steps; the first row follows the last."""
        known = self.inputs.indices
        return (
            known[first : first + steps] if first + steps <= len(known) else known[np.arange(first, first + steps) % len(known)]
        )

    def first_step(self) -> float:
        """See `Trainer`."""
        self.reset()
        self.train(self.rows(0, 1))
        return time.monotonic()

    def curve(self, steps: int) -> Curve:
        """See `Trainer`."""
        self.reset()
        losses = self.train(self.rows(0, steps))
        return [(i, i + 1, float(loss)) for i, loss in enumerate(losses)]

    def run(self, seconds: float) -> tuple[int, float]:
        """See `Trainer`."""
        start, done, took = time.perf_counter(), 0, 0.0
        while took < 0.8 * seconds:  # no tail of short calls
            steps = max(1, round(self._rate * (seconds - took)))
            self.train(self.rows(self._step % len(self.inputs.indices), steps))
            done, self._step = done + steps, self._step + steps
            took = time.perf_counter() - start
            self._rate = min(done / took, 8 * steps / seconds) if self._rate == 0 else done / took
        return done, took

    def reach(self, accuracy: float, epochs: int) -> Moments:
        """See `Trainer`."""
        self.reset()
        per_epoch = len(self.x) // self.inputs.task.batch
        moments: Moments = []
        x = self.inputs.normalized(self.inputs.data.test_inputs)
        for epoch in range(epochs):
            self.train(self.rows(epoch * per_epoch, per_epoch))
            classes = np.concatenate([self.predict(x[i : i + _EVALUATION_BATCH]) for i in range(0, len(x), _EVALUATION_BATCH)])
            moments.append((time.monotonic(), float(np.mean(classes == self.inputs.data.test_targets))))
            if moments[-1][1] >= accuracy:
                break
        return moments
