"""Records where each value of a composed config was set, by file and line or override, and which value it replaced.

provenance = Provenance()
provenance.add_file(Path("conf/optimizer/adam.yaml"), package="optimizer")
provenance.add_override("optimizer.b1", 0.8)
provenance.history("optimizer.b1")     # [Setting(0.8, "the command line"), Setting(0.9, "conf/optimizer/adam.yaml:6")]
provenance.describe("optimizer")       # the file or override that chose the group's option, if add_choice recorded it
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from nnjax.config.paths import shown_path

COMMAND_LINE = "the command line"
REMOVED = "(removed)"

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C is ten times faster, where PyYAML has it

_MOST_ITEMS = 1000  # the items of a longer list have the place of their list


@dataclass(frozen=True)
class Setting:
    """One value that a key was given.

    Attributes:
        value: plain data.
        place: "FILE:LINE", or "the command line".
    """

    value: object
    place: str


@dataclass(frozen=True)
class Default:
    """An entry of a file's defaults list: the option that it chooses for a group.

    Attributes:
        group: the group, from the root of the config folder: ``model``, ``hydra/help``.
        option: what is chosen; None where nothing is.
        place: "FILE:LINE".
    """

    group: str
    option: str | None
    place: str


class Provenance:
    """The settings of every key, in the order in which files and overrides are merged."""

    def __init__(self) -> None:
        self._settings: dict[str, list[Setting]] = {}
        self._choices: dict[str, list[Setting]] = {}
        self._parents: set[str] = set()  # of all keys that were ever set

    def add_file(self, path: Path, package: str) -> None:
        """Merges a file, its values placed under the dotted key `package` ("" is the root)."""
        shown = shown_path(path)
        root = _compose(path)
        if not isinstance(root, yaml.MappingNode):
            return
        for key, node in root.value:
            if key.value == "hydra" and not package:
                # Hydra's own settings are no part of an experiment, except a file's own sweep
                for part, at in _at(node, "sweeper", "params"):
                    self._add_node(f"hydra.sweeper.params.{_construct(part)}", at, part, shown)
            elif key.value != "defaults":
                self._add_node(_join(package, str(_construct(key))), node, key, shown)

    def add_override(self, key: str, value: object) -> None:
        """Merges a value that the command line gave."""
        if isinstance(value, Mapping) and value:
            for name, item in value.items():
                self.add_override(_join(key, str(name)), item)
        else:
            self._replace(key, Setting(value, COMMAND_LINE))

    def add_values(self, key: str, values: Mapping[str, object], place: str) -> None:
        """Merges values that stand in no YAML file, such as the defaults of a registered option."""
        for name, value in values.items():
            if isinstance(value, Mapping) and value:
                self.add_values(_join(key, name), value, place)
            else:
                self._replace(_join(key, name), Setting(value, place))

    def add_removal(self, key: str) -> None:
        """Records that the command line removed a key (``~key``)."""
        self._replace(key, Setting(REMOVED, COMMAND_LINE))

    def add_choice(self, group: str, settings: Sequence[Setting]) -> None:
        """Records the settings that chose a group's option, newest first."""
        self._choices[group] = list(settings)

    def history(self, key: str) -> list[Setting]:
        """The settings of a key, newest first; for a group, of its option. Empty for a key that was never set."""
        key = _dotted(key)
        return self._settings.get(key, [])[::-1] or list(self._choices.get(key, ()))

    def describe(self, key: str) -> str | None:
        """The place where a key was set last.

        An item that was not set by itself has the place of its list, a mapping that was set key by key that of one of its keys.
        """
        key = _dotted(key)
        parts = [part for part in self._settings if part.startswith(f"{key}.")]
        places = [self.history(key), *(self._settings.get(whole, [])[::-1] for whole in _above(key)), *map(self.history, parts)]
        return next((settings[0].place for settings in places if settings), None)

    def _add_node(self, key: str, node: yaml.Node, at: yaml.Node, file: str) -> None:
        if isinstance(node, yaml.MappingNode) and node.value:
            self._settings.pop(key, None)
            for name, item in node.value:
                self._add_node(_join(key, str(_construct(name))), item, name, file)
            return
        self._replace(key, Setting(_construct(node), _place(file, at)))
        if isinstance(node, yaml.SequenceNode) and len(node.value) <= _MOST_ITEMS:
            for index, item in enumerate(node.value):
                self._add_node(_join(key, str(index)), item, item, file)

    def _replace(self, key: str, setting: Setting) -> None:
        if key in self._parents:
            for part in [part for part in self._settings if part.startswith(f"{key}.")]:
                del self._settings[part]
        above = _above(key)
        self._parents.update(above)
        for whole in above:
            if whole in self._settings and not isinstance(self._settings[whole][-1].value, list):
                del self._settings[whole]  # a mapping took the place of a plain value
        self._settings.setdefault(key, []).append(setting)


def read_defaults(path: Path, config_path: str) -> Iterator[Default]:
    """The group choices in a file's defaults list.

    Args:
        path: the file.
        config_path: its name in the config folder, without the ending: ``experiment/textbook``.
    """
    root = _compose(path)
    entries = root.value if isinstance(root, yaml.MappingNode) else []
    for entry in next((node.value for key, node in entries if key.value == "defaults"), ()):
        if not isinstance(entry, yaml.MappingNode):
            continue
        for key, node in entry.value:
            group = str(key.value).removeprefix("optional ").removeprefix("override ").partition("@")[0]
            folder = config_path.rpartition("/")[0]
            group = group[1:] if group.startswith("/") else f"{folder}/{group}" if folder else group
            option = _construct(node)
            yield Default(group, None if option is None else str(option), _place(shown_path(path), key))


def _compose(path: Path) -> yaml.Node | None:
    return yaml.compose(path.read_text(encoding="utf-8"), Loader=_LOADER)


def _at(node: yaml.Node, *path: str) -> list[tuple[yaml.Node, yaml.Node]]:
    """The keys and values of the mapping at a path inside a mapping; empty if there is none."""
    items = node.value if isinstance(node, yaml.MappingNode) else []
    if not path:
        return list(items)
    return [item for key, inner in items if key.value == path[0] for item in _at(inner, *path[1:])]


def _construct(node: yaml.Node) -> object:
    loader = _LOADER("")
    try:
        return loader.construct_object(node, deep=True)
    finally:
        loader.dispose()


def _place(file: str, node: yaml.Node) -> str:
    return f"{file}:{node.start_mark.line + 1}"


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _above(key: str) -> list[str]:
    """The keys above this one, the nearest first."""
    return [key.rsplit(".", levels)[0] for levels in range(1, key.count(".") + 1)]


def _dotted(key: str) -> str:
    return re.sub(r"\[(\d+)\]", r".\1", key)
