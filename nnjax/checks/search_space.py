"""The place of a search's keys in the config: the annotation of a key, and whether its values are whole numbers.

is_whole(config, SearchRange(key="training.global_batch_size", low=64, high=512))        # True
"""

from dataclasses import is_dataclass
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from nnjax.config.annotations import hints_of, options_of
from nnjax.config.search_options import SearchConfig, SearchRange


def is_whole(config: SearchConfig, item: SearchRange) -> bool:
    """Whether a key's values are whole numbers."""
    return number_kind(config, item.key) is int


def number_kind(config: SearchConfig, key: str) -> type | None:
    """Returns int or float for a key of numbers; None for any other, of which only choices can be searched.

    Raises:
        KeyError: if the config has no such key.
    """
    kinds = {_base(member) for member in _members(annotation_of(config, key))}
    return float if float in kinds else int if int in kinds else None


def is_choice_of_options(config: SearchConfig, key: str) -> bool:
    """Whether a key is a group, whose options a search may choose among.

    Raises:
        KeyError: if the config has no such key.
    """
    return bool(options_of(annotation_of(config, key)))


def annotation_of(config: SearchConfig, key: str) -> Any:
    """Returns the annotation of a dotted key, for the options that the config has.

    Raises:
        KeyError: if the config has no such key.
    """
    value: Any = config
    kind: Any = SearchConfig
    for name in key.split("."):
        if isinstance(value, tuple):
            if not name.isdecimal() or int(name) >= len(value):
                raise KeyError(key)
            kind = next(member for member in _members(kind) if get_origin(member) is tuple)
            value, kind = value[int(name)], get_args(kind)[0]
            continue
        hints: dict[str, Any] = hints_of(type(value)) if is_dataclass(value) else {}  # type: ignore[arg-type]
        if name not in hints:
            raise KeyError(key)
        value, kind = getattr(value, name), hints[name]
    return kind


def _members(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)


def _base(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
