"""Writes a config as an experiment file that `experiments.train` takes: the options of its groups, and what differs from them.

write_experiment(config, folder, "best", ["Found by a search: validation error 0.0158."])
# python -m experiments.train --config-dir FOLDER experiment=best
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from nnjax.api.composing import compose
from nnjax.cli.plugins import plugin_words
from nnjax.config.errors import ConfigError
from nnjax.config.invocation import verb_command
from nnjax.config.parsing import option_names, to_mapping
from nnjax.config.schema import TrainConfig
from nnjax.config.shell import shell_word
from nnjax.reporting.files import replacing

_OF_THE_MACHINE = ("parallel", "report", "resume", "rerun", "debug")
"""Keys that belong to the machine or the command, not to the experiment."""


def write_experiment(config: TrainConfig, folder: Path, name: str, about: Sequence[str]) -> Path:
    """Writes `experiment/NAME.yaml` below a folder, and composes it once to be sure that it gives this config.

    Args:
        config: the experiment.
        folder: what `--config-dir` names.
        name: of the experiment.
        about: lines for the file's head.

    Returns:
        The file.
    """
    path = folder / "experiment" / f"{name}.yaml"
    wanted = _experiment(config)
    choices = {group: wanted[group]["name"] for group in option_names(TrainConfig) if group in wanted}
    usual = _experiment(compose(*(f"{group}={option}" for group, option in choices.items())))
    head = [f"# {line}" for line in [*about, f"  {train_command(folder, name)}"]]
    for values in (_nested(dict(_differences(wanted, usual))), wanted):
        body = {"defaults": [{f"override /{group}": option} for group, option in choices.items()], **values}
        text = yaml.safe_dump(body, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)
        with replacing(path) as temporary:
            temporary.write_text("\n".join(["# @package _global_", *head, text]), encoding="utf-8")
        if _composes(folder, name, wanted):
            break
    return path


def train_command(folder: Path, name: str) -> str:
    """The command that trains an experiment of a folder."""
    return f"{verb_command('train')} --config-dir {shell_word(str(folder))} experiment={name}{plugin_words()}"


def _composes(folder: Path, name: str, wanted: Mapping[str, Any]) -> bool:
    try:
        return _experiment(compose(f"experiment={name}", config_dir=folder)) == wanted
    except ConfigError:
        return False


def _experiment(config: TrainConfig) -> dict[str, Any]:
    """The experiment of a config, as plain data without what belongs to the machine."""
    values: dict[str, Any] = {key: value for key, value in to_mapping(config).items() if key not in _OF_THE_MACHINE}
    values["data"] = {key: value for key, value in values["data"].items() if key != "directory"}
    return values


def _differences(wanted: Any, usual: Any, key: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The values that differ, by the path of their key; a list is one value."""
    if isinstance(wanted, dict) and isinstance(usual, dict):
        for name, value in wanted.items():
            yield from _differences(value, usual.get(name), (*key, name))
    elif wanted != usual:
        yield key, wanted


def _nested(values: Mapping[tuple[str, ...], Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for (*parents, leaf), value in values.items():
        place = nested
        for name in parents:
            place = place.setdefault(name, {})
        place[leaf] = value
    return nested
