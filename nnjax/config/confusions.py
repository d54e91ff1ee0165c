"""Suggests what was probably meant where one and several were confused: 256 for [256], or the key bias for biases.

problem = clarify(problem, value, key, hints_of(NeuronLayer), lists_of(TrainConfig), takes)
# model.layers.0.bias=0.35: must be true or false; did you mean biases: [0.35]?
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from nnjax.config.diagnostics import Problem, show

Takes = Callable[[Any, object], bool]

_AT_LEAST_TWO = {"training.vary.learning_rate": "optimizer.learning_rate", "data.classes": "", "search.space.choices": ""}
"""Lists of which later checks want two items or more, each with the key that takes a single number, or ""."""


def clarify(
    problem: Problem,
    value: object,
    key: str,
    beside: Mapping[str, Any],
    elsewhere: Mapping[str, Any],
    takes: Takes,
    size: object = None,
) -> Problem:
    """Adds a suggestion to a problem, where one and several were confused.

    Args:
        problem: the first problem of the value, or of one of its items.
        value: the plain value.
        key: its dotted key.
        beside: the annotations of this key and the keys beside it, by their last parts.
        elsewhere: the annotations of lists in other groups, by dotted keys.
        takes: the function that says whether an annotation allows a value.
        size: the value of the key `size` beside this one: how long a list of numbers is meant to be.
    """
    several_of = [[value] * size] if isinstance(size, int) and 1 < size < 100 and isinstance(value, int | float) else []
    group, _, name = key.rpartition(".")
    in_list = any(part.isdecimal() for part in key.split("."))  # an item written in a list cannot be set by its own key
    for other, kind in beside.items():
        if not is_plural(name, other) and not is_plural(other, name):
            continue
        if meant := fitting(kind, [value, *several_of, [value], [[value]], *_items(value)], takes):
            full = f"{group}.{other}".lstrip(".")
            return _asked(problem, f"{other}: {show(*meant)}" if in_list else f"{full}={show(*meant)}")
    several = isinstance(value, list | tuple) and len(value) > 1
    for other, kind in elsewhere.items() if several else ():
        if other != key and other.rpartition(".")[2] == name and takes(kind, value):
            return _asked(problem, f"{other}={show(value)}")
    forms, names = [*several_of, [value], [[value]], *_items(value)], _quoted(value, beside[name], takes)
    if (single := _AT_LEAST_TWO.get(re.sub(r"\.\d+", "", key))) is not None:
        if single and takes(float, value):
            return _asked(problem, f"{single}={show(value)}")
        forms = [form for form in forms if not isinstance(form, list) or len(form) > 1]
        names = names if isinstance(value, list | tuple) and len(value) > 1 else ""
    if meant := fitting(beside[name], forms, takes):
        problem = _told(problem, f"write {name}: {show(*meant)}" if in_list else f"write {key}={show(*meant)}")
        return _told(problem, f"or, for names, '{key}={names}'") if names else problem
    if names:
        return _told(problem, f"names that read as numbers or truth values need quotes: '{key}={names}'")
    if isinstance(value, list | tuple) and value and not in_list and all(takes(beside[name], item) for item in value):
        return _told(problem, f"to run with each of them: -m {key}={','.join(map(show, value))}")
    return problem


def fitting(annotation: Any, candidates: list[object], takes: Takes) -> list[object]:
    """Returns the first value that an annotation allows, in a list; empty if there is none."""
    return next(([value] for value in candidates if takes(annotation, value)), [])


def is_plural(word: str, plural: str) -> bool:
    """Whether a word is the plural of another: bias and biases, block and blocks, boundary and boundaries."""
    return plural in (f"{word}s", f"{word}es") or (word.endswith("y") and plural == f"{word[:-1]}ies")


def _items(value: object) -> list[object]:
    """Returns the only item of a list, or the items that a text lists."""
    if isinstance(value, list | tuple) and len(value) == 1:
        return [value[0]]
    items = re.split(r"\s*[,;\s]\s*", value.strip("[]() ")) if isinstance(value, str) else []
    return [items] if len(items) > 1 else []


def _quoted(value: object, annotation: Any, takes: Takes) -> str:
    """Writes a list of names, some of which were read as numbers or truth values, with quotes; empty for other values."""
    if not isinstance(value, list | tuple) or any(not isinstance(item, str | int | float) for item in value):
        return ""
    names = [item if isinstance(item, str) else str(item).lower() for item in value]
    return json.dumps(names, ensure_ascii=False, separators=(",", ":")) if takes(annotation, names) else ""


def _asked(problem: Problem, meant: str) -> Problem:
    return replace(problem, reason=f"{problem.reason}; did you mean {meant}?")


def _told(problem: Problem, line: str) -> Problem:
    return replace(problem, help=(*problem.help, line))
