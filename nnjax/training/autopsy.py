"""Repeats the step at which a training diverged, from its files alone, and finds where the first number went wrong.

    replay = Replay(config, read_diverged(folder, template_of(config)), jax.devices()[0])
    replay.course()            # norms after each of the steps before it
    replay.layers()            # norms by layer in that step
    replay.cause()             # the layer and the operation

Everything is computed on one device, the whole batch at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from nnjax.config.schema import Config
from nnjax.data.dataset import Dataset, Split
from nnjax.data.dataset_spec import DatasetSpec
from nnjax.training.diagnosis import alone
from nnjax.training.diverged_files import DivergedStep
from nnjax.training.experiment import Experiment, set_up
from nnjax.training.losses import example_loss
from nnjax.training.op_search import first_bad_operation
from nnjax.training.operations import BadOperation
from nnjax.training.state import Pytree, TrainState
from nnjax.training.step import INPUTS_SCOPE, LOSS_SCOPE, OPTIMIZER_SCOPE, prepare_batch, train_step

SCOPES = (INPUTS_SCOPE, LOSS_SCOPE, OPTIMIZER_SCOPE)


@dataclass(frozen=True)
class StepNorms:
    """Norms of one step; the root of the sum of squares, or None where that was not measured.

    Attributes:
        step: counted from 1.
        rate: the learning rate.
        loss: mean over the batch.
        params: of all parameters before the step.
        gradients: of all gradients.
        update: of the change of all parameters.
    """

    step: int
    rate: float
    loss: float
    params: float
    gradients: float
    update: float


@dataclass(frozen=True)
class LayerNorms:
    """Norms of one layer in the step.

    Attributes:
        name: of the layer.
        params: norm of its parameters; None without any.
        output: root mean square of its outputs.
        largest: largest absolute output.
        nonfinite: how many outputs are not finite.
        gradient: norm of the gradient of its parameters; None without any.
    """

    name: str
    params: float | None
    output: float
    largest: float
    nonfinite: int
    gradient: float | None


def prepared(config: Config, found_seed: int, learning_rate: float) -> Config:
    """The config of one trial, on one device."""
    training = replace(config.training, seeds=1, vary=replace(config.training.vary, learning_rate=None))
    optimizer = replace(config.optimizer, learning_rate=learning_rate)
    parallel = replace(config.parallel, devices=1)
    return replace(config, seed=found_seed, training=training, optimizer=optimizer, parallel=parallel)


def stand_in(spec: DatasetSpec, mean: Any, std: Any) -> Dataset:
    """A dataset with the facts of another and no examples of its own: zeros that take no memory."""

    def split(count: int) -> Split:
        classes = spec.task == "classification"
        targets: Any = np.zeros((), np.int32 if classes else np.float32)
        inputs = np.broadcast_to(np.zeros((), spec.input_dtype), (count, *spec.input_shape))
        return Split(inputs, np.broadcast_to(targets, (count,) if classes else (count, spec.num_outputs)))

    names = tuple(map(str, range(spec.num_outputs))) if spec.task == "classification" else ()
    return Dataset(spec, split(spec.num_train), split(spec.num_validation), split(spec.num_test), mean, std, names)


def experiment_of(config: Config, spec: DatasetSpec, device: jax.Device, mean: Any, std: Any) -> tuple[Experiment, TrainState]:
    """The experiment of a config from `prepared`, without its data, and a state of its shapes."""
    return set_up(config, stand_in(spec, mean, std), [device])


class Replay:
    """The steps of a diverged training, repeated.

    Args:
        experiment: from `experiment_of`.
        found: the step.
    """

    def __init__(self, experiment: Experiment, found: DivergedStep) -> None:
        self.found, self._experiment = found, experiment
        self._recipe = experiment.recipe

    @cached_property
    def _step(self) -> Any:
        return jax.jit(partial(alone, lambda *args: train_step(self._recipe, *args)))

    def take(self) -> tuple[TrainState, float]:
        """Repeats the step; returns the state after it, and the mean loss of its batch."""
        batch = self.found.batches[self.found.step]
        state, (loss, _) = self._step(_arrays(self.found.state), *_arrays(batch))
        return jax.device_get(state), float(loss) / len(batch[0])

    def course(self) -> list[StepNorms]:
        """The norms of each step that was kept, in order; the last one is that of the step that diverged."""
        if self.found.split != "train":
            return []
        rows, state = [], _arrays(self.found.earlier)
        for number, batch in sorted(self.found.batches.items()):
            if number == self.found.step:
                state = _arrays(self.found.state)  # that of the training itself, which another machine may not give to the bit
            after, _ = self._step(state, *_arrays(batch))
            loss, _, gradients = self._measure(state, *_arrays(batch))
            update = jax.tree.map(lambda new, old: new - old, after.params, state.params)
            rate = self._experiment.learning_rate(number - 1)
            rows.append(StepNorms(number, rate, float(loss), _norm(state.params), _norm(gradients), _norm(update)))
            state = after
        return rows

    def layers(self) -> list[LayerNorms]:
        """The norms of each layer in the step that diverged, or in the evaluation."""
        state, batch = _arrays(self.found.state), _arrays(self.found.batches[self.found.step])
        _, outputs, gradients = self._measure(state, *batch)
        rows = []
        for name in self._recipe.network.layer_names:
            own, gradient = state.params.get(name), gradients.get(name) if gradients else None
            output = np.asarray(outputs[name], np.float64)
            finite = output[np.isfinite(output)]
            rows.append(
                LayerNorms(
                    name,
                    None if own is None else _norm(own),
                    float(np.sqrt(np.mean(np.square(finite)))) if finite.size else np.nan,
                    float(np.abs(finite).max()) if finite.size else np.nan,
                    output.size - finite.size,
                    None if gradient is None else _norm(gradient),
                )
            )
        return rows

    def cause(self) -> BadOperation | str | None:
        """Where the first number that is not finite is made; as from `first_bad_operation`."""
        names = (*SCOPES, *self._recipe.network.layer_names)
        state, batch = _arrays(self.found.state), _arrays(self.found.batches[self.found.step])

        def results(state: TrainState, inputs: jax.Array, targets: jax.Array, examples: jax.Array) -> dict[str, Any]:
            if self.found.split != "train":
                return {"loss": self._evaluated(state, inputs, targets)[0]}
            after, (loss, _) = train_step(self._recipe, state, inputs, targets, examples)
            return {"loss": loss, "params": after.params, "model_state": after.model_state, "slow": after.slow}

        return first_bad_operation(partial(alone, results), state, *batch, names=names)

    def _evaluated(self, state: TrainState, inputs: jax.Array, targets: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
        from nnjax.training.hyperparams import normalized

        recipe = self._recipe
        with jax.named_scope(INPUTS_SCOPE):
            x = normalized(inputs, recipe.normalization)
        network = nnx.merge(recipe.network.eval_graph, state.params, state.model_state, copy=True)
        outputs = dict(network.layer_outputs(x))
        *_, last = outputs.values()
        with jax.named_scope(LOSS_SCOPE):
            return example_loss(recipe.loss, last.astype(jnp.float32), targets).mean(), outputs

    @cached_property
    def _measure(self) -> Any:
        """From a state and a batch to the mean loss, each layer's outputs, and the gradients."""
        recipe = self._recipe

        def measure(state: TrainState, inputs: jax.Array, targets: jax.Array, examples: jax.Array) -> Any:
            if self.found.split != "train":
                return (*self._evaluated(state, inputs, targets), {})
            x, dropout_key = prepare_batch(recipe, state.step, inputs, examples)

            def batch_loss(params: Pytree) -> tuple[jax.Array, dict[str, jax.Array]]:
                network = nnx.merge(recipe.network.train_graph, params, state.model_state, copy=True)
                outputs = dict(network.layer_outputs(x, rngs=nnx.Rngs(dropout=dropout_key)))
                *_, last = outputs.values()
                return example_loss(recipe.loss, last.astype(jnp.float32), targets).mean(), outputs

            (loss, outputs), gradients = jax.value_and_grad(batch_loss, has_aux=True)(state.params)
            return loss, outputs, gradients

        return jax.jit(partial(alone, measure))


def growth(course: list[StepNorms], name: str) -> tuple[int, float] | None:
    """Where a norm began to grow: the step after which it only grew, and how many times it has grown since; None if it did not.

    Args:
        course: of the steps before the divergence.
        name: of the norm, such as "gradients".
    """
    values = [(row.step, getattr(row, name)) for row in course]
    finite = list(_until_nonfinite(values))
    if len(finite) < 2:
        return None
    begin = len(finite) - 1
    while begin > 0 and finite[begin - 1][1] < finite[begin][1]:
        begin -= 1
    step, first = finite[begin]
    times = finite[-1][1] / first if first > 0 else np.inf
    return (step, times) if times >= 10 else None


def _until_nonfinite(values: list[tuple[int, float]]) -> Iterator[tuple[int, float]]:
    for step, value in values:
        if not np.isfinite(value):
            return
        yield step, value


def _norm(tree: Pytree) -> float:
    """The root of the sum of squares of all numbers; computed in float64, since squares of float32 overflow."""
    parts = [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(jax.device_get(tree))]
    return float(np.sqrt(sum(float(np.square(part).sum()) for part in parts)))


def _arrays(tree: Any) -> Any:
    return jax.tree.map(jnp.asarray, tree)
