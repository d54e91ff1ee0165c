"""How a chunk's examples reach the devices: gathered there, or gathered on the host and sent.

    feeder = make_feeder(dataset.train, config, layout, total_steps)
    feed = feeder(first_step=0, num_steps=100)               # for the compiled chunk
    feeder.max_steps                                         # the most a feed holds

Both gather the same indices, so both train on the same numbers.
"""

from abc import ABC, abstractmethod
from functools import lru_cache
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from nnjax.checks.memory_needs import LARGEST_ON_DEVICE
from nnjax.config.schema import Config
from nnjax.data.dataset import Split
from nnjax.data.stream import batch_indices, epoch_permutation
from nnjax.training.layout import Layout
from nnjax.training.step import Feed

# What a chunk may hold of examples that the host gathers, or of indices: enough to hide the call, little enough to be gathered
# while the last one computes.
_CHUNK_BYTES = 2**25
_MOST_STEPS = 1024
_MOST_EXAMPLES = 2**16  # of small batches a call may take more steps, up to so many examples


class Feeder(ABC):
    """Makes feeds for consecutive chunks.

    Attributes:
        max_steps: steps that a feed holds.
    """

    def __init__(self, split: Split, config: Config, layout: Layout, max_steps: int) -> None:
        self._split = split
        self._batch_size = config.training.global_batch_size
        self._overfit = config.debug.overfit
        self._layout = layout
        self.max_steps = max_steps
        # Consecutive chunks ask for the same epoch again, or for the next, of each trial.
        self._permutation = lru_cache(maxsize=2 * len(layout.trials))(epoch_permutation)

    @abstractmethod
    def __call__(self, first_step: int, num_steps: int) -> Feed:
        """The examples of `num_steps` steps, at most `max_steps`, from `first_step` on."""

    def examples(self, step: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.int32]]:
        """Inputs and targets of one step of the only network, and their places in the split, on the host."""
        rows = self._indices(self._layout.trials[0].seed, step, 1)[0]
        return self._split.inputs[rows], self._split.targets[rows], rows

    def _all_indices(self, first_step: int, num_steps: int) -> NDArray[np.int32]:
        """[max_steps, global batch] as `_indices`; of trials [trials, max_steps, global batch]."""
        seeds = [trial.seed for trial in self._layout.trials]
        of_seed = {seed: self._indices(seed, first_step, num_steps) for seed in dict.fromkeys(seeds)}
        return np.stack([of_seed[seed] for seed in seeds]) if self._layout.many else of_seed[seeds[0]]

    def _indices(self, seed: int, first_step: int, num_steps: int) -> NDArray[np.int32]:
        """[max_steps, global batch] which examples each step takes; rows past `num_steps` are 0."""
        indices = np.zeros((self.max_steps, self._batch_size), np.int32)
        if self._overfit:
            first_step, num_steps = 0, 1
        rows = batch_indices(
            seed=seed,
            first_step=first_step,
            num_steps=num_steps,
            steps_per_epoch=len(self._split) // self._batch_size,
            num_examples=len(self._split),
            global_batch_size=self._batch_size,
            permutation=self._permutation,
        )
        if self._overfit:
            indices[:] = rows
        else:
            indices[:num_steps] = rows
        return indices


class DeviceFeeder(Feeder):
    """Keeps the whole split on every device, once for all trials; a chunk sends indices only."""

    def __init__(self, split: Split, config: Config, layout: Layout, max_steps: int) -> None:
        super().__init__(split, config, layout, max_steps)
        self._inputs, self._targets = layout.parallel.replicate((split.inputs, split.targets))

    def __call__(self, first_step: int, num_steps: int) -> Feed:
        """See `Feeder`."""
        indices: jax.Array = self._layout.put_batches(self._all_indices(first_step, num_steps))
        return Feed(self._inputs, self._targets, indices, gathered=False)


class HostFeeder(Feeder):
    """Gathers each chunk's examples on the host, while the devices work on the chunk before."""

    def __call__(self, first_step: int, num_steps: int) -> Feed:
        """See `Feeder`."""
        indices = self._all_indices(first_step, num_steps)
        used = (slice(None),) * (indices.ndim - 2) + (slice(num_steps),)
        batches = []
        for array in (self._split.inputs, self._split.targets):
            batches.append(np.zeros((*indices.shape, *array.shape[1:]), array.dtype))
            batches[-1][used] = array[indices[used]]
        inputs, targets, indices = self._layout.put_batches([*batches, indices])
        return Feed(inputs, targets, indices, gathered=True)


def make_feeder(split: Split, config: Config, layout: Layout, total_steps: int) -> Feeder:
    """The feeder that `data.placement` asks for; `auto` keeps a split of up to 1 GiB on the devices."""
    batch_size, trials = config.training.global_batch_size, len(layout.trials)
    most_steps = min(total_steps, max(1, max(_MOST_STEPS, _MOST_EXAMPLES // batch_size) // trials))
    most_steps = max(1, min(most_steps, _CHUNK_BYTES // (4 * trials * batch_size)))  # of indices, int32
    placement = config.data.placement
    if placement == "device" or (placement == "auto" and split.inputs.nbytes <= LARGEST_ON_DEVICE):
        return DeviceFeeder(split, config, layout, most_steps)
    step_bytes = trials * batch_size * split.inputs[:1].nbytes
    return HostFeeder(split, config, layout, max(1, min(most_steps, _CHUNK_BYTES // step_bytes)))
