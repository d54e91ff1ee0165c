"""Checks a search: its ranges against the experiment, and sampler, pruner and objectives against each other.

check_search(config, origins)
# IncompatibleError: search.space.0.key=optimizer.momentum: unknown key for optimizer=adam; optimizer=sgd can have it
"""

import math
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from nnjax.checks.search_space import is_choice_of_options, number_kind
from nnjax.config.annotations import choice, options_of
from nnjax.config.diagnostics import NO_ORIGINS, Origins, Problem, raise_problems
from nnjax.config.errors import IncompatibleError
from nnjax.config.parsing import keys_of, option_names
from nnjax.config.schema import Config, TrainConfig
from nnjax.config.search_options import SearchConfig, SearchRange
from nnjax.config.suggest import suggest
from nnjax.data.dataset_spec import dataset_spec

RATE = "optimizer.learning_rate"

_LARGEST_GRID = 100_000

_FIXED = {
    "seed": "a search compares settings, not seeds; training.seeds=3 gives each setting several",
    "training.seeds": "each setting is measured with the same seeds",
    "training.vary": "search optimizer.learning_rate itself",
    "training.evaluate_every": "trials are compared at the same evaluations",
    "training.test": "a search never tests",
    "training.checkpoint_every": "a search saves no checkpoints",
    "training.keep": "a search saves no checkpoints",
    "data": "the data is the same for every trial, but for data.augment",
    "parallel": "it changes the time of a training, not its result",
    "report": "it changes no result",
    "debug": "it is for debugging",
    "search": "a search does not search its own settings",
    "resume": "a search trains every setting anew",
}
"""The keys that no search varies, and why."""


def check_search(config: SearchConfig, origins: Origins = NO_ORIGINS) -> None:
    """Checks the values of a search, whose experiment `check_config` found right.

    Raises:
        IncompatibleError: for values that do not go together; it names all of them.
    """
    raise_problems([*_installed(config), *_space(config)], origins, IncompatibleError)
    raise_problems([*_measured(config), *_methods(config), *_process(config)], origins, IncompatibleError)


def grid_size(config: SearchConfig) -> int:
    """Returns the number of points of a grid over the space."""
    return math.prod(_num_points(config, item) for item in config.search.space)


def _installed(config: SearchConfig) -> Iterator[Problem]:
    needed = {"optuna": "Optuna"} | ({"cmaes": "cmaes"} if config.search.sampler == "cmaes" else {})
    for module, name in needed.items():
        if find_spec(module) is None:
            reason = f"needs {name}, which is not installed; add it with pip install -e '.[search]'"
            yield Problem("search.sampler", config.search.sampler, reason)


def _space(config: SearchConfig) -> Iterator[Problem]:
    if not config.search.space:
        yield Problem(
            "search.space", [], "needs at least one range, such as {key: optimizer.learning_rate, low: 1e-4, high: 0.1}"
        )
    for key, times in Counter(item.key for item in config.search.space).items():
        if times > 1:
            yield Problem("search.space", [item.key for item in config.search.space], f"has {key} {times} times")
    for index, item in enumerate(config.search.space):
        yield from _range(config, item, f"search.space.{index}")


def _range(config: SearchConfig, item: SearchRange, place: str) -> Iterator[Problem]:
    parents = [".".join(item.key.split(".")[:end]) for end in range(1, item.key.count(".") + 2)]
    if fixed := next((name for name in parents if name in _FIXED and "data.augment" not in parents), None):
        yield Problem(f"{place}.key", item.key, f"cannot be searched: {_FIXED[fixed]}")
        return
    try:
        kind, of_options = number_kind(config, item.key), is_choice_of_options(config, item.key)
    except KeyError:
        yield Problem(f"{place}.key", item.key, _unknown(config, item.key))
        return
    ends = {"low": item.low, "high": item.high}
    if item.choices:
        given = {**ends, "log": item.log or None, "step": item.step, "points": item.points}
        for name in (name for name, value in given.items() if value is not None):
            yield Problem(f"{place}.{name}", given[name], f"belongs to a range; {item.key} has choices")
        if len({repr(value) for value in item.choices}) < max(2, len(item.choices)):
            yield Problem(f"{place}.choices", item.choices, "must hold at least two values, all different")
        names = option_names(Config).get(item.key, ())
        for number, value in enumerate(item.choices if of_options else ()):
            if value not in names:
                yield Problem(f"{place}.choices.{number}", value, f"must be {choice(names, value)}")
        return
    if of_options or kind is None:
        yield Problem(f"{place}.key", item.key, "holds no number; give choices in place of low and high")
        return
    for name in (name for name, end in ends.items() if end is None):
        yield Problem(f"{place}.{name}", None, "must be a number; a range has low and high, or choices")
    if item.low is not None and item.high is not None:
        yield from _ends(item, item.low, item.high, place, whole=kind is int)


def _ends(item: SearchRange, low: float, high: float, place: str, *, whole: bool) -> Iterator[Problem]:
    if not low < high:
        yield Problem(f"{place}.high", high, f"must be greater than low, {low:g}")
        return
    if item.log and low <= 0:
        yield Problem(f"{place}.low", low, "must be greater than 0 with log: true")
    if item.log and item.step is not None:
        yield Problem(f"{place}.step", item.step, "does not go with log: true; leave out one")
        return
    numbers = {"low": low, "high": high, "step": item.step or 1}
    for name in (name for name, value in numbers.items() if whole and not float(value).is_integer()):
        yield Problem(f"{place}.{name}", numbers[name], f"must be a whole number, as {item.key} is")
        return
    steps = (high - low) / (item.step or 1)
    if item.step is not None and abs(steps - round(steps)) > 1e-9 * max(1, steps):
        reason = f"must lead from low, {low:g}, to high in whole steps; high={low + math.floor(steps) * item.step:g} would"
        yield Problem(f"{place}.step", item.step, reason)


def _unknown(config: SearchConfig, key: str) -> str:
    group, _, leaf = key.partition(".")
    owners = [name for name, option in _options(group).items() if leaf.partition(".")[0] in option.__dataclass_fields__]
    if owners:
        chosen = f"{group}={getattr(config, group).name}"
        return f"unknown key for {chosen}; {', '.join(f'{group}={name}' for name in owners)} can have it"
    known = keys_of(TrainConfig)
    meant = suggest(key, known, (), None)
    return f"unknown key{f'; did you mean {meant}?' if meant else ''}"


def _options(group: str) -> dict[str, Any]:
    from nnjax.config.annotations import hints_of

    return options_of(hints_of(Config)[group]) if group in hints_of(Config) else {}


def _measured(config: SearchConfig) -> Iterator[Problem]:
    spec, search = dataset_spec(config.data), config.search
    if not search.objectives:
        yield Problem("search.objectives", [], "needs at least one of error, loss, parameters, flops, seconds")
    if len(set(search.objectives)) < len(search.objectives):
        yield Problem("search.objectives", search.objectives, "must be different ones")
    if not {"error", "loss"} & set(search.objectives):
        yield Problem("search.objectives", search.objectives, "needs error or loss: any network can be small")
    if "error" in search.objectives and spec.task == "regression":
        yield Problem("search.objectives", search.objectives, f"error needs classes; data={spec.name} has values; choose loss")
    if not spec.num_validation:
        reason = "a search is decided on the validation split, never on the test split; choose data.validation=0.1"
        yield Problem("data.validation", config.data.validation, reason)
    if config.training.vary.learning_rate is not None:
        reason = "a search gives each trial its own; search optimizer.learning_rate"
        yield Problem("training.vary.learning_rate", config.training.vary.learning_rate, reason)
    if "loss" in search.objectives:
        for index, item in enumerate(search.space):
            if item.key.partition(".")[0] == "loss":
                yield Problem(
                    f"search.space.{index}.key", item.key, "losses of different kinds cannot be compared; choose error"
                )


def _methods(config: SearchConfig) -> Iterator[Problem]:
    search = config.search
    if len(search.objectives) > 1 and search.pruner != "none":
        yield Problem("search.pruner", search.pruner, "judges by one objective; with several, choose search.pruner=none")
    elif search.objectives and search.objectives[0] not in ("error", "loss") and search.pruner != "none":
        yield Problem("search.pruner", search.pruner, f"judges by error or loss, not by {search.objectives[0]}")
    if search.sampler == "cmaes":
        if len(search.objectives) > 1:
            yield Problem("search.sampler", "cmaes", "minimises one objective; with several, choose tpe")
        if with_choices := [item.key for item in search.space if item.choices]:
            yield Problem("search.sampler", "cmaes", f"needs ranges of numbers; {with_choices[0]} has choices; choose tpe")
        if len(search.space) == 1:
            yield Problem("search.sampler", "cmaes", "needs at least two ranges; choose tpe")
    if search.sampler == "grid":
        for index, item in enumerate(search.space):
            if not item.choices and item.points is None and item.step is None and number_kind(config, item.key) is not int:
                yield Problem(f"search.space.{index}.points", None, f"a grid needs points or step for {item.key}")
                return
        if grid_size(config) > _LARGEST_GRID:
            yield Problem("search.sampler", "grid", f"has {grid_size(config):,} points; must be at most {_LARGEST_GRID:,}")
    if search.rates > 1:
        if RATE not in {item.key for item in search.space}:
            yield Problem("search.rates", search.rates, f"needs {RATE} in search.space")
        if search.sampler == "grid":
            yield Problem("search.rates", search.rates, "a grid has its own order; choose search.rates=1")
        if search.generation % search.rates:
            yield Problem("search.rates", search.rates, f"must divide search.generation={search.generation}")


def _process(config: SearchConfig) -> Iterator[Problem]:
    if config.parallel.processes not in ("auto", 1):
        reason = "a search runs in one process; start it again with resume=FOLDER to search with several"
        yield Problem("parallel.processes", config.parallel.processes, reason)
    if config.resume == "auto":
        yield Problem("resume", "auto", "must be the folder of a search")


def _num_points(config: SearchConfig, item: SearchRange) -> int:
    if item.choices or item.points:
        return len(item.choices) or item.points or 1
    low, high = item.ends
    return math.floor((high - low) / (item.step or 1) + 1e-9) + 1
