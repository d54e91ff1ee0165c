"""The calibration of a trained classifier, as in `summary.json`: temperatures, and the calibration error on the test split.

    summary["calibration"] = calibration_of(experiment, state, experiment.evaluate(state, dataset.test))

Several trials answer as one, by the mean of their probabilities, as in `nnjax.training.answering_trials`: without diverged
ones, and those of one learning rate. The errors are of that answer.
"""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nnjax.reporting.probabilities import probabilities

if TYPE_CHECKING:
    from nnjax.parallel.preemption import StopSignal
    from nnjax.training.evaluation import Evaluation
    from nnjax.training.experiment import Experiment
    from nnjax.training.state import TrainState


def calibration_of(
    experiment: "Experiment", state: "TrainState", test: "Evaluation", stop: "StopSignal | None" = None
) -> dict[str, Any] | None:
    """Fits a temperature to each trial on the validation split, and measures calibration on the test split.

    Args:
        experiment: with its dataset.
        state: the network's, on the devices.
        test: the evaluation of the test split.
        stop: as for an evaluation.

    Returns:
        None for regression. Else `temperature`, a number, with several trials a list with None for a diverged one, and
        `trials`, the numbers of those that answer; `fitted_on`, "validation", or None where no example is set aside, with
        temperatures of 1; `fitted_examples`;
        `ece_before` and `ece_after`, the expected calibration error on the test split without and with the temperatures; and
        `bins`: a list with `from`, `to`, and `before` and `after`, each with `count`, `confidence` and `accuracy`.

    Raises:
        EvaluationStoppedError: if `stop` ended it.
    """
    from nnjax.training.answering_trials import answering_trials
    from nnjax.training.calibration import NUM_BINS, mean_probabilities, reliability

    if not experiment.classification:
        return None
    validation, targets = experiment.dataset.validation, experiment.dataset.test.targets
    logits = _logits(experiment, test)
    finite = np.isfinite(np.atleast_1d(test.loss))  # a trial that diverged keeps its last finite parameters, and outputs
    temperatures: list[float | None] = [
        1.0 if known and np.isfinite(trial).all() else None for trial, known in zip(logits, finite, strict=True)
    ]
    if len(validation):
        temperatures = temperatures_of(experiment, experiment.evaluate(state, validation, stop), temperatures)
    used = [trial for trial, temperature in enumerate(temperatures) if temperature is not None]
    if not used:
        return None
    used = answering_trials(experiment, state, np.array(used))[1].tolist()
    fitted = [temperature for trial in used if (temperature := temperatures[trial]) is not None]
    before = reliability(mean_probabilities(logits[used], [1.0] * len(used)), targets)
    after = reliability(mean_probabilities(logits[used], fitted), targets)
    return {
        "temperature": temperatures if experiment.placement.many else temperatures[0],
        **({"trials": used} if experiment.placement.many else {}),
        "fitted_on": "validation" if len(validation) else None,
        "fitted_examples": len(validation),
        "ece_before": before.error,
        "ece_after": after.error,
        "bins": [
            {"from": place / NUM_BINS, "to": (place + 1) / NUM_BINS, "before": asdict(one), "after": asdict(other)}
            for place, (one, other) in enumerate(zip(before.bins, after.bins, strict=True))
        ],
    }


def temperatures_of(experiment: "Experiment", validation: "Evaluation", before: "list[float | None]") -> "list[float | None]":
    """Fits a temperature to each trial.

    Args:
        experiment: with its dataset.
        validation: the evaluation of the validation split.
        before: of each trial, None for a diverged one, which stays None.
    """
    from nnjax.training.calibration import fit_temperature

    targets = experiment.dataset.validation.targets
    return [
        fit_temperature(trial, targets) if known is not None and np.isfinite(trial).all() else None
        for trial, known in zip(_logits(experiment, validation), before, strict=True)
    ]


def _logits(experiment: "Experiment", evaluation: "Evaluation") -> NDArray[np.float32]:
    """[trials, n, k] the outputs, or the logarithms of a loss that compares them with 0 and 1."""
    outputs = evaluation.outputs if experiment.placement.many else evaluation.outputs[None]
    if experiment.config.loss.from_logits:
        return outputs
    with np.errstate(invalid="ignore"):  # a diverged trial
        logarithms: NDArray[np.float32] = np.log(probabilities(outputs, from_logits=False))
    return logarithms
