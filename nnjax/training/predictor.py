"""A network's outputs for a few examples, on one device: a forward pass without padding to a whole evaluation batch.

    predict = Predictor(experiment, state)
    predict(images)                              # [trials, n, k] float32, as `experiment.evaluate` computes them

Programs are compiled for `BATCH_SIZES` alone, each when it is first needed: other numbers of examples are padded to the next
size, and many examples are split.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnjax.data.dataset import Split
from nnjax.parallel.placement import Placement
from nnjax.training.evaluation import Evaluator
from nnjax.training.experiment import Experiment
from nnjax.training.state import TrainState

BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 256)
"""Examples per call; twice as many take a CPU about twice as long. A server uses them all, a command one or two."""


class Predictor:
    """Calls a trained network.

    Args:
        experiment: its recipe, with the views of an image that are averaged (`training.test_views`).
        state: as NumPy arrays, as on one device; with several trials [trials, ...].

    Attributes:
        num_trials: networks that answer.
    """

    def __init__(self, experiment: Experiment, state: TrainState) -> None:
        config, plan = experiment.config, experiment.plan
        # One trial after another: convolutions of several kernels at once are slow, and a few examples take no time.
        placement = Placement(config.parallel.name, experiment.placement.devices[:1], plan.num_trials, at_once=1)
        # Without the optimizer's memory, which no output depends on.
        self._state = TrainState(state.step, placement.put(state.params), placement.put(state.model_state), None)
        self._evaluators = {
            size: Evaluator(experiment.recipe, placement, size, config.training.test_views) for size in BATCH_SIZES
        }
        spec = experiment.dataset.spec
        self._targets: tuple[tuple[int, ...], Any] = ((), np.int32)
        if spec.task == "regression":
            self._targets = ((spec.num_outputs,), np.float32)
        self.num_trials = plan.num_trials

    def __call__(self, inputs: NDArray[Any]) -> NDArray[np.float32]:
        """Returns the outputs [trials, n, k] of [n, *input_shape] inputs, n > 0, of the stored type."""
        outputs = [self._outputs(inputs[rows]) for rows in _batches(len(inputs))]
        return np.concatenate(outputs, axis=1)

    def _outputs(self, inputs: NDArray[Any]) -> NDArray[np.float32]:
        shape, dtype = self._targets
        evaluate = next(evaluate for size, evaluate in self._evaluators.items() if size >= len(inputs))
        outputs = evaluate(self._state, Split(inputs, np.zeros((len(inputs), *shape), dtype))).outputs
        return outputs.reshape(self.num_trials, len(inputs), -1)


def _batches(count: int) -> Iterator[slice]:
    for first in range(0, count, BATCH_SIZES[-1]):
        yield slice(first, min(first + BATCH_SIZES[-1], count))
