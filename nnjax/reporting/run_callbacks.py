"""The callbacks of a training: numbers go to the bar and to the metrics, and the last ones into the summary.

    callbacks = RunCallbacks(config, bar, metrics, steps_per_epoch=60, learning_rate=rate, num_trials=1)
    callbacks.evaluated(60, {"loss": 0.35}, {"loss": 0.38})
    callbacks.summary(train_seconds=2.4)["examples_per_second"]

`nnjax.training.runner` says which callbacks there are; this class needs nothing of it.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

from nnjax.config.schema import Config
from nnjax.reporting.metrics import Metrics
from nnjax.reporting.progress_bar import Progress
from nnjax.reporting.trial_results import Numbers, means, with_spread


class RunCallbacks:
    """Passes the loop's numbers to the bar and the metrics, and keeps the last of each split.

    Args:
        config: the experiment.
        bar: shows the progress.
        metrics: records it.
        track: called with the step, split, metrics and epoch of each record, before trials are summed up.
        steps_per_epoch: steps that make an epoch.
        learning_rate: from the steps done before a step to that step's learning rate.
        num_trials: networks that are trained at once.
        first_step: steps that earlier sessions did.
        earlier_seconds: time that earlier sessions took.
    """

    def __init__(
        self,
        config: Config,
        bar: Progress,
        metrics: Metrics,
        *,
        track: Callable[[int, str, Mapping[str, Numbers], float], object] = lambda *_: None,
        steps_per_epoch: int,
        learning_rate: Callable[[int], float],
        num_trials: int,
        first_step: int = 0,
        earlier_seconds: float = 0.0,
    ) -> None:
        self._bar, self._metrics, self._track = bar, metrics, track
        self._steps_per_epoch = steps_per_epoch
        self._learning_rate = None if config.training.vary.learning_rate is not None else learning_rate
        self._examples_per_step = config.training.global_batch_size * num_trials
        self._started = time.perf_counter() - earlier_seconds
        self._step, self._last = first_step, metrics.last()

    def trained(self, step: int, metrics: Mapping[str, Numbers], examples_per_second: float) -> None:
        """Moves the bar."""
        self._step = step
        self._bar.update(step, means(metrics), examples_per_second)

    def evaluated(self, step: int, train: Mapping[str, Numbers], validation: Mapping[str, Numbers] | None) -> None:
        """Prints and records an evaluation; the training split's record holds the learning rate, unless trials differ in it."""
        splits = {"train": train} | ({} if validation is None else {"validation": validation})
        last = {split: means(metrics) for split, metrics in splits.items()}
        self._bar.record(step, step / self._steps_per_epoch, last)
        rate = {} if self._learning_rate is None else {"learning_rate": self._learning_rate(step - 1)}
        for split, metrics in splits.items():
            self.write(step, split, {**metrics, **rate} if split == "train" else metrics)
        self._last |= last

    def weights(self, step: int, values: Mapping[str, float]) -> None:
        """Records every weight of a small network."""
        self.write(step, "weights", values)

    def write(self, step: int, split: str, metrics: Mapping[str, Numbers]) -> None:
        """Writes one record."""
        epoch, seconds = step / self._steps_per_epoch, time.perf_counter() - self._started
        self._metrics.write(step=step, epoch=epoch, split=split, metrics=with_spread(metrics), seconds=seconds)
        self._track(step, split, metrics, epoch)

    def summary(self, train_seconds: float) -> dict[str, Any]:
        """Returns how far training came, for `summary.json`; `train_seconds` are those of all steps."""
        return {
            "steps": self._step,
            "epochs": self._step / self._steps_per_epoch,
            "train": self._last.get("train"),
            "validation": self._last.get("validation"),
            "examples_per_second": self._step * self._examples_per_step / train_seconds if train_seconds else None,
        }
