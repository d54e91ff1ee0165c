"""Loaders: the examples of each chunk of steps, gathered on the devices, or gathered on the host and sent.

    loader = make_loader(dataset.train, config, placement, seeds=[0], total_steps=600)
    chunk = loader(first_step=0, num_steps=100)              # a ChunkBatch for the compiled call
    loader.max_steps                                         # the most steps in a chunk

Both kinds gather the same indices, so training gets the same numbers from either.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from nnjax.checks.memory_needs import LARGEST_ON_DEVICE
from nnjax.config.schema import Config
from nnjax.data.dataset import Split
from nnjax.data.stream import batch_indices, epoch_permutation
from nnjax.parallel.placement import Placement
from nnjax.training.step import ChunkBatch

# The most bytes of gathered examples, or of indices, in a chunk: enough to hide the call, little enough to be gathered while
# the devices compute the chunk before.
_CHUNK_BYTES = 2**25
_MOST_STEPS = 1024
_MOST_EXAMPLES = 2**16  # with small batches a call may do more steps, up to this many examples


class ChunkLoader(ABC):
    """Loads the examples of consecutive chunks.

    Args:
        split: the training split.
        config: batch size, and whether to repeat the first batch.
        placement: the devices.
        seeds: each trial's seed, which draws its shuffles.
        max_steps: the most steps in a chunk.

    Attributes:
        max_steps: as given.
    """

    def __init__(self, split: Split, config: Config, placement: Placement, seeds: Sequence[int], max_steps: int) -> None:
        self._split = split
        self._batch_size = config.training.global_batch_size
        self._overfit = config.debug.overfit
        self._placement = placement
        self._seeds = seeds
        self.max_steps = max_steps
        # Consecutive chunks ask for the same epoch again, or for the next, of each trial.
        self._permutation = lru_cache(maxsize=2 * len(seeds))(epoch_permutation)

    @abstractmethod
    def __call__(self, first_step: int, num_steps: int) -> ChunkBatch:
        """The examples of `num_steps` steps, at most `max_steps`, from `first_step` on."""

    def examples(self, step: int, trial: int = 0) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.int32]]:
        """Inputs and targets of one step of a trial, and their places in the split, on the host."""
        rows = self._indices(self._seeds[trial], step, 1)[0]
        return self._split.inputs[rows], self._split.targets[rows], rows

    def _all_indices(self, first_step: int, num_steps: int) -> NDArray[np.int32]:
        """As `_indices`, [max_steps, global batch]; with several trials [trials, max_steps, global batch]."""
        of_seed = {seed: self._indices(seed, first_step, num_steps) for seed in dict.fromkeys(self._seeds)}
        return np.stack([of_seed[seed] for seed in self._seeds]) if self._placement.many else of_seed[self._seeds[0]]

    def _indices(self, seed: int, first_step: int, num_steps: int) -> NDArray[np.int32]:
        """Each step's example indices, [max_steps, global batch]; rows past `num_steps` are 0."""
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


class DeviceLoader(ChunkLoader):
    """Keeps the whole split on every device, once for all trials; sends only a chunk's indices."""

    def __init__(self, split: Split, config: Config, placement: Placement, seeds: Sequence[int], max_steps: int) -> None:
        super().__init__(split, config, placement, seeds, max_steps)
        self._inputs, self._targets = placement.replicate((split.inputs, split.targets))

    def __call__(self, first_step: int, num_steps: int) -> ChunkBatch:
        """See `ChunkLoader`."""
        indices: jax.Array = self._placement.put_batches(self._all_indices(first_step, num_steps))
        return ChunkBatch(self._inputs, self._targets, indices, gathered=False)


class HostLoader(ChunkLoader):
    """Gathers each chunk's examples on the host, while the devices compute the chunk before."""

    def __call__(self, first_step: int, num_steps: int) -> ChunkBatch:
        """See `ChunkLoader`."""
        indices = self._all_indices(first_step, num_steps)
        # Of each batch, what this process's devices need. The rest is never written, so the system gives it no memory.
        own = self._placement.own_part(indices.shape[-1])
        used = (slice(None),) * (indices.ndim - 2) + (slice(num_steps), own)
        batches = []
        for array in (self._split.inputs, self._split.targets):
            batches.append(np.zeros((*indices.shape, *array.shape[1:]), array.dtype))
            batches[-1][used] = array[indices[used]]
        inputs, targets, indices = self._placement.put_batches([*batches, indices])
        return ChunkBatch(inputs, targets, indices, gathered=True)


def make_loader(split: Split, config: Config, placement: Placement, *, seeds: Sequence[int], total_steps: int) -> ChunkLoader:
    """Makes the loader that `data.placement` asks for; `auto` keeps a split of up to 1 GiB on the devices."""
    batch_size, trials = config.training.global_batch_size, len(seeds)
    most_steps = min(total_steps, max(1, max(_MOST_STEPS, _MOST_EXAMPLES // batch_size) // trials))
    most_steps = max(1, min(most_steps, _CHUNK_BYTES // (4 * trials * batch_size)))  # bytes of indices, int32
    where = config.data.placement
    if where == "device" or (where == "auto" and split.inputs.nbytes <= LARGEST_ON_DEVICE):
        return DeviceLoader(split, config, placement, seeds, most_steps)
    step_bytes = trials * batch_size * split.inputs[:1].nbytes
    return HostLoader(split, config, placement, seeds, max(1, min(most_steps, _CHUNK_BYTES // step_bytes)))
