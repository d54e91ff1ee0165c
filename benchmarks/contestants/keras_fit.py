"""Keras 3 on JAX: `fit` on arrays in memory, compiled, with the `steps_per_execution` that is fastest here."""

import os
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

os.environ["KERAS_BACKEND"] = "jax"

import keras

from benchmarks.contestants.base import Curve, StepByStep
from benchmarks.tasks import Inputs

_TRIED = (1, 10, 100)
_STEPS_OF_A_TRY = 200
_SECONDS_OF_A_TRY = 2.0


class KerasFit(StepByStep):
    """`fit` over whole epochs, each permuted before it; the permutation of the first serves for the speed, too.

    The measured time of `fit` excludes the permutation, in favour of Keras.
    """

    def __init__(self, inputs: Inputs) -> None:
        super().__init__(inputs)
        self._steps_per_execution: int | None = None
        self._permuted: tuple[NDArray[Any], NDArray[Any]] | None = None

    def reset(self) -> None:
        """See `StepByStep`."""
        keras.utils.set_random_seed(0)
        task = self.inputs.task
        shape = task.input_shape
        found: list[Any] = [keras.Input(shape)]
        for features in task.convolutions:
            found += [keras.layers.Conv2D(features, 3, padding="same", activation="relu"), keras.layers.MaxPooling2D(2)]
        found += [keras.layers.Flatten()] if len(shape) > 1 else []
        found += [keras.layers.Dense(width, "relu") for width in task.dense]
        found += [keras.layers.Dense(task.outputs, "relu" if task.model == "two_neuron" else None)]
        self._model = keras.Sequential(found)
        self._model.set_weights([array for kinds in self.inputs.weights.values() for array in (kinds["kernel"], kinds["bias"])])
        self._compile(self._steps_per_execution or 1)

    def _compile(self, steps_per_execution: int) -> None:
        task = self.inputs.task
        if task.optimizer == "adam":
            # Keras adds ε before the bias correction: over the first 50 steps that equals about the others' 1e-8.
            optimizer: Any = keras.optimizers.Adam(task.learning_rate, epsilon=1e-9)
            loss: Any = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        else:
            optimizer, loss = keras.optimizers.SGD(task.learning_rate), _half_squared_error
        self._model.compile(optimizer, loss, jit_compile=True, steps_per_execution=steps_per_execution)

    def train(self, rows: NDArray[np.int32]) -> Sequence[Any]:
        """See `StepByStep`; returns no losses, since reading them would cost time."""
        self._fit_rows(rows)
        return ()

    def curve(self, steps: int) -> Curve:
        """See `Trainer`; `fit` reports the mean loss of the steps so far."""
        self.reset()
        means = _Means()
        self._fit_rows(self.rows(0, steps), means)
        totals = [mean * (i + 1) for i, mean in enumerate(means.values)]
        return [(i, i + 1, float(loss)) for i, loss in enumerate(np.diff(totals, prepend=0.0))]

    def _fit_rows(self, rows: NDArray[np.int32], *callbacks: Any) -> None:
        x, y = self.x[rows.ravel()], self.y[rows.ravel()]
        self._model.fit(x, y, batch_size=rows.shape[1], shuffle=False, verbose=0, callbacks=list(callbacks))

    def run(self, seconds: float) -> tuple[int, float]:
        """See `Trainer`."""
        if self._steps_per_execution is None:
            self._tune()
        rate = self._rate or 100.0
        steps = max(1, round(rate * seconds))
        took = self._fit(steps)
        self._rate = steps / took
        return steps, took

    def predict(self, x: NDArray[np.float32]) -> NDArray[Any]:
        """See `StepByStep`."""
        return self._model.predict_on_batch(x).argmax(1)

    def _fit(self, steps: int) -> float:
        """Runs one `fit` of so many steps, in as many passes as needed; returns its seconds."""
        if self._permuted is None:
            epoch = self.inputs.indices[: len(self.x) // self.inputs.task.batch].ravel()
            self._permuted = self.x[epoch], self.y[epoch]
        batch = self.inputs.task.batch
        per_epoch = len(self._permuted[0]) // batch
        epochs, length = -(-steps // per_epoch), min(steps, per_epoch)
        x, y = (array[: length * batch] for array in self._permuted)
        start = time.perf_counter()
        self._model.fit(x, y, batch_size=batch, epochs=epochs, shuffle=False, verbose=0)
        return (time.perf_counter() - start) * steps / (epochs * length)

    def _tune(self) -> None:
        """Chooses the fastest number of steps per call."""
        rates = {}
        for number in _TRIED:
            self._steps_per_execution = number
            self._compile(number)
            self._fit(max(number, 10))
            per_step = self._fit(max(number, 10)) / max(number, 10)
            steps = max(number, min(_STEPS_OF_A_TRY, round(_SECONDS_OF_A_TRY / per_step)))
            rates[number] = steps / self._fit(steps)
        self._steps_per_execution = max(rates, key=rates.__getitem__)
        self._rate = rates[self._steps_per_execution]
        self._compile(self._steps_per_execution)
        self._fit(10)
        self.detail = {"steps_per_execution": self._steps_per_execution, "tried": rates}


class _Means(keras.callbacks.Callback):
    def __init__(self) -> None:
        super().__init__()
        self.values: list[float] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.values.append(float(logs["loss"]))


def _half_squared_error(targets: Any, outputs: Any) -> Any:
    return 0.5 * keras.ops.sum(keras.ops.square(outputs - targets), axis=-1)
