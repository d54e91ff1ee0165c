"""Where the networks of a run lie on its devices: one network on all of them, or many trials.

    layout = Layout(config, devices, at_once=1)
    state = layout.put(host_state)                       # leaves [trials, ...] where there are several
    chunk = layout.compile(lambda state, feed: layout.map(lambda own: train(own, feed), state))
    layout.get(state)                                    # [trials, ...] again, as NumPy arrays

One network has its batches split over the devices, and so have trials where they are fewer than the devices. Otherwise each
device trains whole trials on whole batches and speaks to no other: on two CPU devices 64 trials of a 64-256-10 network took
6.9 ms a step so, and 10.6 ms with every batch split. What of a function is of one trial is written as for one network.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax import lax
from numpy.typing import NDArray

from nnjax.checks.trials import trials
from nnjax.config.schema import Config
from nnjax.parallel.data_parallel import AXIS, DataParallel, computed

_TRIALS_AXIS = "trials"


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class TrialParams:
    """What sets trials apart, as arrays; inside a compiled function, of one trial.

    Attributes:
        seed: [trials] uint32.
        learning_rate: [trials] float32; None where they have the config's.
    """

    seed: Any
    learning_rate: Any


class Layout:
    """The trials of a run, and how their states, batches and results lie on the devices.

    Args:
        config: which trials, and the wrapper.
        devices: at least one.
        at_once: the most trials that a device computes as one batch of networks (`vmap`); more come one after another.

    Attributes:
        trials: what sets each apart, in order.
        many: whether there are several; all that is of trials then has a leading axis of them.
        parallel: the devices.
    """

    def __init__(self, config: Config, devices: Sequence[jax.Device], at_once: int) -> None:
        self.trials = trials(config)
        self.many = len(self.trials) > 1
        self._whole = self.many and len(self.trials) >= len(devices)
        self.parallel = DataParallel(config.parallel.name, devices, _TRIALS_AXIS if self._whole else AXIS)
        rounds = math.ceil(len(self.trials) / len(devices)) if self._whole else len(self.trials)
        # Groups are alike, as far as may be: one of another size would be compiled apart.
        groups = math.ceil(rounds / at_once)
        self._at_once = math.ceil(rounds / groups)
        if self._whole:
            rounds = groups * self._at_once
        # With fewer in the last rounds on some devices, these do the first trials again, and nobody looks.
        self._rows = np.arange(rounds * len(devices) if self._whole else rounds) % len(self.trials)
        self._rounds = rounds
        varied = config.training.vary.learning_rate is not None
        self._draws = TrialParams(
            seed=np.array([trial.seed for trial in self.trials], np.uint32),
            learning_rate=np.array([trial.learning_rate for trial in self.trials], np.float32) if varied else None,
        )

    def draws(self) -> TrialParams | None:
        """What sets the trials apart, on the devices; None for one network."""
        draws: TrialParams | None = self.put(self._draws) if self.many else None
        return draws

    def put(self, tree: Any) -> Any:
        """Spreads what is of each trial, [trials, ...], over the devices; of one network, [...], each device gets all."""
        if self._whole:
            return self.parallel.split(jax.tree.map(lambda x: np.asarray(x)[self._rows], computed(tree)))
        return self.parallel.replicate(tree)

    def get(self, tree: Any) -> Any:
        """The inverse of `put`, as NumPy arrays; waits for them."""
        if not self._whole:
            return self.parallel.fetch(tree)
        return jax.tree.map(lambda x: self.parallel.join(x)[: len(self.trials)], tree)

    def one_of(self, tree: Any, trial: int) -> Any:
        """What is of one trial, of what `get` returned."""
        return jax.tree.map(lambda x: x[trial], tree) if self.many else tree

    def put_batches(self, tree: Any) -> Any:
        """Spreads training batches [steps, b, ...], of trials [trials, steps, b, ...]."""
        return self.put(tree) if self._whole else self.parallel.split(tree, axis=2 if self.many else 1)

    def put_examples(self, tree: Any) -> Any:
        """Spreads one batch [b, ...] that all trials are given."""
        return self.parallel.replicate(tree) if self._whole else self.parallel.split(tree)

    def get_outputs(self, array: jax.Array) -> NDArray[Any]:
        """What was computed of a batch of `put_examples`: [b, ...], of trials [trials, b, ...]."""
        if not self.many:
            return self.parallel.join(array)
        if self._whole:
            return np.asarray(self.get(array))
        return np.concatenate(np.asarray(computed(array)), axis=1)

    def compile(self, function: Callable[..., Any], donate: tuple[int, ...] = ()) -> Any:
        """As `DataParallel.compile`; where devices have whole trials, each is the only one of the axis "data"."""
        if not self._whole:
            return self.parallel.compile(function, donate)

        def alone(*args: Any) -> Any:
            # The arguments are not mapped, and averages over the axis of one device take it away again.
            results = jax.vmap(lambda: function(*args), axis_name=AXIS, axis_size=1)()
            return jax.tree.map(lambda x: x[0], results)

        return self.parallel.compile(alone, donate)

    def map(self, function: Callable[[Any], Any], tree: Any) -> Any:
        """Calls a function with what is of each trial; inside of `compile`.

        Args:
            function: of what is of one trial.
            tree: this device's trials, [trials, ...]; of one network [...].

        Returns:
            The results, [trials, ...] or [...].
        """
        if not self.many:
            return function(tree)
        if self._at_once == 1:
            return lax.map(function, tree)
        return lax.map(function, tree, batch_size=self._at_once) if self._at_once < self._rounds else jax.vmap(function)(tree)
