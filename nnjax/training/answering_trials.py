"""Which trials of a run answer as one network.

    rate, answering = answering_trials(experiment, state, np.arange(6))
    rate, answering                          # 0.03 and [0, 1, 2], where training.vary.learning_rate=[0.03,0.000001]

Trials that differ in the seed alone are made equally, and their mean is better than one of them. Those of several learning
rates are not: the mean of a trained network and an untrained one is neither.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nnjax.checks.trials import Trial
from nnjax.training.experiment import Experiment
from nnjax.training.state import TrainState


def answering_trials(
    experiment: Experiment, state: TrainState, candidates: NDArray[np.intp]
) -> tuple[float | None, NDArray[np.intp]]:
    """Returns the learning rate of the trials that answer, None where it does not vary, and the trials.

    Where it varies, it is the rate with the smallest mean loss of the validation split; of the training split where that is
    empty.

    Args:
        experiment: as trained.
        state: as placed on the devices.
        candidates: numbers of the trials to choose from, such as those that did not diverge; at least one.
    """
    trials = experiment.plan.trials
    if len({trials[trial].learning_rate for trial in candidates}) < 2:
        rate = trials[candidates[0]].learning_rate if differ_in_rate(trials) else None
        return rate, candidates
    split = experiment.dataset.validation if len(experiment.dataset.validation) else experiment.dataset.train
    losses = np.broadcast_to(np.asarray(experiment.evaluate(state, split).metrics["loss"], np.float64), len(trials))
    by_rate: dict[float, list[int]] = {}
    for trial in candidates.tolist():
        by_rate.setdefault(trials[trial].learning_rate, []).append(trial)
    best = min(by_rate, key=lambda rate: _or_infinite(float(losses[by_rate[rate]].mean())))
    return best, np.array(by_rate[best], np.intp)


def differ_in_rate(trials: Sequence[Trial]) -> bool:
    """Whether some trials differ in more than the seed."""
    return len({trial.learning_rate for trial in trials}) > 1


def _or_infinite(value: float) -> float:
    return value if math.isfinite(value) else math.inf
