"""Reads the dataset that a config names.

    dataset = load(config.data)
    dataset.train.inputs[:3], dataset.mean, dataset.spec.num_train

Nothing is downloaded here; `nnjax.data.prepare` does that, and the error for missing data names the command.
"""

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nnjax.config.data_options import (
    AirlineData,
    Data,
    DigitsData,
    SeriesData,
    SeriesOptions,
    SyntheticData,
    TextbookData,
    TfdsData,
)
from nnjax.config.diagnostics import count
from nnjax.config.errors import DataError
from nnjax.data.dataset import Dataset, Split
from nnjax.data.dataset_spec import DatasetSpec, dataset_spec
from nnjax.data.registered_data import registered_arrays

Inputs = NDArray[np.uint8] | NDArray[np.float32]

_CHUNK = 256  # examples; 256 · 255² < 2²⁴, so that float32 sums of squared bytes are exact


def load(data: Data, *, echo: Callable[[str], None] = print) -> Dataset:
    """Reads a dataset, limits it, sets the validation split aside, and measures mean and standard deviation.

    `limit_train` and `limit_test` keep the beginning of a split in its own order, which mixes the classes in every source. The
    validation split is chosen by a permutation that depends on the number of examples only, never on the run's seed. For a time
    series, `limit_train` keeps the newest windows, and the last of these are the validation split.

    Args:
        data: the config.
        echo: gets a line of text on images that have to be decoded (and why, if not for the first time), on limits without
            effect, and on a column that was chosen by its place.

    Raises:
        DataError: if the data is missing or damaged, or nothing is left to train on.
    """
    if isinstance(data, AirlineData | SeriesData):
        return _load_series(data, echo)
    train, test, class_names = _read(data, echo)
    spec = dataset_spec(data, len(train), len(test))
    _tell_limits(data, len(train), len(test), spec, echo)
    if spec.num_train < 1:
        raise DataError(
            f"data.validation={data.validation}: leaves nothing to train on of {spec.num_validation} training examples"
        )
    train, test = _first(train, spec.num_train + spec.num_validation), _first(test, spec.num_test)
    train, validation = _set_aside(train, spec.num_validation)
    channels = spec.input_shape[-1]
    if data.normalize:
        mean, std = mean_and_std(train.inputs)
    else:
        mean, std = np.zeros(channels, np.float32), np.ones(channels, np.float32)
    arrays = registered_arrays(data)
    features = arrays.features if arrays else ()
    return Dataset(spec, train, validation, test, mean, std, class_names, options=data, features=features)


def _tell_limits(data: Data, num_train: int, num_test: int, spec: DatasetSpec, echo: Callable[[str], None]) -> None:
    """Reports limits and shares that were set and change nothing."""
    for key, limit, there in (("train", data.limit_train, num_train), ("test", data.limit_test, num_test)):
        if limit is not None and limit > there:
            echo(f"data.limit_{key}={limit}: there are only {there}; all are used")
    if data.validation and not spec.num_validation:
        echo(f"data.validation={data.validation:g}: of {count(spec.num_train, 'example')} that sets none aside")


def _load_series(data: AirlineData | SeriesData, echo: Callable[[str], None]) -> Dataset:
    """Returns training windows, validation windows and held-out values in time order; a window's target is the next value."""
    from nnjax.data.time_series import time_series

    spec = dataset_spec(data)
    if spec.num_train < 1:
        raise DataError(f"data={data.name}: the series is too short; its windows leave nothing to train on")
    series = time_series(data, spec)
    if isinstance(data, SeriesData) and data.column not in (None, series.name):
        echo(f"data.column={data.column} is {series.name}")
    _tell_future(data, echo)
    held_out = len(series.values) - data.holdout
    validation = held_out - spec.num_validation
    return Dataset(
        spec,
        train=Split(*series.windows(range(validation - spec.num_train, validation))),
        validation=Split(*series.windows(range(validation, held_out))),
        test=Split(*series.windows(range(held_out, held_out + spec.num_test))),
        mean=np.zeros(1, np.float32),  # windows are scaled already, as targets are scaled with them
        std=np.ones(1, np.float32),
        class_names=(),
        series=series,
        options=data,
    )


def _tell_future(data: SeriesOptions, echo: Callable[[str], None]) -> None:
    """Reports rows without a value at the end of a file, which training leaves out."""
    from nnjax.data.series_file import read_series

    if future := read_series(data).future:
        rows = f"row {future[0]} has" if len(future) == 1 else f"{len(future)} rows, {future[0]} to {future[-1]}, have"
        echo(f"{rows} no value at the end of the file: left out here; experiments.forecast forecasts them")


def _read(
    data: TextbookData | DigitsData | SyntheticData | TfdsData, echo: Callable[[str], None]
) -> tuple[Split, Split, tuple[str, ...]]:
    """Returns the whole training split, the whole test split, and the names of the classes."""
    match data:
        case DigitsData():
            from nnjax.data.digits import CLASS_NAMES, digits

            return *digits(), CLASS_NAMES
        case TextbookData():
            from nnjax.data.synthetic import textbook

            return *textbook(data), data.classes or ()
        case SyntheticData():
            from nnjax.data.synthetic import synthetic

            classes = range(data.outputs if data.task == "classification" else 0)
            return *synthetic(data), tuple(map(str, classes))
        case TfdsData():
            return _read_tfds(data, echo)
        case _:
            arrays = registered_arrays(data)
            assert arrays is not None, "a dataset that nothing reads"
            return Split(*arrays.train), Split(*arrays.test), arrays.class_names


def _read_tfds(data: TfdsData, echo: Callable[[str], None]) -> tuple[Split, Split, tuple[str, ...]]:
    from nnjax.data import tfds
    from nnjax.data.cache import cached, fingerprint

    folder = tfds.prepared_folder(data)
    spec = dataset_spec(data)
    with tfds.explained(folder):
        known = fingerprint(folder)

    def read(split: Literal["train", "test"]) -> tuple[Split, tuple[str, ...]]:
        name = f"{data.name}-{folder.name}-{split}"
        decoded = cached(name, folder, lambda: tfds.decode_split(folder, split, spec), echo, known)
        return Split(decoded.inputs, decoded.targets), decoded.class_names

    (train, class_names), (test, _) = read("train"), read("test")
    return train, test, class_names


def _first(split: Split, count: int) -> Split:
    return Split(split.inputs[:count], split.targets[:count])


def _set_aside(split: Split, count: int) -> tuple[Split, Split]:
    """Splits off `count` examples; returns the others and these, both in the split's order."""
    if count == 0:
        return split, _first(split, 0)
    chosen = np.zeros(len(split), bool)
    chosen[np.random.RandomState(0).permutation(len(split))[:count]] = True
    return Split(split.inputs[~chosen], split.targets[~chosen]), Split(split.inputs[chosen], split.targets[chosen])


def mean_and_std(inputs: Inputs) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation of each channel (the last axis), exact for bytes.

    Args:
        inputs: [n, ..., c] at least one example.

    Returns:
        [c] the mean, and [c] the standard deviation, with 1 in place of 0.
    """
    channels = inputs.shape[-1]
    count = inputs.size // channels
    if inputs.dtype == np.uint8:
        sums = np.zeros((2, *inputs.shape[1:]))  # float64: whole numbers up to 2⁵³
        for chunk in _chunks(inputs):
            values = chunk.astype(np.float32)
            sums += [values.sum(axis=0), np.einsum("n...,n...->...", values, values)]
        # Python's own integers: count · squares passes 2⁶⁴.
        total, squares = sums.reshape(2, -1, channels).sum(axis=1).astype(np.int64).tolist()
        mean = np.array([t / count for t in total])
        variance = np.array([(count * s - t * t) / count**2 for t, s in zip(total, squares, strict=True)])
    else:
        chunks = [chunk.reshape(-1, channels) for chunk in _chunks(inputs)]
        mean = np.sum([chunk.sum(axis=0, dtype=np.float64) for chunk in chunks], axis=0) / count
        variance = np.sum([((chunk - mean) ** 2).sum(axis=0) for chunk in chunks], axis=0) / count
    std = np.sqrt(variance)
    return mean.astype(np.float32), np.where(std > 0, std, 1).astype(np.float32)


def _chunks(inputs: Inputs) -> Iterator[Inputs]:
    for start in range(0, len(inputs), _CHUNK):
        yield inputs[start : start + _CHUNK]
