"""The words of `experiments.runs` as overrides: conditions, folders, and lists without brackets.

listing_overrides(["outputs/sweeps", "model=cnn", "test_accuracy>0.98", "sort=-test_accuracy"])
# ["sort=['-test_accuracy']", "where=['model=cnn','test_accuracy>0.98']", "runs=['outputs/sweeps']"]
"""

import re
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from nnjax.cli.overrides import ON_COMMAND_LINE
from nnjax.cli.run_words import in_quotes, overrides_of, with_list, with_words
from nnjax.config.errors import ConfigError
from nnjax.config.runs_options import RunsConfig
from nnjax.records.conditions import is_condition

_OWN = {field.name for field in fields(RunsConfig)}
_LISTS = {"runs", "where", "sort", "columns", "tag"}
_SWEEPS = ("-m", "--multirun")


def listing_overrides(argv: Sequence[str]) -> list[str]:
    """Returns the arguments in the form that Hydra reads.

    Raises:
        ConfigError: for a sweep, or conditions that are given in two ways.
    """
    if sweep := next((word for word in argv if word in _SWEEPS), None):
        raise ConfigError(f"{sweep}: a list of runs is no sweep; several conditions stand side by side {ON_COMMAND_LINE}")
    conditions, kept, texts = [], [], set(overrides_of(argv))
    for text in argv:
        if text not in texts or _is_override(text):
            kept.append(_quoted(text) if text in texts else text)
        elif is_condition(text) and not Path(text).exists() and "/" not in re.split(r"[=<>!~]", text)[0]:
            conditions.append(text)
        else:
            kept.append(text)
    kept = with_words(kept, "runs")
    if conditions:
        if given := next((text for text in kept if text.startswith("where=")), None):
            raise ConfigError(f"{given}: {conditions[0]} is given, too; name all conditions in one way {ON_COMMAND_LINE}")
        kept.append(with_list("where", conditions))
    return kept


def _is_override(text: str) -> bool:
    """Whether a word sets a key of the verb, or one of Hydra's."""
    key, equals, _ = text.lstrip("+").partition("=")
    return bool(equals) and (key in _OWN or key == "hydra" or key.startswith(("hydra.", "hydra/")))


def _quoted(text: str) -> str:
    """An override of the verb's own key, with quotes around a text, and brackets around the items of a list."""
    key, _, value = text.partition("=")
    if key == "note" and value not in ("null", "''", '""') and not re.fullmatch(r"(['\"]).*\1", value):
        return f"{key}={in_quotes(value)}"
    if key in _LISTS and value and not value.startswith("["):
        return with_list(key, [item.strip() for item in value.split(",")])
    return text
