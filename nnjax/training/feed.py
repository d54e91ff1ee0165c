"""How a chunk's examples reach the devices: gathered there, or gathered on the host and sent.

    feeder = make_feeder(dataset.train, config, parallel)
    feed = feeder(first_step=0, num_steps=100)               # for the compiled chunk
    feeder.max_steps                                         # the most a feed holds

Both gather the same indices, so both train on the same numbers.
"""

from abc import ABC, abstractmethod
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from nnjax.config.schema import Config
from nnjax.data.dataset import Split
from nnjax.data.stream import batch_indices
from nnjax.parallel.data_parallel import DataParallel
from nnjax.training.step import Feed

# A split up to this size goes to the devices whole: CIFAR-10 has 154 MB, and a small GPU 8 GB.
_LARGEST_ON_DEVICE = 2**30
# What a host-fed chunk may hold: enough to hide the call, little enough to be gathered while the last one computes.
_HOST_CHUNK_BYTES = 2**25
_MOST_STEPS = 1024
_MOST_EXAMPLES = 2**16  # of small batches a call may take more steps, up to so many examples


class Feeder(ABC):
    """Makes feeds for consecutive chunks.

    Attributes:
        max_steps: steps that a feed holds.
    """

    def __init__(self, split: Split, config: Config, parallel: DataParallel, max_steps: int) -> None:
        self._split = split
        self._seed = config.seed
        self._batch_size = config.training.global_batch_size
        self._overfit = config.debug.overfit
        self._parallel = parallel
        self.max_steps = max_steps

    @abstractmethod
    def __call__(self, first_step: int, num_steps: int) -> Feed:
        """The examples of `num_steps` steps, at most `max_steps`, from `first_step` on."""

    def examples(self, step: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Inputs and targets of one step, on the host."""
        rows = self._indices(step, 1)[0]
        return self._split.inputs[rows], self._split.targets[rows]

    def _indices(self, first_step: int, num_steps: int) -> NDArray[np.int32]:
        """[max_steps, global batch] which examples each step takes; rows past `num_steps` are 0."""
        indices = np.zeros((self.max_steps, self._batch_size), np.int32)
        if self._overfit:
            first_step, num_steps = 0, 1
        rows = batch_indices(
            seed=self._seed,
            first_step=first_step,
            num_steps=num_steps,
            steps_per_epoch=len(self._split) // self._batch_size,
            num_examples=len(self._split),
            global_batch_size=self._batch_size,
        )
        if self._overfit:
            indices[:] = rows
        else:
            indices[:num_steps] = rows
        return indices


class DeviceFeeder(Feeder):
    """Keeps the whole split on every device; a chunk sends indices only."""

    def __init__(self, split: Split, config: Config, parallel: DataParallel, max_steps: int) -> None:
        super().__init__(split, config, parallel, max_steps)
        self._inputs, self._targets = parallel.replicate((split.inputs, split.targets))

    def __call__(self, first_step: int, num_steps: int) -> Feed:
        """See `Feeder`."""
        indices: jax.Array = self._parallel.split(self._indices(first_step, num_steps), axis=1)
        return Feed(self._inputs, self._targets, indices)


class HostFeeder(Feeder):
    """Gathers each chunk's examples on the host, while the devices work on the chunk before."""

    def __call__(self, first_step: int, num_steps: int) -> Feed:
        """See `Feeder`."""
        rows = self._indices(first_step, num_steps)[:num_steps]
        batches = []
        for array in (self._split.inputs, self._split.targets):
            batches.append(np.zeros((self.max_steps, rows.shape[1], *array.shape[1:]), array.dtype))
            batches[-1][:num_steps] = array[rows]
        inputs, targets = self._parallel.split(batches, axis=1)
        return Feed(inputs, targets, None)


def make_feeder(split: Split, config: Config, parallel: DataParallel, total_steps: int) -> Feeder:
    """The feeder that `data.placement` asks for; `auto` keeps a split of up to 1 GiB on the devices."""
    batch_size = config.training.global_batch_size
    most_steps = min(total_steps, max(_MOST_STEPS, _MOST_EXAMPLES // batch_size))
    placement = config.data.placement
    if placement == "device" or (placement == "auto" and split.inputs.nbytes <= _LARGEST_ON_DEVICE):
        return DeviceFeeder(split, config, parallel, most_steps)
    step_bytes = batch_size * split.inputs[:1].nbytes
    return HostFeeder(split, config, parallel, max(1, min(most_steps, _HOST_CHUNK_BYTES // step_bytes)))
