"""The examples that a trace takes: in dataset order, neither shuffled nor augmented, in float64.

inputs, targets = trace_inputs(config, dataset, places), trace_targets(config, dataset, places)
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnjax.config.data_options import TextbookData
from nnjax.config.schema import Config
from nnjax.data.dataset import Dataset
from nnjax.data.synthetic import textbook_targets
from nnjax.textbook.passes import Numbers


def trace_inputs(config: Config, dataset: Dataset, places: NDArray[Any]) -> Numbers:
    """The inputs [b, ...] of the training examples at `places`, normalised."""
    # From the config where they stand there, since the dataset is rounded to float32.
    inputs = (np.array(config.data.inputs) if isinstance(config.data, TextbookData) else dataset.train.inputs)[places]
    found: Numbers = (inputs.astype(np.float64) - dataset.mean.astype(np.float64)) / dataset.std.astype(np.float64)
    return found


def trace_targets(config: Config, dataset: Dataset, places: NDArray[Any]) -> NDArray[Any]:
    """The targets of the training examples at `places`: [b] class numbers, or [b, k] float64."""
    targets: NDArray[Any] = textbook_targets(config.data) if isinstance(config.data, TextbookData) else dataset.train.targets
    targets = targets[places]
    return targets.astype(np.float64) if dataset.spec.task == "regression" else targets
