"""Finds the first number that is not finite, for the message of `debug=strict` when training diverges.

first_nonfinite(experiment, state_before_the_step, inputs, targets, examples)      # "the output of layer conv_2"
"""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from nnjax.parallel.buckets import scope_name
from nnjax.parallel.placement import AXIS
from nnjax.training.experiment import Experiment
from nnjax.training.losses import example_loss
from nnjax.training.state import Pytree, TrainState
from nnjax.training.step import prepare_batch


def is_finite(tree: Pytree) -> bool:
    """Whether every number of a tree is finite."""
    return all(bool(np.isfinite(leaf).all()) for leaf in jax.tree.leaves(jax.device_get(tree)))


def first_nonfinite(experiment: Experiment, state: TrainState, inputs: Any, targets: Any, examples: Any) -> str:
    """Recomputes one step in order, and names the first quantity that is not finite.

    Args:
        experiment: on one device.
        state: before the step, as on one device.
        inputs: [b, ...] the step's batch, as stored.
        targets: [b] or [b, k].
        examples: [b] their places in the training split.
    """
    state = jax.tree.map(jnp.asarray, state)
    for name, value in _quantities(experiment, state, *map(jnp.asarray, (inputs, targets, examples))):
        if not is_finite(value):
            return name
    return "the update of the parameters"


def alone(function: Callable[..., Any], *args: Any) -> Any:
    """Calls a function that uses collectives as the only device of their axis."""
    one = jax.vmap(function, axis_name=AXIS)(*jax.tree.map(lambda x: jnp.asarray(x)[None], args))
    return jax.tree.map(lambda x: x[0], one)


def _quantities(
    experiment: Experiment, state: TrainState, inputs: jax.Array, targets: jax.Array, examples: jax.Array
) -> Iterator[tuple[str, Pytree]]:
    recipe = experiment.recipe

    for path, value in jax.tree_util.tree_leaves_with_path(state.params):
        yield f"the parameter {scope_name(path)}, before the step", value
    x = alone(lambda inputs, step: prepare_batch(recipe, step, inputs, examples)[0], inputs, state.step)
    yield "the normalised inputs", x

    def layer_outputs(params: Pytree, x: jax.Array, step: jax.Array) -> dict[str, jax.Array]:
        network = nnx.merge(recipe.network.train_graph, params, state.model_state, copy=True)
        _, dropout_key = prepare_batch(recipe, step, inputs, examples)
        return dict(network.layer_outputs(x, rngs=nnx.Rngs(dropout=dropout_key)))

    outputs = alone(layer_outputs, state.params, x, state.step)
    for name in recipe.network.layer_names:
        yield f"the output of layer {name}", outputs[name]

    def batch_loss(params: Pytree, x: jax.Array, step: jax.Array) -> jax.Array:
        *_, last = layer_outputs(params, x, step).values()
        return example_loss(recipe.loss, last.astype(jnp.float32), targets).mean()

    yield "the loss", alone(batch_loss, state.params, x, state.step)
    grads = alone(jax.grad(batch_loss), state.params, x, state.step)
    for name in reversed(recipe.network.layer_names):
        for path, value in jax.tree_util.tree_leaves_with_path(grads.get(name, {})):
            yield f"the gradient of {name}/{scope_name(path)}", value
