"""Datasets that a person registered: arrays in memory, checked, read once for each setting of their options.

    arrays = registered_arrays(config.data)       # None for a shipped dataset
    arrays.task, arrays.train.inputs.shape

What the reading function loads, NumPy for one, is loaded by it: this module imports none of it before it is called.
"""

from collections.abc import KeysView, Mapping, Set
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from nnjax.config.errors import DataError
from nnjax.config.registry import registered_as
from nnjax.data.named_columns import by_name, column_names

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_CLASSES = 2**20  # each has a name in memory; larger numbers are rather identifiers of some kind
_WANTED = "must return ((train_inputs, train_targets), (test_inputs, test_targets)), or that and the names of the classes"


@dataclass(frozen=True)
class RegisteredArrays:
    """A registered dataset, read.

    Attributes:
        train: inputs, [n, h, w, c] uint8 or [n, ...] float32, and targets, [n] int32 or [n, k] float32.
        test: the same for the test split.
        task: what the targets are.
        num_outputs: number of classes, or of target values.
        class_names: one a class; empty for regression.
        features: the names of a vector's values; empty where they have none.
    """

    train: "tuple[NDArray[Any], NDArray[Any]]"
    test: "tuple[NDArray[Any], NDArray[Any]]"
    task: Literal["classification", "regression"]
    num_outputs: int
    class_names: tuple[str, ...]
    features: tuple[str, ...]


def registered_arrays(data: object) -> RegisteredArrays | None:
    """Returns the arrays of a registered dataset; None for a shipped one.

    Raises:
        DataError: if the registered function fails, or returns something else.
    """
    option = registered_as(data)
    return None if option is None or option.group != "data" else _read(data, option.build)


@lru_cache(maxsize=2)  # the checks ask first, then the training; a sweep has one at a time
def _read(data: Any, read: Any) -> RegisteredArrays:
    where = f"data={data.name}"
    try:
        found = read(data)
    except Exception as error:
        raise DataError(f"{where}: {type(error).__name__}: {str(error).partition(chr(10))[0]}") from error
    try:
        (train, test), names = (found[:2], found[2:]) if isinstance(found, tuple | list) else ((), ())
        (train_inputs, train_targets), (test_inputs, test_targets) = train, test
        (given_names,) = names or ((),)
        if isinstance(given_names, str | bytes | Set | Mapping) and not isinstance(given_names, KeysView):
            wanted = "a list of names, in the order of the classes"
            raise DataError(f"{where}: the names of its classes are a {type(given_names).__name__}; must be {wanted}")
        class_names = () if given_names is None else tuple(map(str, given_names))
    except (TypeError, ValueError) as error:
        raise DataError(f"{where}: its function {_WANTED}") from error
    features = _features(train_inputs, data, where)
    inputs = [
        _inputs(train_inputs, features, f"{where}: train inputs"),
        _inputs(test_inputs, features, f"{where}: test inputs"),
    ]
    values = column_names(train_targets)
    values = values if len(values) > 1 else ()  # a single column has no order
    targets = [
        _targets(train_targets, values, f"{where}: train targets"),
        _targets(test_targets, values, f"{where}: test targets"),
    ]
    for name, x, y in zip(("train", "test"), inputs, targets, strict=True):
        if len(x) != len(y):
            raise DataError(f"{where}: has {len(x)} {name} inputs and {len(y)} {name} targets")
        if not len(x):
            raise DataError(f"{where}: has no {name} examples")
    if inputs[0].shape[1:] != inputs[1].shape[1:] or inputs[0].dtype != inputs[1].dtype:
        shapes = " and ".join(f"{list(x.shape)} {x.dtype}" for x in inputs)
        raise DataError(f"{where}: train and test inputs are not alike: {shapes}")
    if targets[0].dtype != targets[1].dtype or targets[0].shape[1:] != targets[1].shape[1:]:
        shapes = " and ".join(f"{list(y.shape)} {y.dtype}" for y in targets)
        raise DataError(f"{where}: train and test targets are not alike: {shapes}")
    if targets[0].ndim == 2:
        return RegisteredArrays(
            (inputs[0], targets[0]), (inputs[1], targets[1]), "regression", targets[0].shape[1], (), features
        )
    count = max(len(class_names), 1 + max(int(y.max()) for y in targets))
    if count < 2:
        raise DataError(f"{where}: has a single class; must have at least 2, or real-valued targets")
    if class_names and count > len(class_names):
        raise DataError(f"{where}: has {len(class_names)} class names, and targets up to {count - 1}, counted from 0")
    if len(set(class_names)) < len(class_names):
        raise DataError(f"{where}: has two classes {_twice(class_names)}; names must differ")
    all_names = class_names or tuple(map(str, range(count)))
    return RegisteredArrays((inputs[0], targets[0]), (inputs[1], targets[1]), "classification", count, all_names, features)


def _features(inputs: Any, data: Any, where: str) -> tuple[str, ...]:
    """The names that were registered, or a table's."""
    from nnjax.data.given_arrays import plain_array

    names = tuple(map(str, getattr(type(data), "column_names", ()))) or column_names(inputs)
    if not names:
        return ()
    shape = list(plain_array(inputs, f"{where}: train inputs", DataError).shape)
    if len(shape) != 2 or shape[1] != len(names):
        named = f"names of columns ({', '.join(names)})"
        raise DataError(f"{where}: has {named} and inputs of the shape {shape}; must have one name a column")
    if len(set(names)) < len(names):
        raise DataError(f"{where}: has two columns {_twice(names)}; names must differ")
    return names


def _twice(names: tuple[str, ...]) -> str:
    return next(name for name in names if names.count(name) > 1)


def _inputs(values: Any, features: tuple[str, ...], where: str) -> "NDArray[Any]":
    """[n, ...] as they are stored."""
    import numpy as np

    from nnjax.data.given_arrays import finite_float32, plain_array

    array = by_name(plain_array(values, where, DataError), column_names(values), features, where, DataError)
    if array.ndim not in (2, 3, 4) or 0 in array.shape[1:]:
        raise DataError(
            f"{where}: must be [n, height, width, channels], [n, steps, features] or [n, features]; are {list(array.shape)}"
        )
    if array.dtype == np.uint8 and array.ndim == 4:
        return np.ascontiguousarray(array)
    if array.dtype.kind not in "biuf":
        raise DataError(f"{where}: must be numbers; are {array.dtype}")
    return finite_float32(array, where, DataError, features)


def _targets(values: Any, names: tuple[str, ...], where: str) -> "NDArray[Any]":
    """[n] int32 classes, or [n, k] float32 values."""
    import numpy as np

    from nnjax.data.given_arrays import finite_float32, plain_array

    array = by_name(plain_array(values, where, DataError), column_names(values), names, where, DataError)
    if array.dtype.kind in "biu" and array.ndim == 1:
        if len(array) and array.min() < 0:
            raise DataError(f"{where}: classes are counted from 0; the smallest is {array.min()}")
        if len(array) and array.max() >= _MOST_CLASSES:
            largest = f"the largest is {array.max()}; must be below {_MOST_CLASSES}"
            raise DataError(f"{where}: classes are counted from 0, without gaps; {largest}")
        return array.astype(np.int32)
    if array.dtype.kind != "f" or array.ndim not in (1, 2):
        kinds = "whole numbers [n] for classes, or real ones [n] or [n, k]"
        raise DataError(f"{where}: must be {kinds}; are {list(array.shape)} {array.dtype}")
    return finite_float32(array, where, DataError).reshape(len(array), -1)
