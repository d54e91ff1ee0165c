"""Evaluation: every example counts exactly once, at any batch size and on any number of devices.

    evaluate = Evaluator(recipe, parallel, batch_size=1000)
    result = evaluate(state, dataset.test)
    result.loss, result.accuracy, result.count              # 0.0312, 0.9903, 10000

A last batch that is not full is padded, and the padding's outputs are thrown away on the host before anything is summed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from nnjax.data.augment import normalize
from nnjax.data.dataset import Split
from nnjax.parallel.data_parallel import DataParallel
from nnjax.training.losses import example_loss
from nnjax.training.state import Pytree, TrainState
from nnjax.training.step import StepRecipe


@dataclass(frozen=True)
class Evaluation:
    """What a split measured.

    Attributes:
        loss: mean over the examples.
        accuracy: share of the examples whose largest output is the true class's; None for regression.
        count: examples measured.
        losses: [n] float32, of each example, in the split's order.
        outputs: [n, k] float32, the network's outputs (logits, for cross-entropy).
    """

    loss: float
    accuracy: float | None
    count: int
    losses: NDArray[np.float32]
    outputs: NDArray[np.float32]

    @property
    def metrics(self) -> dict[str, float]:
        """Loss, and accuracy where there is one."""
        return {"loss": self.loss} | ({} if self.accuracy is None else {"accuracy": self.accuracy})


class Evaluator:
    """A compiled forward pass in evaluation mode; compiles at the first call and serves splits of every size."""

    def __init__(self, recipe: StepRecipe, parallel: DataParallel, batch_size: int) -> None:
        """Makes the evaluator.

        Args:
            recipe: the network, the loss and the normalisation.
            parallel: the devices.
            batch_size: examples a call, over all devices; a multiple of their number.
        """

        def forward(params: Pytree, model_state: Pytree, inputs: jax.Array, targets: jax.Array) -> tuple[jax.Array, jax.Array]:
            x = normalize(inputs, recipe.mean, recipe.std)
            outputs, _ = recipe.network.apply(params, model_state, x, train=False)
            return example_loss(recipe.loss, outputs, targets), outputs

        self._classification = recipe.classification
        self._parallel = parallel
        self._batch_size = batch_size
        self._forward = parallel.compile(forward)

    def __call__(self, state: TrainState, split: Split) -> Evaluation:
        """Measures a split.

        Args:
            state: as it lies on the devices.
            split: what to measure; at least one example.
        """
        losses, outputs = [], []
        for inputs, targets in _padded_batches(split, self._batch_size):
            batch = self._parallel.split((inputs, targets))
            results = self._forward(state.params, state.model_state, *batch)
            batch_losses, batch_outputs = map(self._parallel.join, results)
            losses.append(batch_losses)
            outputs.append(batch_outputs)
        all_losses = np.concatenate(losses)[: len(split)]
        all_outputs = np.concatenate(outputs)[: len(split)]
        correct = np.argmax(all_outputs, axis=-1) == split.targets if self._classification else None
        return Evaluation(
            loss=float(all_losses.mean(dtype=np.float64)),
            accuracy=None if correct is None else float(correct.mean()),
            count=len(all_losses),
            losses=all_losses,
            outputs=all_outputs,
        )


def _padded_batches(split: Split, batch_size: int) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """The split in order, in batches of one size; the last is filled up with its own last example."""
    for first in range(0, len(split), batch_size):
        rows = slice(first, first + batch_size)
        inputs, targets = split.inputs[rows], split.targets[rows]
        missing = batch_size - len(inputs)
        if missing:
            inputs = np.concatenate([inputs, np.repeat(inputs[-1:], missing, axis=0)])
            targets = np.concatenate([targets, np.repeat(targets[-1:], missing, axis=0)])
        yield inputs, targets
