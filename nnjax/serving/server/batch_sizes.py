"""Runs a network in a few batch sizes only, so that it compiles for these and for no other.

sizes = batch_sizes(64)                                # (1, 2, 4, 8, 16, 32, 64)
outputs_of = in_sizes(model.outputs_of, sizes)         # 5 inputs are padded to 8, 70 are computed as 64 and 6
"""

import numpy as np
from numpy.typing import NDArray

from nnjax.serving.model import OutputsOf


def batch_sizes(most: int) -> tuple[int, ...]:
    """Returns the powers of two below `most`, and `most`."""
    return (*(2**power for power in range((most - 1).bit_length())), most)


def in_sizes(outputs_of: OutputsOf, sizes: tuple[int, ...]) -> OutputsOf:
    """Returns the same function, which calls `outputs_of` with batches of the given sizes alone.

    A batch is padded with zeros to the next size, and their outputs are dropped; a longer one is divided.

    Args:
        outputs_of: [n, *shape] inputs → [trials, n, k] outputs, of each input by itself.
        sizes: ascending.
    """
    most = sizes[-1]

    def padded(inputs: NDArray[np.generic]) -> NDArray[np.float32]:
        number = len(inputs)
        if number > most:
            parts = [padded(inputs[start : start + most]) for start in range(0, number, most)]
            return np.concatenate(parts, axis=1)
        size = next(size for size in sizes if size >= number)
        if size == number:
            return np.asarray(outputs_of(inputs))
        batch = np.zeros((size, *inputs.shape[1:]), inputs.dtype)
        batch[:number] = inputs
        return np.asarray(outputs_of(batch))[:, :number]

    return padded
