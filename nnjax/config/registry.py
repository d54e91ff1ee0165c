"""Options that a person adds without a change here: their own models, datasets, losses, optimizers and activations.

    @register("model", "wide")
    def wide(options: Wide, activation, spec, *, rngs, dtype): ...

    options_of(Model)["wide"]                # a subclass of Wide with the field `name`, held to the same rules as FNN

What is registered belongs to the process. This module keeps builders and never calls them, so it loads nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

from nnjax.config.data_options import Data
from nnjax.config.errors import ConfigError
from nnjax.config.option_class import option_class
from nnjax.config.options import Activation, Model
from nnjax.config.training_options import Loss, Optimizer

Builder = TypeVar("Builder", bound=Callable[..., Any])


@dataclass(frozen=True)
class PluginFile:
    """A user's file that registers options.

    Attributes:
        name: as it was given.
        path: absolute.
        sha256: the hash of its content when it was loaded.
    """

    name: str
    path: Path
    sha256: str


@dataclass(frozen=True)
class Registered:
    """One registered option.

    Attributes:
        group: model, data, loss, optimizer or activation.
        name: the option's name in the config.
        options: the dataclass of its values, with the field `name`.
        build: the function that was decorated.
        plugin: the file that registered it; None where other code did.
    """

    group: str
    name: str
    options: type
    build: Callable[..., Any]
    plugin: PluginFile | None


GROUPS: dict[str, Any] = {"model": Model, "data": Data, "loss": Loss, "optimizer": Optimizer, "activation": Activation}
_registered: dict[tuple[str, str], Registered] = {}
_caches: list[Any] = []
_NO_NAMES = frozenset({"null", "nan", "inf", "true", "false"})  # values, to Hydra or YAML
_loading: list[PluginFile] = []


def cached_until_registered(function: Builder) -> Builder:
    """Like `functools.cache`; the cache is cleared when an option is registered."""
    remembered: Any = cache(function)
    _caches.append(remembered)
    return remembered  # type: ignore[no-any-return]


def registered(group: str | None = None) -> tuple[Registered, ...]:
    """Returns the registered options, of one group or of all."""
    return tuple(option for option in _registered.values() if group in (None, option.group))


def registered_as(config: object) -> Registered | None:
    """Returns the registered option of these values; None for a shipped option."""
    return next((option for option in _registered.values() if type(config) is option.options), None)


def members_of(annotation: Any) -> tuple[Any, ...]:
    """Returns the registered dataclasses of a group, by the union of its shipped ones; empty for any other annotation."""
    return tuple(option.options for option in _registered.values() if GROUPS[option.group] == annotation)


@contextmanager
def loading(plugin: PluginFile) -> Iterator[None]:
    """Context for importing a plugin: attributes new registrations to it, and removes them if the import fails."""
    before = dict(_registered)
    _loading.append(plugin)
    try:
        yield
    except BaseException:
        _registered.clear()
        _registered.update(before)
        _changed()
        raise
    finally:
        _loading.pop()


def forget(names: Sequence[tuple[str, str]]) -> None:
    """Unregisters options, by group and name."""
    for key in names:
        _registered.pop(key, None)
    _changed()


def register(group: str, name: str, **facts: Any) -> Callable[[Builder], Builder]:
    """Returns the decorator that registers a builder; `nnjax.api.registering` has one for each group.

    Args:
        group: the option's group.
        name: the option's name in the config.
        **facts: class attributes of the option, such as a loss's `from_logits`.

    Raises:
        ConfigError: for a name that is taken, or options that no config can hold.
    """
    if not isinstance(name, str) or not name.isidentifier() or name.lower() in _NO_NAMES:
        raise ConfigError(f'{group}={name}: is no name; give one of letters, digits and underscores, as in register_…("mine")')

    def decorate(build: Builder) -> Builder:
        plugin = _loading[-1] if _loading else None
        if name in _shipped(group):
            raise ConfigError(f"{group}={name}: is a shipped option; register another name")
        earlier = _registered.get((group, name))
        if earlier is not None and plugin is not None:  # code that runs anew, as a notebook's cell, may replace its own
            place = f"by {earlier.plugin.name}" if earlier.plugin else "before"
            raise ConfigError(f"{group}={name}: is registered already {place}; register another name")
        options = option_class(group, name, build)
        for fact, value in facts.items():
            setattr(options, fact, value)
        _registered[group, name] = Registered(group, name, options, build, plugin)
        _changed()
        return build

    return decorate


def _shipped(group: str) -> set[str]:
    return {name for member in get_args(GROUPS[group]) for name in get_args(get_type_hints(member)["name"])}


def _changed() -> None:
    for remembered in _caches:
        remembered.cache_clear()
