"""Converts plain nested data to a frozen, typed config, and back.

    config = parse(Config, {"seed": 0, "model": {"name": "fnn", "hidden": [256], ...}, ...})
    config.model.hidden                            # (256,)
    parse(Config, to_mapping(config)) == config    # True

Every value is checked against the annotation of its field; all problems are raised as one `ConfigError`.

Why not pydantic: version 2.14 was tried on the same dataclasses, with unions discriminated by `name`, `extra="forbid"` and the
bounds as constraints. Its import and the building of the validator take 0.1 s of processor time, and a config error took 1.29
times as long (median of 15 pairs of processes), which lifts 0.47 s above the bound of 0.5 s. It could take the place of at most
139 of the 440 lines here and in `types`, and its errors would need a translation besides: a union without names reports an
error for each member, under keys that no config has (`parallel.devices.constrained-int`). Its lax mode takes 1 for true and 1.0
for a seed; its strict mode refuses the texts that quotes, environment variables and YAML 1.1 (`1e-3`) make of numbers.
"""

import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import MISSING as NO_DEFAULT
from dataclasses import dataclass, field, fields, is_dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from nnjax.config.annotations import TEXTS, choice, describe, hints_of, is_mapping, join, lists_of, options_of
from nnjax.config.confusions import clarify, is_plural
from nnjax.config.diagnostics import MISSING, NO_ORIGINS, Origins, Problem, raise_problems
from nnjax.config.effects import WITHOUT_EFFECT, inactive_keys
from nnjax.config.registry import cached_until_registered
from nnjax.config.suggest import ELSEWHERE, suggest
from nnjax.config.types import LARGEST_INT, Bounds

__all__ = ["NO_ORIGINS", "Origins", "config_hash", "keys_of", "option_names", "parse", "to_mapping"]

T = TypeVar("T")

_MOST_SUGGESTIONS = 20  # each takes milliseconds, and a damaged file may hold thousands of unknown keys


def parse(schema: type[T], values: Mapping[str, Any], origins: Origins = NO_ORIGINS) -> T:
    """Reads a config.

    Args:
        schema: the dataclass to build.
        values: nested dicts, lists and scalars, as `OmegaConf.to_container(cfg, resolve=True)` returns them.
        origins: where the values were set.

    Raises:
        ConfigError: for unknown and missing keys, and values of a wrong type or out of range; all of them in one.
    """
    reader = _Reader(schema)
    config = reader.mapping(schema, values, key="")
    raise_problems(reader.problems, origins)
    return config  # type: ignore[no-any-return]


def to_mapping(config: Any) -> Any:
    """Converts a config to plain dicts, lists and scalars, durations and sizes to text. The inverse of `parse`."""
    if type(config) in TEXTS:
        return str(config)
    if isinstance(config, tuple):
        return [to_mapping(item) for item in config]
    if is_dataclass(config):
        return {item.name: to_mapping(getattr(config, item.name)) for item in fields(config)}
    return config


def config_hash(config: Any, past: Any = None) -> str:
    """Returns twelve hex digits that identify a config; equal for configs whose runs compute the same numbers.

    Args:
        config: the run's config.
        past: plain values that describe how the first steps were trained, if not by this config.
    """
    mapping = to_mapping(config)
    settings = {
        f"{group}.{name}": value
        for group, values in mapping.items()
        if isinstance(values, dict)
        for name, value in values.items()
    }
    if past:
        mapping["past"] = past
    for key in (*WITHOUT_EFFECT, *inactive_keys(settings)):
        group, _, leaf = key.rpartition(".")
        (mapping.get(group, {}) if group else mapping).pop(leaf, None)
    text = json.dumps(mapping, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@cached_until_registered
def keys_of(schema: type) -> tuple[str, ...]:
    """Returns the dotted keys of all values that a config of this schema may hold, for all options."""

    def walk(annotation: Any, key: str) -> Iterator[str]:
        options = set(options_of(annotation).values()) or ({annotation} if is_mapping(annotation) else set())
        if not options:
            yield key
        for option in options:
            for name, kind in hints_of(option).items():
                yield from walk(kind, join(key, name))

    return tuple(sorted(set(walk(schema, ""))))


@cached_until_registered
def option_names(schema: type) -> dict[str, tuple[str, ...]]:
    """Returns the names of the options of each group of a schema."""
    return {name: tuple(options_of(kind)) for name, kind in hints_of(schema).items() if options_of(kind)}


@dataclass
class _Reader:
    """Reads values by the annotations of a schema, and collects the problems."""

    schema: type
    problems: list[Problem] = field(default_factory=list)

    def value(self, annotation: Any, value: object, key: str) -> Any:
        """Converts a value to its annotation; if it cannot, notes a problem and returns None."""
        if annotation is Any:
            return tuple(value) if isinstance(value, list) else value
        if options := options_of(annotation):
            return self.option(options, value, key)
        if get_origin(annotation) in (Union, UnionType):
            return self.either(get_args(annotation), value, key)
        if get_origin(annotation) is tuple:
            return self.items(annotation, value, key)
        if is_mapping(annotation):
            if isinstance(value, Mapping):
                return self.mapping(annotation, value, key)
            is_size = type(value) is int and value > 0 and "size" in hints_of(annotation)
            meant = f"; did you mean {{size: {value}}}?" if is_size else ""
            return self.refuse(key, value, f"must be {describe(annotation)}{meant}")
        try:
            return _scalar(annotation, value)
        except ValueError as error:
            return self.refuse(key, value, f"must be {error}")

    def mapping(self, cls: type, values: Mapping[str, Any], key: str, options: Mapping[str, type] | None = None) -> Any:
        """Reads a dataclass; `options` are the options of its group."""
        hints = hints_of(cls)
        place = f"{key}={values['name']}" if options else key or "the config"
        for name, value in values.items():
            if name not in hints:
                self.unknown(join(key, str(name)), value, hints, place, options or {})
        found = {}
        for item in fields(cls):
            value = values.get(item.name, MISSING)
            if value not in (MISSING, "???"):
                before = len(self.problems)
                found[item.name] = self.value(hints[item.name], value, join(key, item.name))
                if self.problems[before:] and value is not None and self.schema is not NoneType:
                    noted, place = self.problems[before], join(key, item.name)
                    self.problems[before] = clarify(
                        noted, value, place, hints, lists_of(self.schema), _takes, values.get("size")
                    )
            elif item.default is NO_DEFAULT and item.default_factory is NO_DEFAULT:
                found[item.name] = None
                self.refuse(join(key, item.name), MISSING, f"must be {describe(hints[item.name])}")
        return cls(**found)

    def option(self, options: Mapping[str, type], value: object, key: str) -> Any:
        """Reads the option that `value` names."""
        if isinstance(value, str) and value in options:
            reason = f"only the command line chooses so; in a file, write 'override /{key}: {value}' under defaults"
            return self.refuse(key, value, reason)
        if not isinstance(value, Mapping):
            return self.refuse(key, value, f"must be one of {', '.join(options)}")
        name = value.get("name", MISSING)
        with suppress(ValueError):
            name = _scalar(Literal.__getitem__(tuple(options)), name)
            return self.mapping(options[name], value, key, options)
        return self.refuse(join(key, "name"), name, f"must be {choice(tuple(options), name)}")

    def either(self, members: tuple[Any, ...], value: object, key: str) -> Any:
        """Reads a value as the first of several types that allows it."""
        if value is None and NoneType in members:
            return None
        before, inside = len(self.problems), list[Problem]()
        kinds = [kind for kind in members if kind is not NoneType]
        for kind in kinds:
            result = self.value(kind, value, key)
            if len(self.problems) == before:
                return result
            refused = self.problems[before:]
            del self.problems[before:]
            if get_origin(kind) is tuple and isinstance(value, list | tuple) and value:
                inside = refused
        if len(kinds) > 1 and inside:  # of several types one has the form of a list, so its items are at fault
            self.problems += inside
            return None
        if len(kinds) > 1:
            return self.refuse(key, value, f"must be {', or '.join(map(describe, kinds))}")
        for problem in refused:
            wanted, mark, meant = problem.reason.partition("; ")
            reason = f"{wanted}, or null{mark}{meant}" if problem.key == key else problem.reason
            self.refuse(problem.key, problem.value, reason, problem.help)
        return None

    def items(self, annotation: Any, value: object, key: str) -> Any:
        """Reads a tuple of any length."""
        kind = get_args(annotation)[0]
        if not isinstance(value, list | tuple):
            return self.refuse(key, value, f"must be {describe(annotation)}")
        return tuple(self.value(kind, item, f"{key}.{index}") for index, item in enumerate(value))

    def unknown(self, key: str, value: object, beside: Collection[str], place: str, options: Mapping[str, type]) -> None:
        """Notes an unknown key; `beside` are the known ones, `options` those of its group."""
        group, _, leaf = key.rpartition(".")
        owners = [f"{group}={name}" for name, option in options.items() if leaf in hints_of(option)]
        if isinstance(value, Mapping) and value and not owners and not any(is_plural(leaf, other) for other in beside):
            for name, item in value.items():
                self.unknown(f"{key}.{name}", item, (), place, {})
            return
        reason = "unknown key"
        if elsewhere := ELSEWHERE.get((self.schema.__name__, key)):
            reason += f"; {elsewhere}"
        elif owners:
            reason += f" for {place}; {' and '.join(owners)} can have it"
        elif len(self.problems) < _MOST_SUGGESTIONS and (meant := suggest(key, keys_of(self.schema), beside, value)):
            reason += f"; did you mean {meant}?"
        self.refuse(key, value, reason, (f"keys of {place}: {', '.join(beside)}",) if beside else ())

    def refuse(self, key: str, value: object, reason: str, help_lines: tuple[str, ...] = ()) -> None:
        """Notes a problem."""
        self.problems.append(Problem(key, value, reason, help_lines))


def _takes(annotation: Any, value: object) -> bool:
    """Whether an annotation allows a value."""
    reader = _Reader(NoneType)
    reader.value(annotation, value, "")
    return not reader.problems


def _scalar(annotation: Any, value: object) -> Any:
    """Converts a number, text, truth value, choice or duration.

    Raises:
        ValueError: if the annotation does not allow it; the message completes "must be …".
    """
    if get_origin(annotation) is Literal:
        choices = get_args(annotation)
        # In a YAML file, on and off without quotes are true and false.
        word = ("on" if value else "off") if isinstance(value, bool) else value
        if word in choices:
            return word
        raise ValueError(choice(choices, value))
    if annotation in TEXTS:
        return annotation.parse(str(value))
    base, bounds = get_args(annotation) if get_origin(annotation) is Annotated else (annotation, Bounds())
    number = _CONVERT[base](value)
    if number is None or (base in (int, float) and not bounds.contains(number)):
        wanted = describe(annotation)
        if base is int and isinstance(value, float) and value.is_integer():
            raise ValueError(f"{wanted}, written {int(value)}")
        raise ValueError(wanted if number not in (float("inf"), float("-inf")) else f"{wanted}, and finite")
    if base is int and abs(number) > LARGEST_INT:
        raise ValueError(f"at most {LARGEST_INT}")
    return number


def _to_int(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    # A number in quotes or from an environment variable is text.
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
