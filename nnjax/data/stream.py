"""Selects the examples of each batch: a pure function of seed and step, not of devices, processes or interruptions.

batch_indices(seed=0, first_step=100, num_steps=8, steps_per_epoch=468, num_examples=60_000, global_batch_size=128)
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray


def epoch_permutation(seed: int, epoch: int, num_examples: int) -> NDArray[np.int32]:
    """[num_examples] a random order of the examples; read-only.

    Args:
        seed: the run's.
        epoch: counted from 0.
        num_examples: size of the training split.
    """
    if num_examples == 1:  # in the textbook's training an epoch is one step, and drawing a permutation costs more than the step
        return np.zeros(1, np.int32)
    random = np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, epoch))))
    order = np.arange(num_examples, dtype=np.int32)
    random.shuffle(order)
    order.setflags(write=False)
    return order


def batch_indices(
    seed: int,
    first_step: int,
    num_steps: int,
    steps_per_epoch: int,
    num_examples: int,
    global_batch_size: int,
    permutation: Callable[[int, int, int], NDArray[np.int32]] = epoch_permutation,
) -> NDArray[np.int32]:
    """[num_steps, global_batch_size] the examples of consecutive steps, possibly over several epochs.

    An epoch takes an example at most once. The examples that do not fill a last batch are left out, others in each epoch.

    Args:
        seed: the run's.
        first_step: step that the first row is for, counted from 0 over all epochs.
        num_steps: rows; at least one.
        steps_per_epoch: batches in an epoch.
        num_examples: size of the training split.
        global_batch_size: examples a step, over all devices.
        permutation: `epoch_permutation`, or a cached version of it, since consecutive steps need the same epoch again.

    Raises:
        ValueError: if the batches of an epoch need more examples than the split has.
    """
    used = steps_per_epoch * global_batch_size
    if used > num_examples:
        raise ValueError(f"{steps_per_epoch} batches of {global_batch_size} need more than {num_examples} examples")
    first_epoch, last_epoch = first_step // steps_per_epoch, (first_step + num_steps - 1) // steps_per_epoch
    epochs = [permutation(seed, epoch, num_examples)[:used] for epoch in range(first_epoch, last_epoch + 1)]
    batches = np.concatenate(epochs).reshape(-1, global_batch_size)
    start = first_step - first_epoch * steps_per_epoch
    return batches[start : start + num_steps]
