"""Reads the `config.yaml` of a run that may come from anywhere: plain YAML, as `write_config` writes it, and nothing else.

values = read_stored_config(run_dir / "config.yaml")      # {"model": {"name": "fnn", …}, …}

YAML can make a small file large (aliases), name types of Python (tags), and set a key twice; OmegaConf replaces `${…}` by
environment variables. A run's config holds none of that, since it is written with every value resolved.
"""

import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from nnjax.cli.provenance import COMMAND_LINE
from nnjax.config.diagnostics import Origins
from nnjax.config.errors import ConfigError
from nnjax.config.paths import shown_path
from nnjax.config.stored_files import StoredFileError, kind_of, one_line, read_text

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MOST_LEVELS = 64
_MOST_VALUES = 10_000  # a run has a few hundred; OmegaConf takes minutes for 100 000
_MOST_KEYS = 1000  # of a mapping
_LONGEST_NUMBER = 100  # digits: Python writes no number of more than 4300, and a config has none of more than 20

_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_KEY = re.compile(r"[\w.-]{1,100}", re.ASCII)
_TEXT = "tag:yaml.org,2002:str"


def read_stored_config(path: Path) -> dict[str, Any]:
    """Reads the mapping in a file.

    Raises:
        StoredFileError: if it is missing, or is anything but one mapping of plain values; the message is a line.
    """
    try:
        values = parse_stored_config(read_text(path))
    except FileNotFoundError as error:
        raise StoredFileError(f"{shown_path(path)}: cannot be read: {error.strerror}") from error
    except ConfigError as error:
        named = str(error).startswith(f"{shown_path(path)}: ")
        raise StoredFileError(str(error) if named else f"{shown_path(path)}: {error}") from error
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        raise StoredFileError(f"{shown_path(path)}: cannot be read: {one_line(error)}") from error
    return values


def parse_stored_config(text: str) -> dict[str, Any]:
    """Reads the mapping in a text.

    Raises:
        StoredFileError: if it is anything but one mapping of plain values.
        yaml.YAMLError, ValueError, OverflowError, RecursionError: if it is no YAML.
    """
    _check_events(text)
    root = yaml.compose(text, Loader=_LOADER)
    if not isinstance(root, yaml.MappingNode):
        raise StoredFileError("holds no config")
    _check_nodes(root)
    return _construct(root)


def check_data_places(values: Mapping[str, Any], origins: Origins) -> None:
    """Refuses a stored config whose data is a pipe or a device: reading one may never end. The command line may name one.

    Raises:
        StoredFileError: with the key and the path.
    """
    data = values.get("data")
    for name in ("file", "directory"):
        place, path = origins.describe(f"data.{name}"), data.get(name) if isinstance(data, dict) else None
        if not isinstance(path, str) or place in (None, COMMAND_LINE):
            continue
        with suppress(OSError, ValueError, RuntimeError):
            mode = Path(path).expanduser().stat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                reason = f"is {kind_of(mode)}, and a run's config names a file or a folder (set in {place})"
                raise StoredFileError(f"data.{name}={shown_path(Path(path))}: {reason}")


def _construct(root: yaml.Node) -> dict[str, Any]:
    loader = _LOADER("")  # a safe loader makes plain values only
    try:
        values: dict[str, Any] = loader.construct_document(root)
    finally:
        loader.dispose()
    return values


def _check_events(text: str) -> None:
    """Refuses a text before anything is built from it."""
    level = values = documents = 0
    event: Any
    for event in _events(text):
        line = f"line {event.start_mark.line + 1}"
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise StoredFileError(f"{line}: an anchor or alias; a run's config repeats its values")
        if getattr(event, "tag", None) is not None:
            raise StoredFileError(f"{line}: the tag {one_line(event.tag)}; a run's config has none")
        documents += isinstance(event, yaml.DocumentStartEvent)
        values += isinstance(event, yaml.NodeEvent)
        level += isinstance(event, yaml.CollectionStartEvent)
        level -= isinstance(event, yaml.CollectionEndEvent)
        if level > _MOST_LEVELS:
            raise StoredFileError(f"{line}: nested deeper than {_MOST_LEVELS} levels")
        if values > _MOST_VALUES:
            raise StoredFileError(f"{line}: more than {_MOST_VALUES:,} values")
        if documents > 1:
            raise StoredFileError(f"{line}: a second document; a run has one config")


def _events(text: str) -> Iterator[Any]:
    """The events of a text. Newer versions of libyaml read ahead, and refuse a thousand levels before we can refuse 65."""
    try:
        yield from yaml.parse(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        if mark is None or "maximum nesting depth" not in str(error.problem):
            raise
        raise StoredFileError(f"line {mark.line + 1}: nested deeper than {_MOST_LEVELS} levels") from error


def _check_nodes(node: yaml.Node) -> None:
    """Refuses keys that stand twice or are no names, numbers that are too long, and values that something would resolve."""
    line = f"line {node.start_mark.line + 1}"
    if isinstance(node, yaml.MappingNode):
        if len(node.value) > _MOST_KEYS:
            raise StoredFileError(f"{line}: more than {_MOST_KEYS:,} keys")
        seen: set[str] = set()
        for key, value in node.value:
            place = f"line {key.start_mark.line + 1}"
            if key.tag != _TEXT or not _KEY.fullmatch(key.value):
                raise StoredFileError(f"{place}: a key that is no name")
            if key.value in seen:
                raise StoredFileError(f"{place}: the key {one_line(key.value)} stands twice")
            seen.add(key.value)
            _check_nodes(key)
            _check_nodes(value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _check_nodes(item)
    elif node.tag in _NUMBERS and len(node.value) > _LONGEST_NUMBER:
        raise StoredFileError(f"{line}: a number of {len(node.value):,} characters")
    elif "${" in node.value:
        raise StoredFileError(f"{line}: {one_line(node.value)}: a run's config holds values, and nothing to be resolved")
