"""Reads the settings of thousands of runs: each group of a `config.yaml` is parsed once for all runs that share its text.

    values = read_settings(run_dir / "config.yaml")      # as `read_stored_config` reads them
    flat(values)["optimizer.learning_rate"]              # 0.001

Checking and parsing one config takes some milliseconds. The runs of a sweep differ in a line or two, so that most groups have a
text that was read before; a group goes from its key at the beginning of a line to the next such key.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from nnjax.cli.stored_config import parse_stored_config, read_stored_config
from nnjax.config.errors import ConfigError
from nnjax.config.stored_files import read_text

_GROUP = re.compile(r"^(?=[a-z_]+:(?: |$))", re.MULTILINE)
_WHOLE_NUMBER = re.compile(r"([a-z_]+): (0|[1-9][0-9]{0,17})\n")
_MOST_GROUPS = 100
_TRAINING = re.compile(r"^rerun:", re.MULTILINE)  # a key that no other verb's config has
_HOLDS_RUNS = re.compile(r"^search:", re.MULTILINE)


def read_settings(path: Path) -> Mapping[str, Any]:
    """Reads a run's config; the groups in it are shared between runs, and are not to be changed.

    Raises:
        StoredFileError: if it is missing, or is anything but one mapping of plain values.
    """
    try:
        first, *groups = _GROUP.split(read_text(path))
        if not first.strip() and 0 < len(groups) <= _MOST_GROUPS and all(text.endswith("\n") for text in groups):
            pairs = [_group(text) for text in groups]
            if len(values := dict(pairs)) == len(pairs):
                return values
    except (OSError, ConfigError, yaml.YAMLError, ValueError, OverflowError, RecursionError):
        pass  # read again as a whole, for an error with the line's number
    return read_stored_config(path)


@lru_cache(maxsize=100_000)
def _group(text: str) -> tuple[str, Any]:
    """The key and the value of a text with one group."""
    if number := _WHOLE_NUMBER.fullmatch(text):  # each run's seed is another
        return number[1], int(number[2])
    [pair] = parse_stored_config(text).items()
    return pair


def is_training(text: str) -> bool:
    """Whether a `config.yaml` is that of a training, and not of another verb."""
    return _TRAINING.search(text) is not None


def holds_runs(text: str) -> bool:
    """Whether a `config.yaml` is that of a verb that makes runs worth listing in its folder."""
    return _HOLDS_RUNS.search(text) is not None


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by dotted key; a list is one value."""
    return dict(_leaves(values, prefix))


def _leaves(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
