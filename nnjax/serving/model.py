"""A model that answers: its facts, and a function from inputs to outputs, from a run or from a file.

    model = Model(facts, outputs_of, typical)
    answers = model.answer(inputs)                         # one for each input
    answers[0].label, answers[0].probability               # "7", 0.998

`nnjax.api.predicting.model_of_run` makes one from a run's checkpoint, and `nnjax.serving.model_file.read_model` from a file;
commands, the server and the page use either in the same way.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnjax.config.errors import InputError
from nnjax.serving.facts import ModelFacts
from nnjax.serving.preparing import Prepared
from nnjax.serving.typical import Typical

OutputsOf = Callable[[NDArray[Any]], NDArray[np.float32]]
"""[n, *shape] inputs, as the dataset stores them → [trials, n, num_outputs] outputs. n may be any number above 0."""

Numbers = NDArray[np.float32] | NDArray[np.float64]

NOT_FINITE = "the network's outputs are no finite numbers"
LEAST_PROBABILITY = 1e-6
"""What outputs that stand for probabilities are clipped at before their logarithm is taken."""


@dataclass(frozen=True)
class Answer:
    """The answer to one input.

    Attributes:
        probabilities: [k] the mean over the trials of their calibrated probabilities; for regression, of their values, which
            are float64 for a series.
        spread: [k] their standard deviation over the trials, as of a sample (n − 1); 0 for one.
        by_trial: [trials, k] what `probabilities` is the mean of.
        label: the most probable class; None for regression, or if the outputs are not finite.
        probability: the label's; None for regression.
        warnings: reasons to doubt the answer, such as an input unlike the training data.
    """

    probabilities: Numbers
    spread: Numbers
    by_trial: Numbers
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
        """Returns [trials, n, k] each trial's calibrated probabilities; for regression, its outputs.

        Args:
            inputs: [n, *facts.inputs.shape] of the stored type.

        Raises:
            InputError: if the inputs have another shape or type.
        """
        wanted = self.facts.inputs
        if inputs.ndim != 1 + len(wanted.shape) or inputs.shape[1:] != wanted.shape:
            raise InputError(f"inputs of shape {inputs.shape}: must be [n, {', '.join(map(str, wanted.shape))}]")
        if inputs.dtype != wanted.dtype:
            raise InputError(f"inputs of type {inputs.dtype}: must be {wanted.dtype}, as the training data are stored")
        if not len(inputs):
            return np.zeros((self.facts.num_trials, 0, self.facts.num_outputs), np.float32)
        outputs = np.asarray(self.outputs_of(inputs))
        if self.facts.task == "regression":
            return outputs
        return calibrated(outputs, self.facts.from_logits, self.facts.temperatures)

    def answer(self, inputs: NDArray[Any]) -> Sequence[Answer]:
        """Answers [n, *facts.inputs.shape] inputs of the stored type.

        Raises:
            InputError: if they have another shape or type.
        """
        by_trial = self.probabilities(inputs)
        doubts = self.typical.judge(inputs, self.facts.inputs.features) if self.typical and len(inputs) else None
        answers = []
        with np.errstate(invalid="ignore", over="ignore"):
            mean, std = by_trial.mean(0), spread_of(by_trial)
        for index, (means, spread) in enumerate(zip(mean, std, strict=True)):
            warning = doubts[index].warning if doubts else None
            warnings = (warning,) if warning else ()
            label = probability = None
            if not np.isfinite(means).all():
                warnings = (*warnings, NOT_FINITE)
            elif self.facts.task == "classification":
                best = int(means.argmax())
                label, probability = self.facts.labels[best], float(means[best])
            answers.append(Answer(means, spread, by_trial[:, index], label, probability, warnings))
        return answers

    def answer_pictures(self, pictures: Sequence[Prepared]) -> Sequence[Answer]:
        """Answers pictures that `nnjax.serving.preparing.prepare` made, with its warnings before the answers' own."""
        if not pictures:
            return []
        answers = self.answer(np.stack([picture.inputs for picture in pictures]))
        return [
            replace(answer, warnings=(*picture.warnings, *answer.warnings))
            for picture, answer in zip(pictures, answers, strict=True)
        ]


def spread_of(by_trial: Numbers) -> Any:
    """[trials, …] numbers → […] their standard deviation, as a forecast and a summary have it; 0 for one trial."""
    return by_trial.std(0, ddof=1) if len(by_trial) > 1 else np.zeros_like(by_trial[0])


def calibrated(outputs: NDArray[np.float32], from_logits: bool, temperatures: Sequence[float]) -> NDArray[np.float32]:
    """Returns [trials, n, k] probabilities: the softmax of logits divided by each trial's temperature (Guo et al., 2017).

    Args:
        outputs: [trials, n, k].
        from_logits: whether outputs are logits. Else they were trained to be 1 for the true class and 0 for the others: they
            are clipped to (0, 1] and divided by their sum, and their logarithms serve as logits.
        temperatures: one for each trial, above 0.
    """
    logits = outputs if from_logits else np.log(np.clip(outputs, LEAST_PROBABILITY, 1))
    scaled = logits / np.asarray(temperatures, np.float32).reshape(-1, 1, 1)
    with np.errstate(invalid="ignore"):  # an infinite output makes probabilities NaN, which a warning of the answer's says
        powers = np.exp(scaled - scaled.max(-1, keepdims=True))
        return np.asarray(powers / powers.sum(-1, keepdims=True))
