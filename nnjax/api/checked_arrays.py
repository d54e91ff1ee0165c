"""Arrays that a person gives to a trained network, checked and in the form that its dataset stores.

checked_inputs([[[[0]]]], dataset)                        # InputError: inputs must be [n, 8, 8, 1] uint8, …
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nnjax.config.errors import InputError
from nnjax.data.dataset import Dataset, Split
from nnjax.data.given_arrays import finite_float32, plain_array
from nnjax.data.named_columns import by_name, column_names


def checked_inputs(inputs: ArrayLike, dataset: Dataset) -> NDArray[Any]:
    """Returns a person's inputs, [n, *input_shape], as the dataset stores them; a table's columns by their names.

    Raises:
        InputError: for another shape or type, columns of other names, or a number that is not finite.
    """
    spec = dataset.spec
    wanted = f"inputs must be [n, {', '.join(map(str, spec.input_shape))}] {spec.input_dtype}, as data={spec.name} stores them"
    array = by_name(plain_array(inputs, wanted, InputError), column_names(inputs), dataset.features, "inputs", InputError)
    if array.shape[1:] != spec.input_shape or array.ndim != len(spec.input_shape) + 1:
        hint = "; write inputs[None] for a single example" if array.shape == spec.input_shape else ""
        raise InputError(f"{wanted}; they are {list(array.shape)}{hint}")
    if spec.input_dtype == "float32":
        if array.dtype.kind not in "biuf":
            raise InputError(f"{wanted}; they are {array.dtype}")
        return finite_float32(array, "inputs", InputError, dataset.features)
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind not in "iu" and array.size:
        raise InputError(f"{wanted}, whole numbers from 0 to 255; they are {array.dtype}")
    if array.size and (array.min() < 0 or array.max() > 255):
        raise InputError(f"{wanted}, whole numbers from 0 to 255; they are from {array.min()} to {array.max()}")
    return array.astype(np.uint8)


def checked_split(split: str | Split, dataset: Dataset) -> Split:
    """Returns a split by its name, or a person's own with arrays as the dataset stores them.

    Raises:
        InputError: for one that is not there or does not fit.
    """
    names: Sequence[str] = ("train", "validation", "test")
    if isinstance(split, str):
        if split not in names:
            raise InputError(f"split={split}: must be one of {', '.join(names)}, or a nnjax.Split")
        found: Split = getattr(dataset, split)
        if not len(found) and split == "test":
            raise InputError(f"split={split}: is empty; data.holdout=24 holds the last 24 values out")
        if not len(found):
            raise InputError(f"split={split}: is empty; data.validation=0.1 sets a tenth of the training examples aside")
        return found
    if not isinstance(split, Split):
        raise InputError(f"split must be one of {', '.join(names)}, or a nnjax.Split; it is a {type(split).__name__}")
    spec = dataset.spec
    inputs, targets = checked_inputs(split.inputs, dataset), plain_array(split.targets, "targets", InputError)
    if not len(inputs):
        raise InputError("the split holds no example")
    if spec.task == "regression":
        if targets.shape != (len(inputs), spec.num_outputs) or targets.dtype.kind not in "biuf":
            raise InputError(f"targets must be [{len(inputs)}, {spec.num_outputs}] numbers; they are {list(targets.shape)}")
        return Split(inputs, finite_float32(targets, "targets", InputError))
    if targets.shape != (len(inputs),) or targets.dtype.kind not in "iu":
        raise InputError(f"targets must be [{len(inputs)}] class numbers; they are {list(targets.shape)} {targets.dtype}")
    if targets.min() < 0 or targets.max() >= spec.num_outputs:
        raise InputError(f"targets must be class numbers from 0 to {spec.num_outputs - 1}; they go up to {targets.max()}")
    return Split(inputs, targets.astype(np.int32))
