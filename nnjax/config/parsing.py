"""From plain nested data to a frozen, typed config, and back.

    config = parse(Config, {"seed": 0, "model": {"name": "fnn", "hidden": [256], ...}, ...})
    config.model.hidden                            # (256,)
    parse(Config, to_mapping(config)) == config    # True

Every value is held to the annotation of its field; what is wrong is collected, and raised as one `ConfigError`.
"""

import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import MISSING as NO_DEFAULT
from dataclasses import dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from nnjax.config.problems import MISSING, NO_ORIGINS, Origins, Problem, raise_problems
from nnjax.config.suggest import suggest
from nnjax.config.types import LARGEST_INT, Bounds, Duration, MemorySize

__all__ = ["NO_ORIGINS", "Origins", "config_hash", "keys_of", "option_names", "parse", "to_mapping"]

T = TypeVar("T")

# The same numbers come out whatever these say.
_WITHOUT_EFFECT = ("resume", "rerun", "report", "data.directory", "data.placement", "parallel.memory_limit")
# Written as one text, such as 10epochs and 12GB; and what such a text must be.
_TEXTS: dict[Any, str] = {
    Duration: "a number and a unit, such as 500steps, 10epochs, 50000examples or 5%",
    MemorySize: "a size such as 12GB",
}


def parse(schema: type[T], values: Mapping[str, Any], origins: Origins = NO_ORIGINS) -> T:
    """Reads a config.

    Args:
        schema: the dataclass to make.
        values: nested dicts, lists and scalars, as `OmegaConf.to_container(cfg, resolve=True)` returns them.
        origins: knows where the values were set.

    Raises:
        ConfigError: for unknown and missing keys, and values of a wrong type or out of range; all of them in one.
    """
    reader = _Reader(schema)
    config = reader.mapping(schema, values, key="")
    raise_problems(reader.problems, origins)
    return config  # type: ignore[no-any-return]


def to_mapping(config: Any) -> Any:
    """A config as plain dicts, lists and scalars; durations and sizes as text. The inverse of `parse`."""
    if type(config) in _TEXTS:
        return str(config)
    if isinstance(config, tuple):
        return [to_mapping(item) for item in config]
    if is_dataclass(config):
        return {item.name: to_mapping(getattr(config, item.name)) for item in fields(config)}
    return config


def config_hash(config: Any) -> str:
    """Twelve hex digits that tell configs apart; equal for configs whose runs compute the same numbers."""
    mapping = to_mapping(config)
    for key in _WITHOUT_EFFECT:
        group, _, leaf = key.rpartition(".")
        (mapping.get(group, {}) if group else mapping).pop(leaf, None)
    text = json.dumps(mapping, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@cache
def keys_of(schema: type) -> tuple[str, ...]:
    """The dotted keys of all values that a config of this schema may hold, those of every option included."""

    def walk(annotation: Any, key: str) -> Iterator[str]:
        options = set(_options(annotation).values()) or ({annotation} if _is_mapping(annotation) else set())
        if not options:
            yield key
        for option in options:
            for name, kind in _hints(option).items():
                yield from walk(kind, _join(key, name))

    return tuple(sorted(set(walk(schema, ""))))


@cache
def option_names(schema: type) -> dict[str, tuple[str, ...]]:
    """The names of the options of each group of a schema, where options have names."""
    return {name: tuple(_options(kind)) for name, kind in _hints(schema).items() if _options(kind)}


@dataclass
class _Reader:
    """Walks values along the annotations of a schema; notes what is wrong and reads on."""

    schema: type
    problems: list[Problem] = field(default_factory=list)

    def value(self, annotation: Any, value: object, key: str) -> Any:
        """The value as its annotation wants it; None, and a problem noted, if it cannot be that."""
        if options := _options(annotation):
            return self.option(options, value, key)
        if get_origin(annotation) in (Union, UnionType):
            return self.either(get_args(annotation), value, key)
        if get_origin(annotation) is tuple:
            return self.items(annotation, value, key)
        if _is_mapping(annotation):
            if isinstance(value, Mapping):
                return self.mapping(annotation, value, key)
            return self.refuse(key, value, f"must be {_describe(annotation)}")
        try:
            return _scalar(annotation, value)
        except ValueError as error:
            return self.refuse(key, value, f"must be {error}")

    def mapping(self, cls: type, values: Mapping[str, Any], key: str, options: Mapping[str, type] | None = None) -> Any:
        """A dataclass; `options` are those it was chosen from."""
        hints = _hints(cls)
        place = f"{key}={values['name']}" if options else key or "the config"
        for name, value in values.items():
            if name not in hints:
                self.unknown(_join(key, str(name)), value, hints, place, options or {})
        found = {}
        for item in fields(cls):
            value = values.get(item.name, MISSING)
            if value not in (MISSING, "???"):
                found[item.name] = self.value(hints[item.name], value, _join(key, item.name))
            elif item.default is NO_DEFAULT:
                found[item.name] = None
                self.refuse(_join(key, item.name), MISSING, f"must be {_describe(hints[item.name])}")
        return cls(**found)

    def option(self, options: Mapping[str, type], value: object, key: str) -> Any:
        """The dataclass that `value` names."""
        if isinstance(value, str) and value in options:
            reason = f"only the command line chooses so; in a file, write 'override /{key}: {value}' under defaults"
            return self.refuse(key, value, reason)
        if not isinstance(value, Mapping):
            return self.refuse(key, value, f"must be one of {', '.join(options)}")
        name = value.get("name", MISSING)
        with suppress(ValueError):
            name = _scalar(Literal.__getitem__(tuple(options)), name)
            return self.mapping(options[name], value, key, options)
        return self.refuse(_join(key, "name"), name, f"must be {_choice(tuple(options), name)}")

    def either(self, members: tuple[Any, ...], value: object, key: str) -> Any:
        """A value of the first of several types that takes it."""
        if value is None and NoneType in members:
            return None
        before = len(self.problems)
        kinds = [kind for kind in members if kind is not NoneType]
        for kind in kinds:
            result = self.value(kind, value, key)
            if len(self.problems) == before:
                return result
            refused = self.problems[before:]
            del self.problems[before:]
        if len(kinds) > 1:
            return self.refuse(key, value, f"must be {', or '.join(map(_describe, kinds))}")
        for problem in refused:
            reason = f"{problem.reason}, or null" if problem.key == key else problem.reason
            self.refuse(problem.key, problem.value, reason, problem.help)
        return None

    def items(self, annotation: Any, value: object, key: str) -> Any:
        """A tuple of any length."""
        kind = get_args(annotation)[0]
        if not isinstance(value, list | tuple):
            return self.refuse(key, value, f"must be {_describe(annotation)}")
        return tuple(self.value(kind, item, f"{key}.{index}") for index, item in enumerate(value))

    def unknown(self, key: str, value: object, beside: Collection[str], place: str, options: Mapping[str, type]) -> None:
        """Notes a key that is not among the keys `beside` it; `options` are those that its group has."""
        group, _, leaf = key.rpartition(".")
        owners = [f"{group}={name}" for name, option in options.items() if leaf in _hints(option)]
        if isinstance(value, Mapping) and value and not owners:
            for name, item in value.items():
                self.unknown(f"{key}.{name}", item, (), place, {})
            return
        reason = "unknown key"
        if owners:
            reason += f" for {place}; {' and '.join(owners)} can have it"
        elif meant := suggest(key, keys_of(self.schema), beside, value):
            reason += f"; did you mean {meant}?"
        self.refuse(key, value, reason, (f"keys of {place}: {', '.join(beside)}",) if beside else ())

    def refuse(self, key: str, value: object, reason: str, help_lines: tuple[str, ...] = ()) -> None:
        """Notes a problem."""
        self.problems.append(Problem(key, value, reason, help_lines))


def _scalar(annotation: Any, value: object) -> Any:
    """A number, text, truth value, choice or duration.

    Raises:
        ValueError: if it is none; the message completes "must be …".
    """
    if get_origin(annotation) is Literal:
        choices = get_args(annotation)
        # In a YAML file, on and off without quotes are true and false.
        word = ("on" if value else "off") if isinstance(value, bool) else value
        if word in choices:
            return word
        raise ValueError(_choice(choices, value))
    if annotation in _TEXTS:
        return annotation.parse(str(value))
    base, bounds = get_args(annotation) if get_origin(annotation) is Annotated else (annotation, Bounds())
    number = _CONVERT[base](value)
    if number is None or (base in (int, float) and not bounds.contains(number)):
        wanted = _describe(annotation)
        if base is int and isinstance(value, float) and value.is_integer():
            raise ValueError(f"{wanted}, written {int(value)}")
        raise ValueError(wanted if number not in (float("inf"), float("-inf")) else f"{wanted}, and finite")
    if base is int and abs(number) > LARGEST_INT:
        raise ValueError(f"at most {LARGEST_INT}")
    return number


def _to_int(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    # What stands in quotes or comes from an environment variable is text.
    return int(value) if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,4000}", value) else None


def _to_float(value: object) -> float | None:
    try:
        # YAML 1.1 reads 1e-3, without a point, as text.
        return float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    except (ValueError, OverflowError):
        return None


_CONVERT: dict[Any, Callable[[object], Any]] = {
    int: _to_int,
    float: _to_float,
    bool: lambda value: value if isinstance(value, bool) else None,
    str: lambda value: value if isinstance(value, str) else None,
}
_NOUN = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


def _describe(annotation: Any) -> str:
    """What an annotation takes, to follow "must be"."""
    if options := _options(annotation):
        return _choice(tuple(options))
    match get_origin(annotation):
        case origin if origin in (Union, UnionType):
            return ", or ".join("null" if kind is NoneType else _describe(kind) for kind in get_args(annotation))
        case origin if origin is Annotated:
            base, bounds = get_args(annotation)
            return f"{_NOUN[base]} {'of ' if str(bounds).startswith('at') else ''}{bounds}"
        case origin if origin is Literal:
            return _choice(get_args(annotation))
        case origin if origin is tuple:
            return f"a list, each item {_describe(get_args(annotation)[0])}"
    if annotation in _TEXTS:
        return _TEXTS[annotation]
    return f"a group of {', '.join(_hints(annotation))}" if _is_mapping(annotation) else _NOUN[annotation]


def _choice(values: tuple[object, ...], value: object = MISSING) -> str:
    choices = tuple(map(str, values))
    near = get_close_matches(str(value), choices, n=1)
    wanted = f"one of {', '.join(choices)}" if len(choices) > 1 else choices[0]
    return wanted + (f"; did you mean {near[0]}?" if near else "")


@cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls, include_extras=True)


@cache
def _options(annotation: Any) -> dict[str, type]:
    """The dataclasses of a group by the names that choose them; empty if the annotation is no group."""
    members = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    if not all(_is_mapping(member) and "name" in _hints(member) for member in members):
        return {}
    return {name: member for member in members for name in get_args(_hints(member)["name"])}


def _is_mapping(annotation: Any) -> bool:
    return is_dataclass(annotation) and annotation not in _TEXTS


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name
