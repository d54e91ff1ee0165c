"""A model that answers: its facts, and a function from inputs to outputs, from a run or from a file.

    model = Model(facts, outputs_of, typical)
    answers = model.answer(inputs)                         # one for each input
    answers[0].label, answers[0].probability               # "7", 0.998

`nnjax.api.predicting.model_of_run` makes one from a run's checkpoint, and `nnjax.serving.model_file.read_model` from a file;
commands, the server and the page use either in the same way.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnjax.serving.facts import ModelFacts
from nnjax.serving.typical import Typical

OutputsOf = Callable[[NDArray[Any]], NDArray[np.float32]]
"""[n, *shape] inputs, as the dataset stores them → [trials, n, num_outputs] outputs. n may be any number above 0."""


@dataclass(frozen=True)
class Answer:
    """The answer to one input.

    Attributes:
        probabilities: [k] the mean over the trials of their calibrated probabilities; for regression, of their values.
        spread: [k] their standard deviation over the trials; 0 for one.
        label: the most probable class; None for regression.
        probability: the label's; None for regression.
        warnings: reasons to doubt the answer, such as an input unlike the training data.
    """

    probabilities: NDArray[np.float32]
    spread: NDArray[np.float32]
    label: str | None
    probability: float | None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Model:
    """See the module. `typical` judges inputs; None where nothing was fitted."""

    facts: ModelFacts
    outputs_of: OutputsOf
    typical: Typical | None

    def probabilities(self, inputs: NDArray[Any]) -> NDArray[np.float32]:
        """[trials, n, k] each trial's calibrated probabilities of [n, *shape] inputs; for regression, the outputs."""
        raise NotImplementedError

    def answer(self, inputs: NDArray[Any]) -> Sequence[Answer]:
        """Answers [n, *facts.inputs.shape] inputs of the stored type."""
        raise NotImplementedError
