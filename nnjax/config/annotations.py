"""Reads the annotations of the schema: fields, the options of a group, and the allowed values of a field in words.

hints_of(FNN)["hidden"], options_of(Model)["fnn"]       # tuple[PositiveInt, ...], FNN
describe(tuple[int, ...])                                # "a list, each item a whole number"
"""

from collections.abc import Iterator
from dataclasses import is_dataclass
from difflib import get_close_matches
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from nnjax.config.diagnostics import MISSING
from nnjax.config.registry import cached_until_registered, members_of
from nnjax.config.types import Duration, MemorySize

# Types that are written as one text, such as 10epochs and 12GB, with the form of the text.
TEXTS: dict[Any, str] = {
    Duration: "a number and a unit, such as 500steps, 10epochs, 50000examples or 5%",
    MemorySize: "a size such as 12GB",
}
# Names of activations in other frameworks.
_OTHER_NAMES = {"linear": "identity", "none": "identity", "logistic": "sigmoid", "swish": "silu", "leakyrelu": "leaky_relu"}
_NOUN = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


def describe(annotation: Any) -> str:
    """Describes the values that an annotation allows, to follow "must be"."""
    if annotation is Any:
        return "any value"
    if options := options_of(annotation):
        return choice(tuple(options))
    match get_origin(annotation):
        case origin if origin in (Union, UnionType):
            return ", or ".join("null" if kind is NoneType else describe(kind) for kind in get_args(annotation))
        case origin if origin is Annotated:
            base, bounds = get_args(annotation)
            return f"{_NOUN[base]} {'of ' if str(bounds).startswith('at') else ''}{bounds}"
        case origin if origin is Literal:
            return choice(get_args(annotation))
        case origin if origin is tuple:
            return f"a list, each item {describe(get_args(annotation)[0])}"
    if annotation in TEXTS:
        return TEXTS[annotation]
    return f"a group of {', '.join(hints_of(annotation))}" if is_mapping(annotation) else _NOUN[annotation]


def choice(values: tuple[object, ...], value: object = MISSING) -> str:
    """Writes "one of …" several values, with the one whose spelling is nearest to `value`."""
    choices = tuple(map(str, values))
    wanted = f"one of {', '.join(choices)}" if len(choices) > 1 else choices[0]
    if value == "softmax" and "identity" in choices:
        return f"{wanted}; softmax is part of loss=cross_entropy, with identity in the output layer"
    other_name = _OTHER_NAMES.get(str(value).lower())
    near = [other_name] if other_name in choices else get_close_matches(str(value), choices, n=1)
    return wanted + (f"; did you mean {near[0]}?" if near else "")


@cache
def hints_of(cls: type) -> dict[str, Any]:
    """Returns the annotations of a dataclass by the names of its fields."""
    return get_type_hints(cls, include_extras=True)


@cached_until_registered
def options_of(annotation: Any) -> dict[str, type]:
    """Returns the dataclasses of a group by the names that choose them; empty if the annotation is no group."""
    members = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    members += members_of(annotation)
    if not all(is_mapping(member) and "name" in hints_of(member) for member in members):
        return {}
    return {name: member for member in members for name in get_args(hints_of(member)["name"])}


def is_mapping(annotation: Any) -> bool:
    """Whether an annotation is a dataclass that is written as a group of keys."""
    return is_dataclass(annotation) and annotation not in TEXTS


def join(key: str, name: str) -> str:
    """Joins a name to a dotted key, which is empty for the whole config."""
    return f"{key}.{name}" if key else name


@cache
def lists_of(schema: type) -> dict[str, Any]:
    """Returns the dotted keys of the scalar lists that every config of a schema has, with their annotations."""

    def walk(annotation: Any, key: str) -> Iterator[tuple[str, Any]]:
        if is_mapping(annotation) and not options_of(annotation):
            for name, kind in hints_of(annotation).items():
                yield from walk(kind, join(key, name))
        elif any(get_origin(member) is tuple for member in (annotation, *get_args(annotation))):
            yield key, annotation

    return dict(walk(schema, "")) if is_dataclass(schema) else {}
