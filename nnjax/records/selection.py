"""Chooses and sorts runs by their facts, and refuses a key that no run has, and a value of a kind that none has.

rows = chosen(rows, [parse_condition("status=completed")])
rows = in_order(rows, ["model", "-test_accuracy"])
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, TypeVar

from nnjax.config.diagnostics import show
from nnjax.config.errors import ConfigError
from nnjax.config.suggest import suggest
from nnjax.records.conditions import Condition

Facts = TypeVar("Facts", bound=Mapping[str, Any])

_KNOWN = (
    *(
        "name",
        "folder",
        "status",
        "model",
        "data",
        "activation",
        "optimizer",
        "schedule",
        "seed",
        "trials",
        "started",
        "seconds",
    ),
    *(
        "tags",
        "notes",
        "problems",
        "data_hash",
        "config_hash",
        "reason",
        "error",
        "steps",
        "epochs",
        "num_params",
        "git",
        "host",
    ),
    *("train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "test_loss", "test_accuracy"),
    *("forecast_rmse", "forecast_mae", "examples_per_second", "peak_rss_mb"),
)
"""Facts that a run may lack, and that a person may ask for all the same."""

_PARTS = re.compile(r"(\d+)")
_MOST_DIGITS = 4000


def chosen(rows: Iterable[Facts], conditions: Sequence[Condition]) -> list[Facts]:
    """The runs that meet all conditions."""
    return [row for row in rows if all(condition.holds(row) for condition in conditions)]


def in_order(rows: Iterable[Facts], keys: Sequence[str]) -> list[Facts]:
    """The runs sorted by facts, the first key before the others.

    A run that lacks a fact comes last, whatever the direction. Numbers come before texts, and numbers inside texts are compared
    as numbers, so that 9steps comes before 10steps.

    Args:
        rows: in an order that equal runs keep.
        keys: names of facts; a minus before one turns its order around.
    """
    result = list(rows)
    for key in reversed(keys):
        name = key.removeprefix("-")
        having = [row for row in result if row.get(name) is not None]
        lacking = [row for row in result if row.get(name) is None]
        having.sort(key=lambda row: _rank(row[name]), reverse=key.startswith("-"))
        result = having + lacking
    return result


def check_keys(keys: Iterable[str], rows: Sequence[Mapping[str, Any]], where: str, others: Sequence[str] = ()) -> None:
    """Refuses a key that none of the runs has.

    Args:
        keys: names of facts or settings.
        rows: all runs, before any was left out.
        where: names the option that they stand in, for the error.
        others: further names to suggest, such as the command's own keys.

    Raises:
        ConfigError: for the first such key, with the nearest one.
    """
    for key in dict.fromkeys(keys):
        if key in _KNOWN or not rows or any(key in row for row in rows):
            continue
        known = dict.fromkeys(_KNOWN)
        for row in rows:
            known |= dict.fromkeys(row)
        names = list(known)
        near = next(iter(get_close_matches(key, [*others, *names], n=1, cutoff=0.75)), None) or suggest(key, names, names)
        hint = f"; did you mean {near}?" if near else ""
        raise ConfigError(f"{where}={key}: no run has such a fact or setting{hint}\n  facts: {', '.join(_KNOWN)}")


def check_values(conditions: Iterable[Condition], rows: Sequence[Mapping[str, Any]]) -> None:
    """Refuses a condition whose value is of another kind than the fact is in all runs, such as a unit where the fact has none.

    Raises:
        ConfigError: for the first such condition, with the value of a run.
    """
    for condition in conditions:
        facts = [row[condition.key] for row in rows if row.get(condition.key) is not None]
        if facts and not any(map(condition.fits, facts)):
            known = replace(condition, values=(show(facts[0]),))
            example = known if known.fits(facts[0]) else replace(known, operator="=")
            raise ConfigError(f"where={condition}: the value must be like those of the runs, such as {example}")


def _rank(value: Any) -> tuple[Any, ...]:
    """What a fact is sorted by: numbers before texts."""
    if isinstance(value, int | float):
        return (0, value)
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    parts = enumerate(_PARTS.split(text))  # each second one is a number, though it may have more digits than Python converts
    return (1, [(int(part), "") if place % 2 and len(part) <= _MOST_DIGITS else (-1, part) for place, part in parts])
