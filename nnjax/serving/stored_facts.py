"""The facts of a model as JSON, and back: every value of a stranger's file is checked before it is used.

    text = json.dumps(facts_to_json(facts))
    facts_from_json(parse_json(text)) == facts             # True; raises ValueError: inputs.shape.0: must be a whole number

Each value must have exactly the type of its field. Then the facts must fit together: a label for each class, a temperature
for each trial. Texts may hold no letters that a terminal would obey.
"""

import math
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from nnjax.serving.facts import InputFacts, ModelFacts, SeriesFacts

_LONGEST_TEXT = 200
_LONGEST_AXIS = 2**24
_MOST_VALUES = 2**26  # of one input, or of all trials' outputs for one
_PICTURES = {"mnist": (28, 28, 1), "digits": (8, 8, 1)}
_NOUNS = {str: "text", int: "a whole number", float: "a finite number", bool: "true or false"}


def facts_to_json(facts: ModelFacts) -> dict[str, Any]:
    """Returns plain dicts, lists and scalars.

    Metrics that are not finite are left out.

    Raises:
        ValueError: if the facts do not fit together, or another number is not finite.
    """
    values = _plain(facts, "")
    values["metrics"] = {name: value for name, value in values["metrics"].items() if math.isfinite(value)}
    facts_from_json(values)
    return values  # type: ignore[no-any-return]


def facts_from_json(values: Any) -> ModelFacts:
    """Reads what `facts_to_json` returned.

    Raises:
        ValueError: in one line with the key, for an unknown or missing key, a wrong type, or facts that do not fit together.
    """
    facts: ModelFacts = _read(ModelFacts, values, "")
    check_facts(facts)
    return facts


def is_storable(text: str) -> bool:
    """Whether a text can stand in facts: printable, and not too long."""
    return len(text) <= _LONGEST_TEXT and text.isprintable()


def check_facts(facts: ModelFacts) -> None:
    """Checks that facts fit together.

    Raises:
        ValueError: in one line with the key.
    """
    if not facts.name.strip(". ") or set(facts.name) & set("/\\"):
        raise ValueError(f"name: must be a name without slashes; it is {facts.name!r}")
    _check_inputs(facts.inputs)
    for name in ("num_outputs", "num_trials"):
        _check_size(name, getattr(facts, name))
    if facts.num_trials * facts.num_outputs > _MOST_VALUES:
        raise ValueError(f"num_trials: {facts.num_trials} × {facts.num_outputs} outputs are too many")
    labels = facts.num_outputs if facts.task == "classification" else 0
    if len(facts.labels) != labels:
        raise ValueError(
            f"labels: must be {labels} for {facts.task} with num_outputs={facts.num_outputs}; they are {len(facts.labels)}"
        )
    if len(facts.temperatures) != facts.num_trials or min(facts.temperatures) <= 0:
        raise ValueError(f"temperatures: must be {facts.num_trials} numbers above 0, one for each trial")
    if facts.series is not None:
        _check_series(facts.series, facts)


def _check_inputs(inputs: InputFacts) -> None:
    shape = inputs.shape
    if not 1 <= len(shape) <= 4:
        raise ValueError(f"inputs.shape: must have 1 to 4 sizes; it has {len(shape)}")
    for index, size in enumerate(shape):
        _check_size(f"inputs.shape.{index}", size)
    if math.prod(shape) > _MOST_VALUES:
        raise ValueError(f"inputs.shape: {' × '.join(map(str, shape))} values are too many")
    if len(inputs.features) not in (0, shape[-1]):
        raise ValueError(f"inputs.features: must be none or {shape[-1]} names; they are {len(inputs.features)}")
    if inputs.preparation is None:
        return
    if len(shape) != 3 or shape[2] not in (1, 3) or _PICTURES.get(inputs.preparation, shape) != shape:
        raise ValueError(f"inputs.preparation: {inputs.preparation} does not fit the shape {list(shape)}")
    if inputs.largest is None or inputs.largest <= 0:
        raise ValueError("inputs.largest: must be a number above 0 for pictures")


def _check_series(series: SeriesFacts, facts: ModelFacts) -> None:
    if facts.task != "regression":
        raise ValueError("series: needs task=regression")
    if series.std <= 0 or series.difference < 0 or series.season < 0:
        raise ValueError("series: std must be above 0, difference and season at least 0")
    if len(series.labels) not in (0, len(series.values)):
        raise ValueError(f"series.labels: must be none or {len(series.values)}; they are {len(series.labels)}")
    if len(series.residuals) not in (0, facts.num_trials):
        raise ValueError(
            f"series.residuals: must be none or those of {facts.num_trials} trials; they are of {len(series.residuals)}"
        )


def _check_size(key: str, size: int) -> None:
    if not 1 <= size <= _LONGEST_AXIS:
        raise ValueError(f"{key}: must be from 1 to {_LONGEST_AXIS}; it is {size}")


def _plain(value: Any, key: str) -> Any:
    """Plain values of JSON, from dataclasses, tuples, mappings and NumPy's scalars."""
    if is_dataclass(value):
        return {item.name: _plain(getattr(value, item.name), _join(key, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): _plain(item, _join(key, str(name))) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, _join(key, str(index))) for index, item in enumerate(value)]
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and not math.isfinite(value) and key.startswith(("calibration", "provenance")):
        return None
    if isinstance(value, float) and not math.isfinite(value) and not key.startswith("metrics"):
        raise ValueError(f"{key}: must be a finite number; it is {value}")
    return value


def _read(annotation: Any, value: Any, key: str) -> Any:
    """Converts a plain value to its annotation; raises ValueError."""
    if is_dataclass(annotation):
        return _read_fields(annotation, value, key)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):  # each union here is of one type and None
        return None if value is None else _read(next(kind for kind in arguments if kind is not NoneType), value, key)
    if origin is tuple:
        if not isinstance(value, list):
            raise ValueError(f"{key}: must be a list")
        return tuple(_read(arguments[0], item, _join(key, str(index))) for index, item in enumerate(value))
    if origin is not None and issubclass(_class(origin), Mapping):
        if not isinstance(value, dict):
            raise ValueError(f"{key}: must be a group of keys")
        return {_read(str, name, key): _read(arguments[1], item, _join(key, name)) for name, item in value.items()}
    if origin is Literal:
        if not isinstance(value, str) or value not in arguments:
            raise ValueError(f"{key}: must be one of {', '.join(arguments)}")
        return value
    return _read_any(value, key) if annotation is Any else _scalar(annotation, value, key)


def _read_any(value: Any, key: str) -> Any:
    """Checks a value of JSON of any type: numbers that JSON can hold, printable texts."""
    if isinstance(value, dict):
        return {_scalar(str, name, key): _read_any(item, _join(key, name)) for name, item in value.items()}
    if isinstance(value, list):
        return [_read_any(item, _join(key, str(index))) for index, item in enumerate(value)]
    if type(value) is int and abs(value) >= 2**63:
        raise ValueError(f"{key}: must be a smaller number")
    return value if value is None or type(value) in (bool, int) else _scalar(type(value), value, key)


def _read_fields(cls: Any, values: Any, key: str) -> Any:
    if not isinstance(values, dict):
        raise ValueError(f"{key or 'facts'}: must be a group of keys")
    hints = _hints(cls)
    if unknown := [name for name in values if name not in hints]:
        raise ValueError(f"{_join(key, unknown[0])[:_LONGEST_TEXT]}: unknown key")
    for item in fields(cls):
        if item.name not in values and item.default is MISSING:
            raise ValueError(f"{_join(key, item.name)}: missing")
    return cls(**{name: _read(hints[name], value, _join(key, name)) for name, value in values.items()})


def _scalar(kind: Any, value: Any, key: str) -> Any:
    if kind is float and type(value) is int and abs(value) < 2**63:
        value = float(value)
    if type(value) is not kind or (kind is float and not math.isfinite(value)):
        raise ValueError(f"{key}: must be {_NOUNS[kind]}")
    if kind is str and not is_storable(value):
        raise ValueError(f"{key}: must be printable text of at most {_LONGEST_TEXT} letters")
    return value


@cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


def _class(origin: Any) -> type:
    return origin if isinstance(origin, type) else NoneType


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name
