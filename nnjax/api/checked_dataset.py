"""A dataset that a person gives to a training, checked: its options, its spec, and what its splits hold.

dataset = checked_dataset(config.data, dataset)           # ConfigError: dataset: has 200 train examples, and its spec …
"""

from dataclasses import replace

from nnjax.api.checked_arrays import checked_split
from nnjax.config.data_options import Data
from nnjax.config.errors import ConfigError, InputError
from nnjax.config.parsing import to_mapping
from nnjax.data.dataset import Dataset, Split
from nnjax.data.dataset_spec import dataset_spec

_NOT_READ = frozenset({"placement", "augment"})
"""Keys of `data` that decide how a dataset is used, not what is read."""
_SPLITS = ("train", "validation", "test")
_ADVICE = "pass what nnjax.load_data(config) returns"


def checked_dataset(data: Data, dataset: object) -> Dataset:
    """Returns a dataset that fits the options, with arrays of the types that its spec names.

    Args:
        data: the options of the config.
        dataset: from `nnjax.load_data`, or one changed or made in Python.

    Raises:
        ConfigError: if the dataset was read by other options, is of another kind than the config was checked for, or holds
            other examples than its spec says.
    """
    if not isinstance(dataset, Dataset):
        raise ConfigError(f"dataset: must be a nnjax.Dataset, and is a {type(dataset).__name__}; {_ADVICE}")
    for name in _SPLITS:
        if not isinstance(split := getattr(dataset, name), Split):
            raise ConfigError(f"dataset.{name}: must be a nnjax.Split, and is a {type(split).__name__}; {_ADVICE}")
    if dataset.options is not None:
        wanted, given = to_mapping(data), to_mapping(dataset.options)
        for key in sorted((wanted.keys() | given.keys()) - _NOT_READ, key=lambda key: (key != "name", key)):
            if wanted.get(key) != given.get(key):
                shown = "data" if key == "name" else f"data.{key}"
                raise ConfigError(f"{shown}={wanted.get(key)}: the dataset was read with {given.get(key)}; {_ADVICE}")
    spec, own = dataset_spec(data), dataset.spec
    for name in ("input_shape", "input_dtype", "task", "num_outputs"):
        if getattr(spec, name) != getattr(own, name):
            raise ConfigError(
                f"dataset: has {name} {getattr(own, name)}, and data={spec.name} has {getattr(spec, name)}; {_ADVICE}"
            )
    if spec.num_validation and not len(dataset.validation):
        raise ConfigError(f"data.validation={data.validation:g}: the dataset has no validation split; {_ADVICE}")
    if spec.num_test and not len(dataset.test):
        raise ConfigError(f"dataset: has no test examples; {_ADVICE}")
    train, validation, test = (_checked(name, dataset) for name in _SPLITS)
    return replace(dataset, train=train, validation=validation, test=test)


def _checked(name: str, dataset: Dataset) -> Split:
    """A split with as many examples as the spec says, since these decide the number of steps."""
    split, size = getattr(dataset, name), getattr(dataset.spec, f"num_{name}")
    if len(split) != size:
        change = f"if that is meant, give it spec=dataclasses.replace(dataset.spec, num_{name}={len(split)})"
        raise ConfigError(f"dataset: has {len(split)} {name} examples, and its spec has num_{name}={size}; {change}")
    try:
        return checked_split(split, dataset) if size else split
    except InputError as error:
        raise ConfigError(f"dataset.{name}: {error}") from error
