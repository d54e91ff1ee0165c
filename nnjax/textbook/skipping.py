"""The iterations between two that a trace records: the same steps in float64, many in one compiled loop.

    skip = Skipping(config, dataset, network, model_state, optimizer)
    params, opt_state, done = skip(params, opt_state, first=100, count=2)      # after iterations 101 and 102
    steps = skip.before([1, 2, 10], params, opt_state)                         # a generator of the iterations to record

Call it under `jax.enable_x64`, as `passes`.
"""

from collections.abc import Generator, Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array, lax

from nnjax.config.schema import TraceConfig
from nnjax.data.dataset import Dataset
from nnjax.textbook.examples import trace_inputs, trace_targets
from nnjax.textbook.passes import mean_gradients
from nnjax.training.state import Pytree, SplitNetwork


class Skipping:
    """Does iterations without a record.

    Args:
        config: the trace's.
        dataset: with the training examples.
        network: from `traced_network`.
        model_state: from `traced_network`.
        optimizer: the trace's; its state counts the steps.
    """

    def __init__(
        self,
        config: TraceConfig,
        dataset: Dataset,
        network: SplitNetwork,
        model_state: Pytree,
        optimizer: optax.GradientTransformation,
    ) -> None:
        places = np.arange(min(len(dataset.train), config.iterations * config.training.global_batch_size))
        self._examples = trace_inputs(config, dataset, places), trace_targets(config, dataset, places)
        total, size = len(dataset.train), config.training.global_batch_size

        def skip(
            params: Pytree, opt_state: Pytree, first: Array, count: Array, examples: tuple[Array, Array]
        ) -> tuple[Pytree, Pytree, Array]:
            def step(carried: tuple[Pytree, Pytree, Array, Array]) -> tuple[Pytree, Pytree, Array, Array]:
                params, opt_state, done, _ = carried
                batch = ((first + done) * size + jnp.arange(size)) % total
                inputs, targets = (values[batch] for values in examples)
                losses, gradients = mean_gradients(config.loss, network, params, model_state, inputs, targets)
                updates, new_opt_state = optimizer.update(gradients, opt_state, params)
                new = optax.apply_updates(params, updates)
                finite = jnp.all(jnp.array([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves((losses, gradients, new))]))
                kept: tuple[Pytree, Pytree] = jax.tree.map(
                    lambda new, old: jnp.where(finite, new, old), (new, new_opt_state), (params, opt_state)
                )
                return *kept, done + finite, finite

            def goes_on(carried: tuple[Pytree, Pytree, Array, Array]) -> Array:
                return (carried[2] < count) & carried[3]

            start = params, opt_state, jnp.zeros_like(count), jnp.array(True)
            return lax.while_loop(goes_on, step, start)[:3]

        self._skip = jax.jit(skip)

    def before(
        self, numbers: Iterable[int], params: Pytree, opt_state: Pytree
    ) -> Generator[tuple[int, Pytree, Pytree], tuple[Pytree, Pytree]]:
        """Yields the index of each iteration to record, counted from 0, and parameters and optimizer's state before it.

        The caller sends the parameters and the state after each. Where an iteration between two of them is not finite, the one
        before it and this one are recorded, and no others.

        Args:
            numbers: of the iterations to record, counted from 1.
            params: before the first.
            opt_state: before the first.
        """
        done = 0
        for number in numbers:
            index = number - 1
            if index > done:
                start = params, opt_state
                params, opt_state, more = self(*start, first=done, count=index - done)
                more += self(params, opt_state, first=index, count=1)[2] if done + more == index else 0
                if done + more < number:  # this iteration or one before it is not finite
                    if more:
                        params, opt_state, _ = self(*start, first=done, count=more - 1)
                        params, opt_state = yield done + more - 1, params, opt_state
                    yield done + more, params, opt_state
                    return
            params, opt_state = yield index, params, opt_state
            done = number

    def __call__(self, params: Pytree, opt_state: Pytree, *, first: int, count: int) -> tuple[Pytree, Pytree, int]:
        """Does `count` iterations, or fewer: up to the one whose loss, gradients or weights are not finite.

        Args:
            params: before the first of them.
            opt_state: before the first of them.
            first: the iterations done before.
            count: how many to do.

        Returns:
            The parameters and the optimizer's state after them, and how many were done.
        """
        found: tuple[Any, Any, Any] = self._skip(params, opt_state, np.int64(first), np.int64(count), self._examples)
        return found[0], found[1], int(found[2])
