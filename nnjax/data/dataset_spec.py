"""The facts of a dataset before it is read: shapes, sizes and the task, for checks without JAX.

spec = dataset_spec(config.data)
spec.input_shape, spec.num_outputs       # (28, 28, 1), 10
"""

from dataclasses import dataclass
from typing import Literal

from nnjax.config.data_options import Data, DigitsData, SeriesOptions, SyntheticData, TextbookData, TfdsData

# height, width, channels; classes; training and test examples
_TFDS = {
    "mnist": ((28, 28, 1), 10, 60_000, 10_000),
    "fashion_mnist": ((28, 28, 1), 10, 60_000, 10_000),
    "cifar10": ((32, 32, 3), 10, 50_000, 10_000),
    "cifar100": ((32, 32, 3), 100, 50_000, 10_000),
}
DIGITS_TRAIN, DIGITS_TEST = 1437, 360


@dataclass(frozen=True)
class DatasetSpec:
    """The facts of a dataset that its config implies.

    Attributes:
        name: the option's name.
        input_shape: shape of one input: (h, w, c) for images, (t, d) for sequences, (d,) for vectors.
        input_dtype: the type of the stored inputs.
        task: classification (targets are int32 class numbers) or regression (targets are float32 [num_outputs]).
        num_outputs: number of classes, or of target values.
        num_train: training examples, after `limit_train`, without the validation split.
        num_validation: examples set aside from the training split.
        num_test: test examples, after `limit_test`.
    """

    name: str
    input_shape: tuple[int, ...]
    input_dtype: Literal["uint8", "float32"]
    task: Literal["classification", "regression"]
    num_outputs: int
    num_train: int
    num_validation: int
    num_test: int

    @property
    def is_image(self) -> bool:
        """Whether inputs have height, width and channels."""
        return len(self.input_shape) == 3

    @property
    def is_sequence(self) -> bool:
        """Whether inputs are steps in time, each of some features."""
        return len(self.input_shape) == 2


def official_sizes(name: str) -> tuple[int, int]:
    """Returns the published numbers of training and test examples of a dataset of tensorflow-datasets."""
    _, _, train, test = _TFDS[name]
    return train, test


def dataset_spec(data: Data, num_train: int | None = None, num_test: int | None = None) -> DatasetSpec:
    """Returns the spec that data options imply.

    Args:
        data: the options.
        num_train: examples in the training split, if it was read and differs from the official number.
        num_test: the same for the test split.

    Raises:
        DataError: if the data stands in a CSV file that cannot be read.
    """
    task: Literal["classification", "regression"] = "classification"
    dtype: Literal["uint8", "float32"] = "uint8"
    match data:
        case TextbookData():
            shape: tuple[int, ...] = (len(data.inputs[0]),) if data.inputs else (0,)
            outputs = len(data.classes or (data.targets[0] if data.targets else ()))
            dtype, train, test = "float32", len(data.inputs), len(data.inputs)
            task = "classification" if data.classes else "regression"
        case DigitsData():
            shape, outputs, train, test = (8, 8, 1), 10, DIGITS_TRAIN, DIGITS_TEST
        case TfdsData():
            shape, outputs, train, test = _TFDS[data.name]
        case SyntheticData():
            shape, outputs, train, test = data.input_shape, data.outputs, data.num_train, data.num_test
            task, dtype = data.task, "float32"
        case SeriesOptions():
            from nnjax.data.series_file import read_series  # other datasets need no parser of CSV files

            shape, outputs, test = (data.window, 1), 1, data.holdout
            train = len(read_series(data).values) - data.difference - data.window - data.holdout
            task, dtype = "regression", "float32"
        case _:
            from nnjax.data.registered_data import registered_arrays

            arrays = registered_arrays(data)
            assert arrays is not None, "a dataset without facts"
            shape, outputs, task = arrays.train[0].shape[1:], arrays.num_outputs, arrays.task
            dtype = "uint8" if arrays.train[0].dtype == "uint8" else "float32"
            train, test = len(arrays.train[0]), len(arrays.test[0])
    train = train if num_train is None else num_train
    test = test if num_test is None else num_test
    train = min(train, data.limit_train or train)
    validation = round(train * data.validation)
    return DatasetSpec(
        name=data.name,
        input_shape=shape,
        input_dtype=dtype,
        task=task,
        num_outputs=outputs,
        num_train=train - validation,
        num_validation=validation,
        num_test=min(test, data.limit_test or test),
    )
