"""Reads and checks overrides; words Hydra's refusals as config errors: key and value, what is allowed, where it was set.

check_overrides(["model=cnnn"], loader)
# ConfigError: model=cnnn: no such option; did you mean cnn? Allowed: cnn, fnn, two_neuron (set on the command line)
"""

import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path

import yaml
from hydra.core.config_loader import ConfigLoader
from hydra.errors import HydraException, MissingConfigException
from omegaconf.errors import OmegaConfBaseException

from nnjax.cli.hydra_internals import Glob, Override, OverridesParser, Sweep, create_functions, group_options
from nnjax.cli.json_values import corrected, from_json
from nnjax.cli.provenance import COMMAND_LINE, Default, read_defaults
from nnjax.config.diagnostics import show
from nnjax.config.errors import ConfigError
from nnjax.config.paths import shown_path

HYDRA_ERRORS = (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError, TypeError, LookupError)
"""The exceptions that composing raises for a mistake in a file or an override."""

_PARAMS = "hydra.sweeper.params"

ON_COMMAND_LINE = f"(set on {COMMAND_LINE})"


def parse_override(text: str, loader: ConfigLoader) -> Override:
    """Reads one ``key=value``.

    Raises:
        ConfigError: if Hydra cannot read it.
    """
    try:
        override = OverridesParser.create(loader).parse_override(text)
        override.config_loader = loader  # parse_override does not pass it on, and glob() needs it
    except HydraException as error:
        if fixed := corrected(text, lambda other: _reads(other, loader)):
            reason = f"cannot be read; keys stand without quotes: {shlex.quote(fixed)}"
        elif name := re.search(r"Unknown function '(.+)'", str(error)):
            functions = sorted(create_functions().functions)
            reason = f"no such function;{_nearest(name[1], functions)} allowed: {', '.join(functions)}"
        elif said := re.search(r"while evaluating '.*': (.+)", str(error)):
            reason = "glob() cannot stand inside another function" if "Glob is incompatible" in said[1] else said[1]
        elif "=" in text:
            reason = "cannot be read; check its brackets, commas and quotes, and quote it for the shell: 'key=[1,2]'"
        else:
            owners = [f"{group}={text}" for group in groups(loader) if text in options(loader, group)]
            reason = f"no key=value; did you mean {owners[0]}?" if owners else "no key=value"
        raise ConfigError(f"{text}: {reason} {ON_COMMAND_LINE}") from error
    value = override.value()
    if isinstance(value, list | dict) and _holds_sweep(value):
        raise ConfigError(f"{text}: a list holds values, and a sweep is none; write KEY=[1,2],[1,3] with -m {ON_COMMAND_LINE}")
    return override


def _holds_sweep(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_sweep, value.values()))
    return any(map(_holds_sweep, value)) if isinstance(value, list) else isinstance(value, Sweep | Glob)


def readable(text: str, loader: ConfigLoader) -> str:
    """Translates an override whose value is JSON into Hydra's grammar; returns any other unchanged."""
    return from_json(text, lambda other: _reads(other, loader))


def _reads(text: str, loader: ConfigLoader) -> bool:
    try:
        OverridesParser.create(loader).parse_override(text)
    except HydraException:
        return False
    return True


def check_overrides(texts: Sequence[str], loader: ConfigLoader, *, sweep: bool = False) -> None:
    """Refuses overrides that cannot be composed with any files.

    Args:
        texts: the overrides of the command line.
        loader: finds the groups and their options.
        sweep: whether several values may be given to a key.

    Raises:
        ConfigError: for the first wrong override.
    """
    for text in texts:
        override = parse_override(text, loader)
        value, group = override.value(), override.key_or_group
        if group.startswith(_PARAMS) and not override.is_delete() and value is not None:
            raise ConfigError(f"{text}: belongs in a file; write -m {_swept(override)} {ON_COMMAND_LINE}")
        if override.is_sweep_override():
            if sweep and override.is_hydra_override():
                reason = "one value of Hydra's own settings holds for a whole sweep; give one, in quotes if it holds a comma"
                raise ConfigError(f"{text}: {reason} {ON_COMMAND_LINE}")
            if not sweep:
                ways = "add -m to run each of them"
                if not options(loader, group):
                    ways += f", or write {group}=[…] for a list"
                raise ConfigError(f"{text}: several values for one key; {ways} {ON_COMMAND_LINE}")
        elif text.endswith("=") and value == "":
            raise ConfigError(f"{text}: the value is missing {ON_COMMAND_LINE}")
        elif is_group(override, loader) and not override.is_delete():
            if not isinstance(value, str) or value not in options(loader, group):
                raise no_such_option(group, value, loader, ON_COMMAND_LINE)
            nested = "/" in group  # no file has a default for these, so an option is added: +training/stop=mine
            if override.is_force_add() or (override.is_add() and not nested):
                raise ConfigError(f"{text}: a group is chosen without a plus; write {group}={value} {ON_COMMAND_LINE}")


def _swept(override: Override) -> str:
    """A file's sweep as it is written on the command line."""
    key, value = override.key_or_group.removeprefix(_PARAMS).lstrip("."), override.value()
    if isinstance(value, dict):
        return " ".join(f"{name}={show(values)}" for name, values in value.items())
    values = override.get_value_string().strip("'\"")
    return f"{key}={values}" if key else "KEY=VALUE,VALUE"


def with_none(text: str, loader: ConfigLoader) -> str:
    """``group=null`` as ``group=none`` where the group has such an option, since Hydra chooses options by name only."""
    group, _, value = text.partition("=")
    values = [item.strip() for item in value.split(",")]
    if "null" not in values or "none" not in options(loader, group):
        return text
    return f"{group}={','.join('none' if item == 'null' else item for item in values)}"


def is_group(override: Override, loader: ConfigLoader) -> bool:
    """Whether an override chooses an option, instead of setting a value."""
    return not isinstance(override.value(), dict) and bool(options(loader, override.key_or_group))


def forced(text: str, loader: ConfigLoader) -> str:
    """An override that sets a key whether or not the files hold it; returns any other than a plain value unchanged."""
    override = parse_override(text, loader)
    plain = not (override.is_add() or override.is_force_add() or override.is_delete() or override.is_hydra_override())
    return f"++{text}" if plain and not is_group(override, loader) else text


def groups(loader: ConfigLoader) -> list[str]:
    """The names of the groups, without Hydra's own."""
    return [group for group in loader.list_groups("") if group != "hydra"]


def options(loader: ConfigLoader, group: str) -> list[str]:
    """The names of a group's options; empty where there is no such group."""
    return sorted(group_options(loader, group))


def no_such_option(group: str, option: object, loader: ConfigLoader, place: str) -> ConfigError:
    """The error for an option that a group does not have."""
    allowed = options(loader, group)
    option = "null" if option is None else option
    hint = _nearest(str(option), allowed)
    return ConfigError(f"{group}={option}: no such option;{hint} allowed: {', '.join(allowed)} {place}")


def cannot_override(error: Exception) -> bool:
    """Whether Hydra refused to set a key because the files do not hold it."""
    return str(error).startswith("Could not override") and error.__cause__ is not None


def translate(
    error: Exception, overrides: Sequence[str], loader: ConfigLoader, composes: Callable[[Sequence[str]], bool]
) -> ConfigError:
    """Translates an exception of composing into a config error.

    Args:
        error: one of HYDRA_ERRORS.
        overrides: those that were composed.
        loader: the loader that composed them.
        composes: whether composing succeeds with other overrides.
    """
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return ConfigError(f"{shown_path(Path(mark.name))}:{mark.line + 1}: no valid YAML: {error.problem}")
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, option = error.missing_cfg_file.rpartition("/")
        if entry := next((item for item in _defaults(loader) if (item.group, item.option) == (group, option)), None):
            return _wrong_default(entry, loader)
    tells = not str(error).startswith("Error merging override") and str(error)
    text = tells or str(error.__cause__) or type(error).__name__
    message = text.replace(":\n", ": ", 1).splitlines()[0]  # a line that ends in a colon is incomplete without the next
    if match := re.match(r"In '?(?P<file>[\w/.-]+?)'?: (?P<what>.*)", message):
        file, what = match["file"], match["what"]
        for path in (path for path, name in _files(loader) if name == file):
            for entry in read_defaults(path, file):
                if what.startswith(f"Could not override '{entry.group}'"):
                    return _wrong_default(entry, loader)
            return ConfigError(f"{shown_path(path)}: {what}")
    # Groups first, as Hydra does: whether a key is there depends on the options chosen.
    ordered = sorted(overrides, key=lambda text: not is_group(parse_override(text, loader), loader))
    sound, broken = 0, len(ordered)
    if not composes([]):
        return ConfigError(f"the config cannot be composed: {message}")
    while broken - sound > 1:
        middle = (sound + broken) // 2
        sound, broken = (middle, broken) if composes(ordered[:middle]) else (sound, middle)
    text = ordered[sound]
    return ConfigError(f"{text}: {_reason(message, text)} {ON_COMMAND_LINE}")


def _reason(message: str, text: str) -> str:
    """The reason for which an override was refused, from Hydra's message."""
    if message.startswith("Could not override"):
        return "unknown key"
    if message.startswith("Could not delete"):
        return "it has another value" if "The value of" in message else "unknown key"
    if message.startswith("Cannot merge DictConfig with ListConfig"):
        key, _, value = text.partition("=")
        return (
            f"must be a list; write {key}=[{value}]" if value.startswith("{") else "must be a group: {key: value, …}, no list"
        )
    if "An item is already at" in message:
        return f"the key is there already; write {text.lstrip('+')}"
    if re.search(r"\bindex\b|indices must be|for int\(\)", message, re.IGNORECASE):
        return "write the whole list, without it" if text.startswith("~") else "the list has no such item"
    return message


def _wrong_default(entry: Default, loader: ConfigLoader) -> ConfigError:
    place = f"(set in {entry.place})"
    if entry.option in options(loader, entry.group):
        return ConfigError(f"{entry.group}={entry.option}: is a group of another verb {place}")
    if options(loader, entry.group):
        return no_such_option(entry.group, entry.option, loader, place)
    allowed = groups(loader)
    hint = _nearest(entry.group, allowed)
    return ConfigError(f"{entry.group}={entry.option}: no such group;{hint} allowed: {', '.join(allowed)} {place}")


def _nearest(word: str, allowed: Sequence[str]) -> str:
    near = get_close_matches(word, allowed, n=1)
    return f" did you mean {near[0]}?" if near else ""


def _files(loader: ConfigLoader) -> Iterator[tuple[Path, str]]:
    """The config files, with their names in the config folder."""
    for source in loader.get_sources():
        if source.scheme() == "file":
            for path in sorted(Path(source.path).rglob("*.yaml")):
                yield path, path.relative_to(source.path).with_suffix("").as_posix()


def _defaults(loader: ConfigLoader) -> Iterator[Default]:
    for path, name in _files(loader):
        yield from read_defaults(path, name)
