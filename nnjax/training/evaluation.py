"""Evaluation: every example counts exactly once, at any batch size and on any number of devices.

    evaluate = Evaluator(recipe, placement, batch_size=1000)
    result = evaluate(state, dataset.test)
    result.loss, result.accuracy, result.count              # 0.0312, 0.9903, 10000

The last batch is padded; the outputs of the padding are discarded on the host before anything is summed. Several trials are
measured separately, on the same batches.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from numpy.typing import NDArray

from nnjax.config.option_numbers import numbers_of, with_numbers
from nnjax.data.augment import views
from nnjax.data.dataset import Split
from nnjax.parallel.placement import Placement
from nnjax.parallel.preemption import StopSignal
from nnjax.training.hyperparams import Normalization, as_arrays, normalized
from nnjax.training.kept_program import KeptFunction
from nnjax.training.losses import example_loss
from nnjax.training.program_use import ProgramUse
from nnjax.training.state import Pytree, SplitNetwork, TrainState
from nnjax.training.step import StepRecipe
from nnjax.training.training_progress import Numbers, mask_nonfinite

_Numbers = tuple[Normalization | None, dict[str, Any]]  # the second: of the loss, by path


class EvaluationStoppedError(Exception):
    """A signal came in the middle of an evaluation, which is left undone."""


@dataclass(frozen=True)
class Evaluation:
    """The measurements on a split; with several trials, lists in place of numbers, and arrays [trials, ...].

    Attributes:
        loss: mean over the examples.
        accuracy: share of correctly classified examples; None for regression.
        count: number of examples.
        losses: [n] float32, each example's loss, in the split's order.
        outputs: [n, k] float32, the network's outputs (logits, for cross-entropy).
    """

    loss: Numbers
    accuracy: Numbers | None
    count: int
    losses: NDArray[np.float32]
    outputs: NDArray[np.float32]

    @property
    def metrics(self) -> dict[str, Numbers]:
        """The loss, and the accuracy for classification."""
        return {"loss": self.loss} | ({} if self.accuracy is None else {"accuracy": self.accuracy})

    def first_finite(self) -> int | None:
        """The first trial, counted from 0, with a finite loss; 0 for a single network, None if no loss is finite."""
        return next((trial for trial, loss in enumerate(np.atleast_1d(self.loss)) if np.isfinite(loss)), None)


def make_outputs(network: SplitNetwork, test_views: Literal[1, 2, 6]) -> Callable[[Pytree, Pytree, jax.Array], jax.Array]:
    """Makes a network's forward pass in evaluation mode.

    Args:
        network: the static half.
        test_views: the number of views of an image whose outputs are averaged.

    Returns:
        A function of parameters, model state and normalised inputs [b, ...], which returns the outputs [b, k].
    """

    def outputs_of(params: Pytree, model_state: Pytree, x: jax.Array) -> jax.Array:
        def of_view(view: jax.Array) -> jax.Array:
            return network.apply(params, model_state, view, train=False)[0]

        if test_views == 1:
            return of_view(x)
        # One view after another, as all at once would take as many times the memory.
        seen, weights = views(x, test_views)
        return jnp.einsum("v,vbk->bk", weights, lax.map(of_view, seen))

    return outputs_of


class Evaluator:
    """A compiled forward pass in evaluation mode; compiles at the first call and serves splits of every size."""

    def __init__(
        self,
        recipe: StepRecipe,
        placement: Placement,
        batch_size: int,
        test_views: Literal[1, 2, 6] = 1,
        *,
        use: ProgramUse | None = None,
    ) -> None:
        """Makes the evaluator.

        Args:
            recipe: network, loss and normalisation, with plain numbers, which become arguments of the program.
            placement: devices and trials.
            batch_size: examples per call, over all devices; a multiple of their number.
            test_views: the number of views of an image whose outputs are averaged.
            use: what its program is kept for; None keeps none.
        """
        outputs_of = make_outputs(recipe.network, test_views)

        def forward(
            params: Pytree, model_state: Pytree, numbers: _Numbers, inputs: jax.Array, targets: jax.Array
        ) -> tuple[jax.Array, jax.Array]:
            normalization, loss = numbers
            outputs = outputs_of(params, model_state, normalized(inputs, normalization))
            return example_loss(with_numbers(recipe.loss, loss), outputs, targets), outputs

        def forward_of_all(
            params: Pytree, model_state: Pytree, numbers: _Numbers, inputs: jax.Array, targets: jax.Array
        ) -> tuple[jax.Array, jax.Array]:
            results: tuple[jax.Array, jax.Array] = placement.map(
                lambda own: forward(own[0], own[1], numbers, inputs, targets), (params, model_state)
            )
            return results

        self._classification = recipe.classification
        self._numbers: _Numbers = placement.replicate((recipe.normalization, as_arrays(numbers_of(recipe.loss))))
        self._placement = placement
        self._batch_size = batch_size
        self._forward = KeptFunction(placement.compile(forward_of_all), use, (0, 0))

    def __call__(self, state: TrainState, split: Split, stop: StopSignal | None = None) -> Evaluation:
        """Measures a split.

        Args:
            state: as placed on the devices.
            split: at least one example.
            stop: a request that is overdue ends the evaluation; None goes on to the end.

        Raises:
            EvaluationStoppedError: if `stop` ended it.
        """
        losses, outputs = [], []
        for arguments in self._calls(state, split):
            if stop is not None and stop.is_overdue:
                raise EvaluationStoppedError
            results = self._forward(*arguments)
            batch_losses, batch_outputs = map(self._placement.get_outputs, results)
            losses.append(batch_losses)
            outputs.append(batch_outputs)
        all_losses = np.concatenate(losses, axis=-1)[..., : len(split)]
        all_outputs = np.concatenate(outputs, axis=-2)[..., : len(split), :]
        loss: Numbers = all_losses.mean(axis=-1, dtype=np.float64).tolist()
        correct = np.argmax(all_outputs, axis=-1) == split.targets if self._classification else None
        return Evaluation(
            loss=loss,
            accuracy=None if correct is None else mask_nonfinite(loss, correct.mean(axis=-1)),
            count=len(split),
            losses=all_losses,
            outputs=all_outputs,
        )

    def lower(self, state: TrainState, split: Split) -> Any:
        """The program that `__call__` runs, as from `jax.jit(…).lower`; for its text or its costs."""
        return self._forward.lower(*next(self._calls(state, split)))

    def _calls(self, state: TrainState, split: Split) -> Iterator[tuple[Any, ...]]:
        """The arguments of each call."""
        for batch in _padded_batches(split, self._batch_size):
            yield state.params, state.model_state, self._numbers, *self._placement.put_examples(batch)


def _padded_batches(split: Split, batch_size: int) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """The split in order, in batches of one size; the last is padded with repeats of its last example."""
    for first in range(0, len(split), batch_size):
        rows = slice(first, first + batch_size)
        inputs, targets = split.inputs[rows], split.targets[rows]
        missing = batch_size - len(inputs)
        if missing:
            inputs = np.concatenate([inputs, np.repeat(inputs[-1:], missing, axis=0)])
            targets = np.concatenate([targets, np.repeat(targets[-1:], missing, axis=0)])
        yield inputs, targets
