"""A search's ranges: as Optuna's distributions, as a grid, and applied to a config.

space = distributions(search.space)                       # {"optimizer.learning_rate": FloatDistribution(1e-4, 0.1, log=True)}
values = with_settings(values, {"optimizer.learning_rate": 0.003})

A choice is known to Optuna by its text, since the journal holds numbers and texts only.
"""

import copy
import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from nnjax.checks.search_space import is_whole
from nnjax.config.parsing import to_mapping
from nnjax.config.search_options import SearchConfig, SearchRange

Settings = Mapping[str, Any]
"""The values of one trial by key; a choice is its text."""


def experiment_of(config: SearchConfig) -> dict[str, Any]:
    """Returns the experiment of a search, as the plain data of a `TrainConfig`."""
    values = {key: value for key, value in to_mapping(config).items() if key not in ("search", "resume")}
    return {**values, "resume": None, "rerun": None}


def distributions(config: SearchConfig) -> dict[str, BaseDistribution]:
    """Returns Optuna's distribution of each range, by key."""
    return {item.key: _distribution(item, whole=is_whole(config, item)) for item in config.search.space}


def text_of(choice: Any) -> str:
    """A choice in the form that Optuna stores: text unchanged, other values as JSON."""
    return choice if isinstance(choice, str) else json.dumps(to_mapping(choice))


def values_of(space: Sequence[SearchRange], settings: Settings) -> dict[str, Any]:
    """The values of a trial by key, each choice as it stands in the config."""
    chosen = {item.key: {text_of(choice): to_mapping(choice) for choice in item.choices} for item in space}
    return {key: chosen[key][value] if chosen[key] else value for key, value in settings.items()}


def with_values(
    config: Mapping[str, Any], values: Mapping[str, Any], options: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Returns a config, as plain data, with a trial's values.

    Args:
        config: the base, which is not changed.
        values: by key; a group's value is the name of an option.
        options: from GROUP=NAME to the option's values.
    """
    changed = copy.deepcopy(dict(config))
    for key in sorted(values, key=lambda key: "." in key):  # an option first, and then its keys
        if f"{key}={values[key]}" in options:
            changed[key] = copy.deepcopy(dict(options[f"{key}={values[key]}"]))
            continue
        *parents, leaf = key.split(".")
        place: Any = changed
        for name in parents:
            place = place[int(name) if isinstance(place, list) else name]
        place[int(leaf) if isinstance(place, list) else leaf] = values[key]
    return changed


def grid(config: SearchConfig) -> Iterator[dict[str, Any]]:
    """Yields every point of the grid, the last range's values changing fastest."""
    axes = [_points(item, whole=is_whole(config, item)) for item in config.search.space]
    keys = [item.key for item in config.search.space]
    return (dict(zip(keys, point, strict=True)) for point in itertools.product(*axes))


def _distribution(item: SearchRange, *, whole: bool) -> BaseDistribution:
    if item.choices:
        return CategoricalDistribution([text_of(choice) for choice in item.choices])
    low, high = item.ends
    if whole:
        return IntDistribution(int(low), int(high), log=item.log, step=int(item.step or 1))
    return FloatDistribution(low, high, log=item.log, step=item.step)


def _points(item: SearchRange, *, whole: bool) -> list[Any]:
    if item.choices:
        return [text_of(choice) for choice in item.choices]
    (low, high), count = item.ends, item.points
    if count is None:
        step = item.step or 1
        values = [low + index * step for index in range(math.floor((high - low) / step + 1e-9) + 1)]
    elif count == 1:
        values = [math.sqrt(low * high) if item.log else (low + high) / 2]
    else:
        shares = [index / (count - 1) for index in range(count)]
        values = [low * (high / low) ** share if item.log else low + share * (high - low) for share in shares]
    if not whole:
        return [min(value, high) for value in values]
    step = int(item.step or 1)
    return list(dict.fromkeys(int(low) + round((value - low) / step) * step for value in values))
