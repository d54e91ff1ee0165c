"""The training step, and the compiled call that does many of them.

`make_train_chunk` returns the function of one device; `Placement.compile` runs it on all::

    chunk = make_train_chunk(recipe, max_steps=100)
    state, metrics = chunk(state, batch, num_steps)        # metrics.loss [max_steps], summed over all devices

One step is: normalise and augment the batch, forward, loss, gradient, average of the gradients over the devices (see
`nnjax.parallel.averaging`), optax update. Steps run in a loop whose length is an argument, so one program serves every number
of steps.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax

from nnjax.config.data_options import Augment
from nnjax.config.training_options import Lookahead, Loss
from nnjax.data.augment import alternating_flip, augment_images
from nnjax.parallel.averaging import Averaging
from nnjax.parallel.placement import AXIS
from nnjax.training.hyperparams import Normalization, normalized
from nnjax.training.lookahead import look_ahead
from nnjax.training.losses import example_loss, is_correct
from nnjax.training.parameter_groups import update_unfrozen, where_frozen
from nnjax.training.state import Pytree, SplitNetwork, TrainState

# Carry of the loop over a chunk's steps: steps done, whether to continue, the state, each step's loss and number of correct
# answers, the parameters after each step.
_Carry = tuple[jax.Array, jax.Array, TrainState, jax.Array, jax.Array, Pytree | None]

# Names, in profiles and in an autopsy, of the parts of a step that belong to no layer.
INPUTS_SCOPE, LOSS_SCOPE, OPTIMIZER_SCOPE = "normalised_inputs", "loss_function", "optimizer_update"
METRICS_SCOPE = "metrics"

_NO_STEP = 2**32 - 1  # folded into the run's key for draws that all steps share; no step has this number


@dataclass(frozen=True)
class StepRecipe:
    """Everything that a step needs besides the state and the examples.

    The structure is static. Every number, also inside of `optimizer`, `lookahead`, `loss` and `augment`, is plain or traced.

    Attributes:
        network: the static half of the network.
        optimizer: the update rule.
        lookahead: slow weights besides the trained ones; None for none.
        frozen_from: from parameters to the first step that leaves each unchanged, as from `first_frozen_steps`.
        loss: the loss's options.
        augment: random changes of the images; None where inputs are no images or nothing is switched on.
        normalization: mean and standard deviation of the inputs; None for none.
        classification: whether the accuracy is defined.
        kept: by dropout layer, the share of values that it keeps.
        seed: draws augmentation and dropout.
        steps_per_epoch: steps that make an epoch.
        planned_steps: of the training as planned.
        ends: the steps after which a course of the schedule, or the training, ends.
        averaging: how gradients are averaged over the devices.
    """

    network: SplitNetwork
    optimizer: optax.GradientTransformation
    lookahead: Lookahead | None
    frozen_from: Callable[[Pytree], Pytree | None]
    loss: Loss
    augment: Augment | None
    normalization: Normalization | None
    classification: bool
    kept: Mapping[str, Any]
    seed: Any
    steps_per_epoch: Any
    planned_steps: Any
    ends: Any
    averaging: Averaging


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class StepMetrics:
    """Sums over the examples of each step's global batch; divided by `count`, means. With several trials [trials, steps].

    Attributes:
        loss: [steps] float32.
        correct: [steps] float32; 0 for regression.
        count: [steps] float32, examples; 0 past the last step done.
        params: parameters after each step, [steps, ...]; None if they are not recorded.
    """

    loss: jax.Array
    correct: jax.Array
    count: jax.Array
    params: Pytree | None


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ChunkBatch:
    """The examples of a chunk of steps, on one device; with several trials `indices` has a leading axis [trials, ...].

    Attributes:
        inputs: the whole training split [n, ...], or the chunk's own examples [steps, b, ...].
        targets: likewise [n, ...] or [steps, b, ...].
        indices: [steps, b] int32, each step's places in the split.
        gathered: whether `inputs` and `targets` are the chunk's own examples.
    """

    inputs: jax.Array
    targets: jax.Array
    indices: jax.Array
    gathered: bool = field(metadata={"static": True})

    def batch(self, i: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Inputs and targets of the i-th step, and the places of its examples in the split."""
        rows = self.indices[i]
        if self.gathered:
            return self.inputs[i], self.targets[i], rows
        # The indices come from a permutation; without the promise XLA clamps each of them.
        inputs = self.inputs.at[rows].get(mode="promise_in_bounds")
        return inputs, self.targets.at[rows].get(mode="promise_in_bounds"), rows

    def of_trials(self) -> "ChunkBatch":
        """The per-trial arrays: everything except a split that the trials share."""
        nothing: Any = None
        return self if self.gathered else replace(self, inputs=nothing, targets=nothing)

    def shared_with(self, own: "ChunkBatch") -> "ChunkBatch":
        """One trial's chunk, from its per-trial arrays."""
        return own if self.gathered else replace(own, inputs=self.inputs, targets=self.targets)


def train_step(
    recipe: StepRecipe, state: TrainState, inputs: jax.Array, targets: jax.Array, examples: jax.Array
) -> tuple[TrainState, tuple[jax.Array, jax.Array]]:
    """One optimizer step, on one device.

    Args:
        recipe: everything besides the state and the examples.
        state: the same on every device, before and after.
        inputs: [b, ...], this device's part of the batch, as stored.
        targets: [b] or [b, k].
        examples: [b] their places in the training split.

    Returns:
        The new state; and the sums over this device's examples of the loss and of the correct answers.
    """
    with jax.named_scope(INPUTS_SCOPE):
        x, dropout_key = prepare_batch(recipe, state.step, inputs, examples)

    def batch_loss(params: Pytree) -> tuple[jax.Array, tuple[Pytree, jax.Array, jax.Array]]:
        outputs, model_state = recipe.network.apply(
            params, state.model_state, x, train=True, dropout_key=dropout_key, kept=recipe.kept
        )
        with jax.named_scope(LOSS_SCOPE):
            losses = example_loss(recipe.loss, outputs, targets)
            return losses.mean(), (model_state, losses, outputs)

    grads, (model_state, losses, outputs) = jax.grad(batch_loss, has_aux=True)(state.params)
    # Every device holds equally many examples, so the mean of the devices' means is the mean of the global batch.
    params, opt_state = _updated(recipe, state, grads)
    step, slow = state.step + 1, state.slow
    if recipe.lookahead is not None:
        fast = (params, model_state)
        (slow_params, slow_model_state), (params, model_state) = look_ahead(
            recipe.lookahead, slow, fast, step=step, total_steps=recipe.planned_steps, ends=recipe.ends
        )
        # Lookahead leaves frozen parameters out: they stay, and their slow copies are they themselves.
        frozen_from = recipe.frozen_from(params)
        params = where_frozen(frozen_from, state.step, state.params, params)
        slow = where_frozen(frozen_from, state.step, state.params, slow_params), slow_model_state
    correct = is_correct(outputs, targets).sum() if recipe.classification else jnp.zeros(())
    return TrainState(step, params, model_state, opt_state, slow), (losses.sum(), correct)


def _updated(recipe: StepRecipe, state: TrainState, grads: Pytree) -> tuple[Pytree, Pytree]:
    """The new parameters and the optimizer's new memory, from the gradients of this device's part of the batch."""
    averaging, params = recipe.averaging, state.params
    is_shared = averaging.is_sharded and lax.axis_size(AXIS) > 1
    if is_shared:
        grads, params = averaging.scatter(grads), averaging.share(params)
    else:
        grads = averaging.mean(grads)
    with jax.named_scope(OPTIMIZER_SCOPE):
        frozen_from = recipe.frozen_from(params)
        updates, opt_state = update_unfrozen(recipe.optimizer, frozen_from, state.step, grads, state.opt_state, params)
        params = optax.apply_updates(params, updates)
    return averaging.gather(params, state.params) if is_shared else params, opt_state


def prepare_batch(recipe: StepRecipe, step: jax.Array, inputs: jax.Array, examples: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Normalised and augmented inputs, and the key that draws this step's dropout, the same on every device.

    Each example's augmentation is drawn by its place in the global batch, so it does not depend on the number of devices.
    """
    x = normalized(inputs, recipe.normalization)
    step_key = jax.random.fold_in(jax.random.key(recipe.seed), step)
    augment_key, dropout_key = jax.random.split(step_key)
    if recipe.augment is not None:
        places = lax.axis_index(AXIS) * len(inputs) + jnp.arange(len(inputs))
        keys = jax.vmap(jax.random.fold_in, in_axes=(None, 0))(augment_key, places)
        mirrored = None
        if recipe.augment.flip == "alternating":
            flip_key = jax.random.fold_in(jax.random.key(recipe.seed), _NO_STEP)
            mirrored = alternating_flip(flip_key, examples, step // recipe.steps_per_epoch)
        x = augment_images(x, keys, recipe.augment, mirrored)
    return x, dropout_key


def make_train_chunk(
    recipe: StepRecipe, max_steps: int, *, stop_below: Any = None, record_params: bool = False
) -> Callable[[TrainState, ChunkBatch, jax.Array], tuple[TrainState, StepMetrics]]:
    """Makes the function that does many steps in one call, on one device.

    Args:
        recipe: everything besides the state and the examples.
        max_steps: the most steps a call can do; a chunk holds as many.
        stop_below: a call ends after the first step whose mean loss over the batch is at most this, or is not a number; None
            never ends early.
        record_params: whether the metrics hold the parameters after each step.

    Returns:
        A function of (state, chunk, number of steps); metrics are [max_steps], zero past the steps done.
    """

    def run(state: TrainState, chunk: ChunkBatch, num_steps: jax.Array) -> tuple[TrainState, StepMetrics]:
        examples = chunk.indices.shape[1]

        def one_step(carry: _Carry) -> _Carry:
            i, _, state, loss, correct, params = carry
            state, (step_loss, step_correct) = train_step(recipe, state, *chunk.batch(i))
            if record_params:
                params = jax.tree.map(lambda history, now: history.at[i].set(now), params, state.params)
            continues = jnp.array(True)
            if stop_below is not None:
                with jax.named_scope(METRICS_SCOPE):
                    continues = lax.pmean(step_loss, AXIS) / examples > stop_below
            return i + 1, continues, state, loss.at[i].set(step_loss), correct.at[i].set(step_correct), params

        def is_not_over(carry: _Carry) -> jax.Array:
            return (carry[0] < num_steps) & carry[1]

        zeros = jnp.zeros(max_steps, jnp.float32)
        history = jax.tree.map(lambda p: jnp.zeros((max_steps, *p.shape), p.dtype), state.params) if record_params else None
        carry = (jnp.zeros_like(num_steps), jnp.array(True), state, zeros, zeros, history)
        done, _, state, loss, correct, params = lax.while_loop(is_not_over, one_step, carry)
        count = jnp.where(jnp.arange(max_steps) < done, float(examples), 0.0)
        # Metrics are summed over the devices once a chunk, not once a step.
        with jax.named_scope(METRICS_SCOPE):
            loss, correct, count = lax.psum((loss, correct, count), AXIS)
        return state, StepMetrics(loss, correct, count, params)

    return run
