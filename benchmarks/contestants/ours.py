"""nnjax as its users run it: a config, `set_up` and `fit`, on the devices that `parallel.devices=auto` selects."""

import queue
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from benchmarks.contestants.base import Curve, Moments
from benchmarks.tasks import Inputs, Task
from nnjax.cli.compose import compose_train
from nnjax.data.dataset import Dataset, Split
from nnjax.data.dataset_spec import DatasetSpec
from nnjax.parallel.devices import select_devices
from nnjax.parallel.preemption import StopSignal
from nnjax.training.clock import Clock
from nnjax.training.experiment import Experiment, set_up
from nnjax.training.loop import fit
from nnjax.training.state import TrainState
from nnjax.training.training_progress import TrainingProgress

_UNENDING = 1_000_000_000  # steps; a timed training never reaches the end


class Ours:
    """nnjax's own loop, not a copy of it.

    One training runs through all turns, in its own thread. Between turns it waits in the callback of an evaluation, when no
    compiled call is running.

    Args:
        inputs: the common inputs; images go to the devices as bytes and are normalised there, as in any dataset.
        overrides: further overrides, such as ``parallel.devices=1``.
    """

    def __init__(self, inputs: Inputs, overrides: Sequence[str] = ()) -> None:
        self.inputs = inputs
        self._overrides = [*task_overrides(inputs.task), *overrides]
        self._turns = _Turns()
        self.detail: dict[str, Any] = {"overrides": self._overrides}

    def first_step(self) -> float:
        """See `Trainer`."""
        experiment, state = self._set_up(f"training.duration={_UNENDING}steps")

        def endless() -> None:
            try:
                _fit(experiment, state, self._turns)
            except BaseException as error:
                self._turns.ended.put(error)

        threading.Thread(target=endless, daemon=True).start()
        self._turns.wait()
        return self._turns.trained_at[0]

    def curve(self, steps: int) -> Curve:
        """See `Trainer`; with an evaluation after each step, the callbacks receive every step's loss."""
        experiment, state = self._set_up(f"training.duration={steps}steps", "training.evaluate_every=1step")
        callback = _Callback()
        _fit(experiment, state, callback)
        return [(step - 1, step, loss) for step, loss in callback.losses]

    def run(self, seconds: float) -> tuple[int, float]:
        """See `Trainer`."""
        return self._turns.take(seconds)

    def reach(self, accuracy: float, epochs: int) -> Moments:
        """See `Trainer`; the test split takes the place of the validation split."""
        words = (
            f"training.duration={epochs}epochs",
            "training.evaluate_every=1epoch",
            f"training.stop.accuracy_above={accuracy}",
        )
        experiment, state = self._set_up(*words, evaluate=True)
        callback = _Callback()
        _fit(experiment, state, callback)
        return callback.accuracies

    def _set_up(self, *overrides: str, evaluate: bool = False) -> tuple[Experiment, TrainState]:
        config = compose_train([*self._overrides, *overrides])
        devices = select_devices(config)
        self.detail["devices"] = len(devices)
        experiment, state = set_up(config, dataset(self.inputs, evaluate=evaluate), devices)
        return experiment, replace(state, params=_like(state.params, self.inputs.weights))


def task_overrides(task: Task) -> list[str]:
    """Returns a task's overrides."""
    words = [
        f"model={task.model}",
        f"data={'textbook' if task.model == 'two_neuron' else 'mnist'}",  # its options only; the data comes from the inputs
        "data.validation=0.0",
        f"loss={'cross_entropy' if task.optimizer == 'adam' else 'half_mse'}",
        f"optimizer={task.optimizer}",
        f"optimizer.learning_rate={task.learning_rate}",
        "schedule=constant",
        f"training.global_batch_size={task.batch}",
        f"training.evaluate_every={task.interval}steps",
        "training.checkpoint_every=null",
        "training.stop.loss_below=null",
        "report.weights=0",
        f"seed={task.seed}",
    ]
    if task.model == "fnn":
        words.append(f"model.hidden={list(task.dense)}".replace(" ", ""))
    if task.model == "cnn":
        blocks = ",".join(f"{{features:{features}}}" for features in task.convolutions)
        words += [f"model.blocks=[{blocks}]", f"model.dense={list(task.dense)}".replace(" ", ""), "model.dropout=0.0"]
    return words


def dataset(inputs: Inputs, *, evaluate: bool) -> Dataset:
    """Returns the examples as nnjax's dataset; with `evaluate` the test split is evaluated after each epoch."""
    data, task = inputs.data, inputs.task
    train = Split(data.train_inputs, data.train_targets)
    test = Split(data.test_inputs, data.test_targets) if evaluate else Split(data.train_inputs[:0], data.train_targets[:0])
    classes = task.optimizer == "adam"
    spec = DatasetSpec(
        name="mnist" if classes else "textbook",
        input_shape=task.input_shape,
        input_dtype="uint8" if data.train_inputs.dtype == np.uint8 else "float32",
        task="classification" if classes else "regression",
        num_outputs=task.outputs,
        num_train=len(train),
        num_validation=len(test),
        num_test=len(test),
    )
    channels = task.input_shape[-1]
    mean, std = np.broadcast_to(inputs.mean, channels), np.broadcast_to(inputs.std, channels)
    return Dataset(spec, train, test, test, mean, std, tuple(map(str, range(task.outputs))) if classes else ())


def _like(params: Any, weights: Any) -> Any:
    """Returns the weights in the structure of `params`.

    Raises:
        ValueError: if they belong to another network.
    """
    shapes = [jax.tree.map(np.shape, tree) for tree in (params, weights)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"nnjax's parameters are {shapes[0]}, the initial weights {shapes[1]}")
    return weights


def _fit(experiment: Experiment, state: TrainState, callback: "_Callback") -> None:
    nowhere: Any = _NoCheckpoints()
    fit(experiment, state, TrainingProgress(), checkpoints=nowhere, callback=callback, stop=StopSignal(), clock=Clock())


class _NoCheckpoints:
    """Saves nothing, as the other contestants save nothing."""

    def save(self, *_: Any) -> None:
        """Does nothing."""

    def wait(self) -> None:
        """Does nothing."""


class _Callback:
    """Records losses and times."""

    def __init__(self) -> None:
        self.trained_at: list[float] = []
        self.losses: list[tuple[int, float]] = []
        self.accuracies: Moments = []

    def trained(self, step: int, metrics: Mapping[str, Any], examples_per_second: float) -> None:
        """Called after steps."""
        self.trained_at.append(time.monotonic())

    def evaluated(self, step: int, train: Mapping[str, Any], validation: Mapping[str, Any] | None) -> None:
        """Called after an evaluation."""
        self.losses.append((step, train["loss"]))
        if validation is not None and "accuracy" in validation:
            self.accuracies.append((time.monotonic(), validation["accuracy"]))

    def weights(self, step: int, values: Mapping[str, float]) -> None:
        """Not used: no weights are recorded."""


class _Turns(_Callback):
    """Lets the loop run for a turn and then blocks it."""

    def __init__(self) -> None:
        super().__init__()
        self.ended: queue.Queue[tuple[int, float] | BaseException] = queue.Queue()
        self._may_go = threading.Semaphore(0)
        self._until, self._step = 0.0, 0

    def take(self, seconds: float) -> tuple[int, float]:
        """Trains for about so long; returns steps and seconds."""
        start, first = time.perf_counter(), self._step
        self._until = start + seconds
        self._may_go.release()
        took = self.wait() - start
        return self._step - first, took

    def wait(self) -> float:
        """Returns the time at which the loop began to wait.

        Raises:
            BaseException: the error that ended the loop instead.
        """
        end = self.ended.get()
        if isinstance(end, BaseException):
            raise end
        self._step, moment = end
        return moment

    def evaluated(self, step: int, train: Mapping[str, Any], validation: Mapping[str, Any] | None) -> None:
        """Called after an evaluation."""
        now = time.perf_counter()
        if now >= self._until:
            self.ended.put((step, now))
            self._may_go.acquire()
