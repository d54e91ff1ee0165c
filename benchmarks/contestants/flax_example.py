"""In the form of flax's MNIST example: an `nnx` module and optimizer go into an `nnx.jit` step, which keeps metrics, too."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
import optax
from flax import nnx
from numpy.typing import NDArray

from benchmarks.contestants.base import StepByStep
from benchmarks.tasks import Inputs


class _Network(nnx.Module):
    """The task's convolutions and dense layers, with their initial weights."""

    def __init__(self, inputs: Inputs, rngs: nnx.Rngs) -> None:
        self.convolutions, self.dense = nnx.List([]), nnx.List([])
        for name, weights in inputs.weights.items():
            *window, num_inputs, num_outputs = weights["kernel"].shape
            if name.startswith("conv"):
                layer: Any = nnx.Conv(num_inputs, num_outputs, tuple(window), rngs=rngs)
                self.convolutions.append(layer)
            else:
                layer = nnx.Linear(num_inputs, num_outputs, rngs=rngs)
                self.dense.append(layer)
            layer.kernel[...], layer.bias[...] = weights["kernel"], weights["bias"]

    def __call__(self, x: jax.Array) -> jax.Array:
        for layer in self.convolutions:
            x = nnx.max_pool(nnx.relu(layer(x)), window_shape=(2, 2), strides=(2, 2))
        x = x.reshape(len(x), -1)
        *hidden, output = self.dense
        for layer in hidden:
            x = nnx.relu(layer(x))
        return output(x)


def _loss(model: _Network, x: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
    logits = model(x)
    return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean(), logits


@nnx.jit
def _train_step(model: _Network, optimizer: Any, metrics: Any, x: jax.Array, y: jax.Array) -> jax.Array:
    (loss, logits), grads = nnx.value_and_grad(_loss, has_aux=True)(model, x, y)
    metrics.update(loss=loss, logits=logits, labels=y)
    optimizer.update(model, grads)
    return loss


@nnx.jit
def _predict(model: _Network, x: jax.Array) -> jax.Array:
    return model(x).argmax(1)


class FlaxExample(StepByStep):
    """The loop of the example over data in memory."""

    def reset(self) -> None:
        """See `StepByStep`."""
        self._model = _Network(self.inputs, nnx.Rngs(0))
        self._optimizer = nnx.Optimizer(self._model, optax.adam(self.inputs.task.learning_rate), wrt=nnx.Param)
        self._metrics = nnx.MultiMetric(accuracy=nnx.metrics.Accuracy(), loss=nnx.metrics.Average("loss"))

    def train(self, rows: NDArray[np.int32]) -> Sequence[Any]:
        """See `StepByStep`."""
        losses = [_train_step(self._model, self._optimizer, self._metrics, self.x[batch], self.y[batch]) for batch in rows]
        jax.block_until_ready(losses)
        return losses

    def predict(self, x: NDArray[np.float32]) -> NDArray[Any]:
        """See `StepByStep`."""
        return np.asarray(_predict(self._model, x))
