"""JAX without a framework: one jitted step, called from Python, with batches that come from host arrays, and optax."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from numpy.typing import NDArray

from benchmarks.contestants.base import StepByStep
from benchmarks.tasks import Inputs


class PlainJax(StepByStep):
    """The simplest loop."""

    def __init__(self, inputs: Inputs) -> None:
        super().__init__(inputs)
        task = inputs.task
        self._optimizer = optax.adam(task.learning_rate) if task.optimizer == "adam" else optax.sgd(task.learning_rate)

        def network(params: Any, x: jax.Array) -> jax.Array:
            dense = [name for name in params if not name.startswith("conv")]
            for name in params:
                if name.startswith("conv"):
                    dims = ("NHWC", "HWIO", "NHWC")
                    x = lax.conv_general_dilated(x, params[name]["kernel"], (1, 1), "SAME", dimension_numbers=dims)
                    x = jax.nn.relu(x + params[name]["bias"])
                    x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
                    continue
                x = x.reshape(len(x), -1) @ params[name]["kernel"] + params[name]["bias"]
                if name != dense[-1] or task.model == "two_neuron":
                    x = jax.nn.relu(x)
            return x

        def objective(params: Any, x: jax.Array, y: jax.Array) -> jax.Array:
            outputs = network(params, x)
            if task.optimizer == "adam":
                return optax.softmax_cross_entropy_with_integer_labels(outputs, y).mean()
            return 0.5 * jnp.square(outputs - y).sum(1).mean()

        @jax.jit
        def step(params: Any, opt_state: Any, x: jax.Array, y: jax.Array) -> tuple[Any, Any, jax.Array]:
            loss, grads = jax.value_and_grad(objective)(params, x, y)
            updates, opt_state = self._optimizer.update(grads, opt_state, params)
            return optax.apply_updates(params, updates), opt_state, loss

        self._network, self._train_step = jax.jit(network), step

    def reset(self) -> None:
        """See `StepByStep`."""
        self._params = jax.tree.map(jnp.asarray, self.inputs.weights)
        self._opt_state = self._optimizer.init(self._params)

    def train(self, rows: NDArray[np.int32]) -> Sequence[Any]:
        """See `StepByStep`."""
        losses = []
        for batch in rows:
            self._params, self._opt_state, loss = self._train_step(self._params, self._opt_state, self.x[batch], self.y[batch])
            losses.append(loss)
        jax.block_until_ready(self._params)
        return losses

    def predict(self, x: NDArray[np.float32]) -> NDArray[Any]:
        """See `StepByStep`."""
        return np.asarray(self._network(self._params, x).argmax(1))
