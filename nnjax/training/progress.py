"""How far a training has come: what a checkpoint holds besides the state, so that going on loses nothing.

progress = TrainingProgress()
progress = progress.after_steps(loss, correct, count)        # sums over each step's examples, [steps]
progress = progress.after_evaluation({"loss": 0.31}, on_validation=True)
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Sums:
    """Sums over training examples since the last evaluation.

    Attributes:
        loss: of all examples.
        correct: examples whose class was right.
        count: examples.
    """

    loss: float = 0.0
    correct: float = 0.0
    count: float = 0.0

    def plus(self, loss: NDArray[Any], correct: NDArray[Any], count: NDArray[Any]) -> "Sums":
        """These sums and those of more steps, each [steps].

        Added in float64 and one by one, so that the result does not depend on how the steps were cut into calls.
        """
        sums = (
            np.cumsum([total, *more], dtype=np.float64)[-1]
            for total, more in ((self.loss, loss), (self.correct, correct), (self.count, count))
        )
        return Sums(*map(float, sums))

    def means(self, classification: bool) -> dict[str, float]:
        """Mean loss, and accuracy for classification; empty if nothing was counted."""
        if not self.count:
            return {}
        return {"loss": self.loss / self.count} | ({"accuracy": self.correct / self.count} if classification else {})


@dataclass(frozen=True)
class TrainingProgress:
    """Everything the loop must know to go on, besides the state.

    Attributes:
        step: steps done.
        sums: of training since the last evaluation.
        monitored: what stop rules look at, as it was last measured.
        validation_loss: measured at this very step; None if it was not.
        best_loss: lowest monitored loss so far.
        evaluations_since_best: evaluations that did not lower it.
        seconds: time spent by phase, in this and earlier sittings.
    """

    step: int = 0
    sums: Sums = Sums()
    monitored: dict[str, float] = field(default_factory=dict)
    validation_loss: float | None = None
    best_loss: float | None = None
    evaluations_since_best: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    def after_steps(self, loss: NDArray[Any], correct: NDArray[Any], count: NDArray[Any]) -> "TrainingProgress":
        """Progress after more steps; their sums are [steps] each."""
        return replace(self, step=self.step + len(loss), sums=self.sums.plus(loss, correct, count), validation_loss=None)

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
            evaluations_since_best=0 if better else self.evaluations_since_best + 1,
        )

    def to_json(self) -> dict[str, Any]:
        """As plain numbers and dicts."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "TrainingProgress":
        """The inverse of `to_json`."""
        return cls(**{**values, "sums": Sums(**values["sums"])})
