"""Exchanges an option in a composition, where that is the same as composing anew, which takes ten times as long.

options = OptionExchange("train", loader)
options.exchanged(composition, {"optimizer": "sgd"})       # a composition, or None: compose it anew

An option's file gives the values of its group. Composed with another option, a config has other values there, and is the same
elsewhere, if three things hold: neither file has a defaults list, no other file sets a value of the group, and no defaults list
holds an interpolation.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, flag_override

from nnjax.cli.compose import Composition
from nnjax.cli.hydra_internals import load_file, schema_exists


@dataclass
class OptionExchange:
    """Exchanges options of the compositions of one sweep.

    Args:
        verb: names the root file.
        loader: that of the compositions.
    """

    verb: str
    loader: ConfigLoader

    def __post_init__(self) -> None:
        self._alone: dict[tuple[tuple[str, ...], str], bool] = {}
        self._values: dict[str, DictConfig | None] = {}
        self._defaults: dict[tuple[str, ...], Any] = {}

    def exchanged(self, base: Composition, choices: Mapping[str, str]) -> Composition | None:
        """Returns a copy with other options, and the overrides of `base`; None where composing anew may give another config.

        Args:
            base: as Hydra composed it.
            choices: from groups that `base` chooses options of on its command line to other options.
        """
        if any(self._values_of(group, option) is None for group, option in choices.items()):
            return None
        if not all(self._is_alone(base, group) for group in choices):
            return None
        whole: Any = copy.deepcopy(base.hydra._get_root())
        with flag_override(whole, ["struct", "readonly"], False):
            for group, option in choices.items():
                whole[group] = self._values_of(group, option)
                whole.hydra.runtime.choices[group] = option
        keys: list[Any] = [key for key in whole if key != "hydra"]
        return Composition(base.verb, base.overrides, OmegaConf.masked_copy(whole, keys), whole.hydra)

    def holds(self, group: str, option: str, key: str) -> bool:
        """Whether the file of an option holds a dotted key below its group, in mappings only."""
        node: Any = self._values_of(group, option)
        for name in key.split("."):
            if not isinstance(node, DictConfig) or name not in node:
                return False
            node = node._get_node(name)
        return True

    def _values_of(self, group: str, option: str) -> DictConfig | None:
        """The values that a file gives its group; None if they are not all that it does."""
        name = f"{group}/{option}"
        if name not in self._values:
            found = load_file(self.loader, name)
            is_plain = (
                found is not None
                and found.path.startswith("file://")
                and isinstance(found.config, DictConfig)
                and not found.defaults_list
                and found.header["package"] in (None, group)
                and not schema_exists(self.loader, name)
            )
            self._values[name] = found.config if found is not None and is_plain else None  # type: ignore[assignment]
        return self._values[name]

    def _is_alone(self, base: Composition, group: str) -> bool:
        """Whether the chosen option's file alone sets the values of a group."""
        place = base.overrides, group
        if place not in self._alone:
            self._alone[place] = self._look(base, group)
        return self._alone[place]

    def _look(self, base: Composition, group: str) -> bool:
        own = f"{group}/{base.hydra.runtime.choices[group]}"
        if self._values_of(*own.split("/", 1)) is None:
            return False
        times = 0
        if base.overrides not in self._defaults:
            found = self.loader.compute_defaults_list(self.verb, list(base.overrides), RunMode.RUN)
            self._defaults[base.overrides] = found.defaults
        for default in self._defaults[base.overrides]:
            package = default.package or ""
            if default.config_path == own and package == group:
                times += 1
                continue
            file = load_file(self.loader, str(default.config_path))
            if file is None or package.partition(".")[0] == group or "${" in repr(file.defaults_list):
                return False
            if not package and (not isinstance(file.config, DictConfig) or group in file.config):
                return False
        return times == 1
