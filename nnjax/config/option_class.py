"""From the dataclass that a registered builder takes to the dataclass of an option, with a name and what its group has.

option_class("optimizer", "rmsprop", rmsprop)        # RMSProp with name, learning_rate, weight_decay, clip_norm, …
"""

from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, make_dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from nnjax.config.data_options import Augment, DataOptions
from nnjax.config.errors import ConfigError
from nnjax.config.training_options import Lookahead, LossOptions, OptimizerOptions, ParameterGroup
from nnjax.config.types import Bounds, Duration, MemorySize, NonNegativeFloat, PositiveFloat, PositiveInt


@dataclass(frozen=True, kw_only=True)
class OptimizerDefaults(OptimizerOptions):
    """Fields that every optimizer needs, with the shipped defaults.

    They are added where a registered optimizer's options lack them.
    """

    learning_rate: PositiveFloat = 0.001
    weight_decay: NonNegativeFloat = 0.0
    clip_norm: PositiveFloat | None = None
    parameter_groups: tuple[ParameterGroup, ...] = ()
    lookahead: Lookahead | None = None


@dataclass(frozen=True, kw_only=True)
class DataDefaults(DataOptions):
    """Fields that every dataset needs, with the defaults of conf/data/digits.yaml.

    They are added where a registered dataset's options lack them.
    """

    validation: Annotated[float, Bounds(at_least=0, at_most=0.9)] = 0.1
    limit_train: PositiveInt | None = None
    limit_test: PositiveInt | None = None
    normalize: bool = True
    placement: Literal["auto", "device", "host"] = "auto"
    augment: Augment = field(default_factory=lambda: Augment("off", 0, 0))


_BASES: dict[str, type] = {"optimizer": OptimizerDefaults, "data": DataDefaults, "loss": LossOptions}
_PLAIN: frozenset[Any] = frozenset({int, float, bool, str, Duration, MemorySize})
_NAMES = "int, float, bool, str, Literal, tuple[X, ...], X | None or a frozen dataclass"


def option_class(group: str, name: str, build: Callable[..., Any]) -> type:
    """Returns a subclass of the dataclass that a builder's first parameter is annotated with.

    Args:
        group: what the option belongs to.
        name: what chooses it; the only value of the field `name`.
        build: the builder.

    Raises:
        ConfigError: if there is no such dataclass, or no config can hold its fields.
    """
    where = f"{group}={name}"
    code = getattr(build, "__code__", None)
    first = code.co_varnames[0] if code is not None and code.co_argcount else ""
    annotation = getattr(build, "__annotations__", {}).get(first)
    if isinstance(annotation, str):
        annotation = getattr(build, "__globals__", {}).get(annotation)
    if not (isinstance(annotation, type) and is_dataclass(annotation)):
        raise ConfigError(f"{where}: the first parameter of {_name(build)} must be annotated with the dataclass of its options")
    if not annotation.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        raise ConfigError(f"{where}: {annotation.__name__} must be frozen: @dataclass(frozen=True)")
    try:
        hints = get_type_hints(annotation, include_extras=True)
    except Exception as error:
        raise ConfigError(f"{where}: the annotations of {annotation.__name__} cannot be read: {error}") from error
    for item in fields(annotation):
        if item.name == "name":
            raise ConfigError(f"{where}: {annotation.__name__}.name: that key is what chooses the option; take another name")
        if not item.init:
            raise ConfigError(
                f"{where}: {annotation.__name__}.{item.name}: a config sets every field; field(init=False) cannot be"
            )
        _check(hints[item.name], f"{where}: {annotation.__name__}.{item.name}")
    bases = (annotation, _BASES[group]) if group in _BASES else (annotation,)
    own: Any = [("name", Literal[name], field(default=name, kw_only=True))]
    try:
        made = make_dataclass(annotation.__name__, own, bases=bases, frozen=True, kw_only=True)
    except TypeError as error:
        raise ConfigError(f"{where}: {annotation.__name__}: {error}") from error
    made.__module__, made.__doc__ = annotation.__module__, annotation.__doc__
    return made


def _check(annotation: Any, place: str) -> None:
    """Raises a ConfigError for an annotation that no config can hold."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation in _PLAIN or origin is Literal:
        return None
    if origin is Annotated and arguments[0] in (int, float) and len(arguments) == 2 and isinstance(arguments[1], Bounds):
        return None
    if origin in (Union, UnionType):
        for member in arguments:
            if member is not NoneType:
                _check(member, place)
        return None
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return _check(arguments[0], place)
    if is_dataclass(annotation) and isinstance(annotation, type) and annotation.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        for name, kind in get_type_hints(annotation, include_extras=True).items():
            _check(kind, f"{place}.{name}")
        return None
    shown = annotation.__name__ if isinstance(annotation, type) and origin is None else str(annotation)
    raise ConfigError(f"{place}: a config cannot hold {shown}; annotate it with {_NAMES}")


def _name(build: Callable[..., Any]) -> str:
    return getattr(build, "__name__", type(build).__name__)


def default_values(options: type) -> dict[str, Any]:
    """Returns the defaults of a dataclass by field; "???" where a value must be given, as in a YAML file."""
    found = {}
    for item in fields(options):
        made = item.default if item.default_factory is MISSING else item.default_factory()
        found[item.name] = "???" if made is MISSING else made
    return found
