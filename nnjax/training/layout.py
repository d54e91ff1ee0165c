"""Where the networks of a run lie on its devices: one network on all of them, or many copies.

    layout = Layout(config, devices, at_once=1)
    state = layout.put(host_state)                       # leaves [copies, ...] where there are several
    chunk = layout.compile(lambda state, feed: layout.map(lambda own: train(own, feed), state))
    layout.get(state)                                    # [copies, ...] again, as NumPy arrays

One network has its batches split over the devices, and so have copies where they are fewer than the devices. Otherwise each
device trains whole copies on whole batches and speaks to no other: on two CPU devices 64 copies of a 64-256-10 network took
6.9 ms a step so, and 10.6 ms with every batch split. What of a function is of one copy is written as for one network.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax import lax
from numpy.typing import NDArray

from nnjax.config.copies import copies
from nnjax.config.schema import Config
from nnjax.parallel.data_parallel import AXIS, DataParallel, computed

_COPIES_AXIS = "copies"


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Draws:
    """What sets copies apart, as arrays; inside a compiled function, of one copy.

    Attributes:
        seed: [copies] uint32.
        learning_rate: [copies] float32; None where they have the config's.
    """

    seed: Any
    learning_rate: Any


class Layout:
    """The copies of a run, and how their states, batches and results lie on the devices.

    Args:
        config: which copies, and the wrapper.
        devices: at least one.
        at_once: the most copies that a device computes as one batch of networks (`vmap`); more come one after another.

    Attributes:
        copies: what sets each apart, in order.
        many: whether there are several; all that is of copies then has a leading axis of them.
        parallel: the devices.
    """

    def __init__(self, config: Config, devices: Sequence[jax.Device], at_once: int) -> None:
        self.copies = copies(config)
        self.many = len(self.copies) > 1
        self._whole = self.many and len(self.copies) >= len(devices)
        self.parallel = DataParallel(config.parallel.name, devices, _COPIES_AXIS if self._whole else AXIS)
        rounds = math.ceil(len(self.copies) / len(devices)) if self._whole else len(self.copies)
        # Groups are alike, as far as may be: one of another size would be compiled apart.
        groups = math.ceil(rounds / at_once)
        self._at_once = math.ceil(rounds / groups)
        if self._whole:
            rounds = groups * self._at_once
        # With fewer in the last rounds on some devices, these do the first copies again, and nobody looks.
        self._rows = np.arange(rounds * len(devices) if self._whole else rounds) % len(self.copies)
        self._rounds = rounds
        varied = config.training.vary.learning_rate is not None
        self._draws = Draws(
            seed=np.array([copy.seed for copy in self.copies], np.uint32),
            learning_rate=np.array([copy.learning_rate for copy in self.copies], np.float32) if varied else None,
        )

    def draws(self) -> Draws | None:
        """What sets the copies apart, on the devices; None for one network."""
        draws: Draws | None = self.put(self._draws) if self.many else None
        return draws

    def put(self, tree: Any) -> Any:
        """Spreads what is of each copy, [copies, ...], over the devices; of one network, [...], each device gets all."""
        if self._whole:
            return self.parallel.split(jax.tree.map(lambda x: np.asarray(x)[self._rows], computed(tree)))
        return self.parallel.replicate(tree)

    def get(self, tree: Any) -> Any:
        """The inverse of `put`, as NumPy arrays; waits for them."""
        if not self._whole:
            return self.parallel.fetch(tree)
        return jax.tree.map(lambda x: self.parallel.join(x)[: len(self.copies)], tree)

    def one_of(self, tree: Any, copy: int) -> Any:
        """What is of one copy, of what `get` returned."""
        return jax.tree.map(lambda x: x[copy], tree) if self.many else tree

    def put_batches(self, tree: Any) -> Any:
        """Spreads training batches [steps, b, ...], of copies [copies, steps, b, ...]."""
        return self.put(tree) if self._whole else self.parallel.split(tree, axis=2 if self.many else 1)

    def put_examples(self, tree: Any) -> Any:
        """Spreads one batch [b, ...] that all copies are given."""
        return self.parallel.replicate(tree) if self._whole else self.parallel.split(tree)

    def get_outputs(self, array: jax.Array) -> NDArray[Any]:
        """What was computed of a batch of `put_examples`: [b, ...], of copies [copies, b, ...]."""
        if not self.many:
            return self.parallel.join(array)
        if self._whole:
            return np.asarray(self.get(array))
        return np.concatenate(np.asarray(computed(array)), axis=1)

    def compile(self, function: Callable[..., Any], donate: tuple[int, ...] = ()) -> Any:
        """As `DataParallel.compile`; where devices have whole copies, each is the only one of the axis "data"."""
        if not self._whole:
            return self.parallel.compile(function, donate)

        def alone(*args: Any) -> Any:
            # The arguments are not mapped, and averages over the axis of one device take it away again.
            results = jax.vmap(lambda: function(*args), axis_name=AXIS, axis_size=1)()
            return jax.tree.map(lambda x: x[0], results)

        return self.parallel.compile(alone, donate)

    def map(self, function: Callable[[Any], Any], tree: Any) -> Any:
        """Calls a function with what is of each copy; inside of `compile`.

        Args:
            function: of what is of one copy.
            tree: this device's copies, [copies, ...]; of one network [...].

        Returns:
            The results, [copies, ...] or [...].
        """
        if not self.many:
            return function(tree)
        if self._at_once == 1:
            return lax.map(function, tree)
        return lax.map(function, tree, batch_size=self._at_once) if self._at_once < self._rounds else jax.vmap(function)(tree)
