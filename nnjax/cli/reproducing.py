"""What a run's config changes of the defaults, and the command that trains the same again.

    told = told_apart(values)                        # of config.yaml
    told.choices                                     # ("model=cnn", "data=mnist")
    told.changes                                     # (Change("seed", 0, 3),)
    command_of(told)                                 # "python -m experiments.train model=cnn data=mnist seed=3"

The defaults are those of the chosen model, dataset, optimizer and so on: a reader sees every number that is not what these
options alone would make it, whether the command line or an experiment file set it.
"""

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnjax.cli.compose import compose, conf_dir
from nnjax.cli.hydra_internals import separate_state
from nnjax.cli.job import plain_values
from nnjax.cli.json_values import as_hydra, reads_as_number
from nnjax.cli.plugins import offer_to_hydra
from nnjax.config.effects import WITHOUT_EFFECT
from nnjax.config.invocation import verb_command
from nnjax.config.parsing import Origins, parse, to_mapping
from nnjax.config.registry import cached_until_registered
from nnjax.config.schema import TrainConfig
from nnjax.config.shell import shell_word

_GROUPS = ("model", "data", "activation", "loss", "optimizer", "schedule", "parallel")
_PLAIN = re.compile(r"[A-Za-z0-9_./+-]*[A-Za-z_/]+[A-Za-z0-9_./+-]*", re.ASCII)
_WORDS = frozenset({"null", "true", "false", "nan", "inf", "none", "yes", "no", "on", "off"})
NOT_SET = object()


@dataclass(frozen=True)
class Change:
    """A setting that differs from the default.

    Attributes:
        key: dotted.
        default: what it would be; `NOT_SET` where the chosen options have no such key.
        value: what it is.
    """

    key: str
    default: object
    value: object


@dataclass(frozen=True)
class ToldApart:
    """A config, as differences from the defaults.

    Attributes:
        choices: `group=option` for each group that is not what the command alone would choose.
        changes: all other keys that differ and change a run's numbers; so no folder of a machine is among them.
    """

    choices: tuple[str, ...]
    changes: tuple[Change, ...]


def told_apart(values: Mapping[str, Any]) -> ToldApart:
    """Compares a config with the defaults of its options.

    Args:
        values: the nested mapping of a run's `config.yaml`; keys that an older version lacks are passed over.

    Raises:
        ConfigError: if the options do not exist here, such as those of a plugin that is not loaded.
        KeyError: if the mapping is no training's.
    """
    names = {group: str(values[group]["name"]) for group in _GROUPS}
    chosen: dict[str, str] = {}
    defaults, needed = _defaults(chosen, values)
    # A model chooses its dataset, and that its loss: so only what differs then is chosen. A composition takes 0.1 s.
    for groups in (("model",), ("data",), _GROUPS[2:]):
        differing = {group: names[group] for group in groups if defaults[group].get("name") != names[group]}
        if differing:
            chosen |= differing
            defaults, needed = _defaults(chosen, values)
    have = dict(_leaves(values))
    would = {key: value for key, value in _leaves(defaults) if key not in needed}
    changes = [
        Change(key, would.get(key, NOT_SET), value)
        for key, value in have.items()
        if (key not in would or would[key] != value) and not f"{key}.".startswith(tuple(f"{each}." for each in WITHOUT_EFFECT))
    ]
    return ToldApart(tuple(f"{group}={name}" for group, name in chosen.items()), tuple(changes))


def command_of(told: ToldApart, flags: str = "") -> str:
    """Returns the command line that trains the config again; where the code is the same, to the same numbers.

    Args:
        told: the config.
        flags: for the run's plugins, from `nnjax.cli.plugins.noted_plugins`.
    """
    words = [*told.choices, *(f"{change.key}={written(change.value)}" for change in told.changes)]
    return " ".join([verb_command("train"), *map(shell_word, words)]) + flags


def written(value: object) -> str:
    """Returns a value in Hydra's grammar.

    Raises:
        ValueError: for a mapping with a key that only quotes make one.
    """
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS and not reads_as_number(value):
        return value
    return as_hydra(value)


def _defaults(chosen: Mapping[str, str], run: Mapping[str, Any]) -> tuple[dict[str, Any], frozenset[str]]:
    """The config that a command with these choices trains, in the form of `config.yaml`.

    Returns:
        The config, and the keys without a default, such as `data.file`; these have the run's values.
    """
    files = tuple(map(_state, conf_dir().rglob("*.yaml")))
    values, origins = _composed(tuple(f"{group}={name}" for group, name in chosen.items()), Path.cwd(), files)
    values = deepcopy(values)
    needed = frozenset(_fill(values, run))
    mapping: dict[str, Any] = to_mapping(parse(TrainConfig, values, origins))
    return mapping, needed


def _state(path: Path) -> tuple[Path, int, int] | None:
    """What changes with a file; None for one that has gone since it was listed, as an editor's temporary file may."""
    try:
        state = path.stat()
    except OSError:
        return None
    return path, state.st_mtime_ns, state.st_size


@cached_until_registered
def _composed(overrides: tuple[str, ...], folder: Path, files: tuple[Any, ...]) -> tuple[dict[str, Any], Origins]:
    """The values that the overrides choose from these files, for a command in this folder: the same for all jobs of a sweep."""
    with separate_state():
        offer_to_hydra()
        return plain_values(TrainConfig, compose("train", overrides, (conf_dir(),)))


def _fill(values: dict[str, Any], run: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Sets each key that must be given to the run's value, and yields these keys."""
    for name, value in values.items():
        if isinstance(value, dict) and isinstance(run.get(name), Mapping):
            yield from _fill(value, run[name], f"{prefix}{name}.")
        elif value == "???" and name in run:
            values[name] = run[name]
            yield f"{prefix}{name}"


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The dotted keys of a nested mapping with their values; a list is one value, and an empty mapping, too."""
    for name, value in values.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{key}.")
        else:
            yield key, list(value) if isinstance(value, tuple) else value
