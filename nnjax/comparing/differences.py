"""The settings in which runs differ, and those that count when runs of several seeds are taken together.

differing([{"model.hidden": [32], "seed": 0}, {"model.hidden": [64], "seed": 0}])   # ("model.hidden",)
setting_text(None)                                                                  # "null"
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from nnjax.config.effects import WITHOUT_EFFECT, inactive_keys

MISSING = "—"
"""Stands for a setting that a run does not have, such as an option of another model."""

_OF_SEEDS = ("seed", "training.seeds", "training.vary")
_OF_KEEPING = ("training.keep", "training.checkpoint_every", "data.file", "debug.profile")
"""Settings that say what a run keeps and where its data lies; the data's content has its own hash."""


def counting(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that make a run another experiment: without its seeds, and without what changes no result.

    A setting that changes no result with the value that it has is null, as for `nnjax.config.parsing.config_hash` it is absent.
    """
    left_out = _OF_SEEDS + _OF_KEEPING + WITHOUT_EFFECT
    counted = {key: value for key, value in settings.items() if not _begins(key, left_out)}
    return counted | {key: None for key in inactive_keys(settings) if key in counted}


def comparable(all_settings: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Leaves out settings that only some versions of the project have, where the runs that have them agree.

    Two runs with the same model (data, optimizer, …) have the same options; one that is missing in one of them is from an older
    version, or a newer one, and would make equal experiments look different. Where runs that have it differ in it, it stays: no
    run without it counts as equal to either of them.

    Args:
        all_settings: by dotted key, of each run.
    """
    common: dict[tuple[str, str], set[str]] = {}
    values: dict[tuple[str, str, str], set[str]] = {}
    held = [set(_sections(settings)) for settings in all_settings if settings]
    whole = set.intersection(*held) if held else set()
    for settings in all_settings:
        for section, keys in _sections(settings).items():
            choice = _choice(section, settings)
            common[choice] = common[choice] & keys if choice in common else keys
            for key in keys:
                values.setdefault((*choice, key), set()).add(setting_text(settings[key]))

    def is_kept(key: str, settings: Mapping[str, Any]) -> bool:
        choice = _choice(section := key.partition(".")[0], settings)
        return (section in whole and key in common[choice]) or len(values[*choice, key]) > 1

    return [{key: value for key, value in settings.items() if is_kept(key, settings)} for settings in all_settings]


def differing(all_settings: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The keys whose values are not the same in all, in the order of their first appearance."""
    keys = dict.fromkeys(key for settings in all_settings for key in settings)
    return tuple(key for key in keys if len({setting_text(settings.get(key, MISSING)) for settings in all_settings}) > 1)


def names_of(all_settings: Sequence[Mapping[str, Any]], most: int = 3) -> list[str]:
    """A short name for each, by the settings that differ: "hidden=[32] learning_rate=0.1"; empty where none does.

    A key is shortened to its last word where that is clear; a choice such as `model.name=cnn` becomes `model=cnn`. The options
    that only one choice has are left out, since the choice stands for them.

    Args:
        all_settings: by dotted key, of each.
        most: settings in a name; more are cut off, with "…".
    """
    keys = [key for key in differing(all_settings) if all(key in settings for settings in all_settings)]
    keys.sort(key=lambda key: not key.endswith(".name"))
    lasts = [_last(key) for key in keys]
    labels = [last if lasts.count(last) == 1 else key.removesuffix(".name") for key, last in zip(keys, lasts, strict=True)]
    names = []
    for settings in all_settings:
        words = [f"{label}={setting_text(settings[key])}" for key, label in zip(keys, labels, strict=True)]
        names.append(" ".join([*words[:most], *(["…"] if len(words) > most else [])]))
    return names


def setting_text(value: Any) -> str:
    """A value as it is written on the command line: null, true, 0.1, [32,16], digits."""
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=str)


def _last(key: str) -> str:
    return key.removesuffix(".name").rpartition(".")[2]


def _choice(section: str, settings: Mapping[str, Any]) -> tuple[str, str]:
    """A section with the option that was chosen in it, such as ("model", "cnn")."""
    return section, setting_text(settings.get(f"{section}.name"))


def _sections(settings: Mapping[str, Any]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for key in settings:
        found.setdefault(key.partition(".")[0], set()).add(key)
    return found


def _begins(key: str, names: Sequence[str]) -> bool:
    return any(key == name or key.startswith(f"{name}.") for name in names)
