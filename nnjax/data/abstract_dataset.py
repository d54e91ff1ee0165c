"""A dataset of which only the facts are known: arrays of the right shapes, all zero, that take no memory.

dataset = abstract_dataset(config.data)            # nothing is read or downloaded
dataset.train.inputs.shape                         # (45000, 32, 32, 3)
"""

import numpy as np

from nnjax.config.data_options import Data, SeriesOptions
from nnjax.data.dataset import Dataset, Split
from nnjax.data.dataset_spec import DatasetSpec, dataset_spec


def abstract_dataset(data: Data) -> Dataset:
    """The dataset of a config's data options, without its content.

    Every array is one zero, repeated by a stride of 0. Where training normalises the inputs, the standard deviation is 2, so
    that the compiled programs do, too.

    Raises:
        DataError: if the facts stand in a CSV file that cannot be read.
    """
    spec = dataset_spec(data)
    channels = spec.input_shape[-1]
    normalizes = not isinstance(data, SeriesOptions) and data.normalize
    return Dataset(
        spec,
        train=_split(spec, spec.num_train),
        validation=_split(spec, spec.num_validation),
        test=_split(spec, spec.num_test),
        mean=np.zeros(channels, np.float32),
        std=np.full(channels, 2 if normalizes else 1, np.float32),
        class_names=(),
        options=data,
    )


def _split(spec: DatasetSpec, count: int) -> Split:
    inputs = np.broadcast_to(np.zeros((), spec.input_dtype), (count, *spec.input_shape))
    if spec.task == "classification":
        return Split(inputs, np.broadcast_to(np.zeros((), np.int32), (count,)))
    return Split(inputs, np.broadcast_to(np.zeros((), np.float32), (count, spec.num_outputs)))
