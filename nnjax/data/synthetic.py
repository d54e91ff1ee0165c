"""Data without files: the textbook's examples from the config, and synthetic examples of any size.

train, test = synthetic(config.data)
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnjax.config.data_options import SyntheticData, TextbookData
from nnjax.data.dataset import Split

_SIGNAL, _TRAIN, _TEST = 0, 1, 2  # drawn separately, so that more training examples change neither of the others


def textbook(data: TextbookData) -> tuple[Split, Split]:
    """Returns the examples of the config, which both splits share."""
    targets = textbook_targets(data)
    split = Split(np.asarray(data.inputs, np.float32), targets if data.classes else targets.astype(np.float32))
    return split, split


def textbook_targets(data: TextbookData) -> NDArray[Any]:
    """Returns the targets of the config's examples: [n] int32 class numbers, or [n, k] float64 values."""
    return np.asarray(data.class_numbers, np.int32) if data.classes else np.asarray(data.targets, np.float64)


def synthetic(data: SyntheticData) -> tuple[Split, Split]:
    """Draws examples that depend on `data.data_seed` alone.

    Classification: a standard normal centre for each class, plus noise; the classes alternate, so every beginning is balanced.
    Regression: standard normal inputs x, and targets x·W / √d plus noise, with W [d, k] standard normal; the signal has
    variance 1.
    """
    signal = np.random.default_rng((data.data_seed, _SIGNAL))
    if data.task == "classification":
        centres = _normal(signal, data.outputs, *data.input_shape)
        return _classes(data, centres, data.num_train, _TRAIN), _classes(data, centres, data.num_test, _TEST)
    size = int(np.prod(data.input_shape))
    weights = _normal(signal, size, data.outputs) / np.float32(np.sqrt(size))
    return _regression(data, weights, data.num_train, _TRAIN), _regression(data, weights, data.num_test, _TEST)


def _classes(data: SyntheticData, centres: NDArray[np.float32], count: int, part: int) -> Split:
    labels = np.arange(count, dtype=np.int32) % data.outputs
    noise = _normal(np.random.default_rng((data.data_seed, part)), count, *data.input_shape)
    return Split(centres[labels] + np.float32(data.noise) * noise, labels)


def _regression(data: SyntheticData, weights: NDArray[np.float32], count: int, part: int) -> Split:
    random = np.random.default_rng((data.data_seed, part))
    inputs = _normal(random, count, *data.input_shape)
    targets = inputs.reshape(count, -1) @ weights
    return Split(inputs, targets + np.float32(data.noise) * _normal(random, *targets.shape))


def _normal(random: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    return random.standard_normal(shape, np.float32)
