"""The common form of all data: inputs and targets in three splits, and the statistics that normalise them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nnjax.config.data_options import Data
from nnjax.data.dataset_spec import DatasetSpec
from nnjax.data.time_series import TimeSeries


@dataclass(frozen=True)
class Split:
    """Examples in a fixed order.

    Attributes:
        inputs: [n, h, w, c] uint8 images, or [n, ...] float32; may be memory-mapped, so slice before you copy.
        targets: [n] int32 class numbers, or [n, k] float32 values.
    """

    inputs: NDArray[np.uint8] | NDArray[np.float32]
    targets: NDArray[np.int32] | NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.inputs)


@dataclass(frozen=True)
class Dataset:
    """A dataset, read.

    Attributes:
        spec: shapes, sizes and task; agrees with the splits.
        train: the training split.
        validation: taken from the training split; empty if `data.validation` is 0.
        test: the test split, used once, at the end.
        mean: [c] float32, mean of the training split's channels (features, for vectors), in the inputs' own units.
        std: [c] float32, their standard deviation, never 0; where `normalize` is off, mean 0 and std 1.
        class_names: one per class; empty for regression.
        series: the time series whose windows the examples are; None for other data.
        options: the config that it was read by; None for a dataset that was made in Python.
        features: the names of a vector's values; empty where they have none.
    """

    spec: DatasetSpec
    train: Split
    validation: Split
    test: Split
    mean: NDArray[np.float32]
    std: NDArray[np.float32]
    class_names: tuple[str, ...]
    series: TimeSeries | None = None
    options: Data | None = None
    features: tuple[str, ...] = ()
