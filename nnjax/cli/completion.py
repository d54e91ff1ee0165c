"""Completion by Tab: `-sc install=bash` prints what a shell has to evaluate, `-sc query=bash` what can follow a command line.

    eval "$(python -m experiments.train -sc install=bash)"        # all verbs, also those of nnjax
    COMP_LINE="train model=c" python -m experiments.train -sc query=bash      # model=cnn

Flag and variable are Hydra's, whose own completion covers neither `python -m` nor a program with verbs, fails after a flag or a
word without "=", offers groups that the verb refuses, and takes twice as long. Nothing here runs a plugin.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from omegaconf import OmegaConf

from nnjax.cli.compose import Composition, compose, conf_dir
from nnjax.cli.help import offered
from nnjax.config.annotations import hints_of, is_mapping, options_of
from nnjax.config.errors import ConfigError

SHELLS = ("bash", "zsh", "fish")
FLAGS = ("--cfg", "--config-dir", "--explain", "--help", "--info", "--multirun")


def script(request: str) -> str:
    """What a shell evaluates to complete the verbs from now on, or no longer.

    Args:
        request: `install=SHELL` or `uninstall=SHELL`.

    Raises:
        ConfigError: for anything else.
    """
    action, _, shell = request.partition("=")
    if action not in ("install", "uninstall") or shell not in SHELLS:
        raise ConfigError(
            f"{f'-sc {request}'.rstrip()}: must be install=SHELL or uninstall=SHELL, for one of {', '.join(SHELLS)}"
        )
    file = "nnjax" if action == "install" else "uninstall"
    text = (Path(__file__).parent / "shells" / f"{file}.{shell}").read_text(encoding="utf-8")
    verbs = sorted(path.stem for path in conf_dir().glob("*.yaml"))
    modules = ["experiments", *(f"experiments.{verb}" for verb in verbs)]
    return text.replace("@VERBS@", " ".join(verbs)).replace("@MODULES@", " ".join(modules)).rstrip()


def candidates(verb: str, schema: type, line: str) -> list[str]:
    """What the last word of a command line can become: flags, groups, options, keys, values.

    Args:
        verb: names the root config.
        schema: the verb's config.
        line: the command line up to the cursor, from the verb on.
    """
    words = line.split()[1:]
    word = words.pop() if words and not line[-1:].isspace() else ""
    if word.startswith("-"):
        return [flag for flag in FLAGS if flag.startswith(word)]
    lead = word[: len(word) - len(word.lstrip("+~"))]
    composition = _composed(verb, words)
    key, equals, start = word.removeprefix(lead).partition("=")
    if equals:
        before, comma, start = start.rpartition(",")
        values = offered(composition, schema).get(key) or _values(schema, composition.job, key)
        return [f"{lead}{key}={before}{comma}{value}" for value in values if value.startswith(start)]
    return sorted(f"{lead}{name}" for name in _names(composition, schema) if name.startswith(key) and _is_next(name, key))


def _composed(verb: str, words: Sequence[str]) -> Composition:
    overrides = [word for word in words if "=" in word and not word.startswith("-")]
    try:
        return compose(verb, overrides)
    except ConfigError:
        return compose(verb, ())


def _names(composition: Composition, schema: type) -> Iterator[str]:
    """Groups and keys, with what follows each: "=" before a value, "." before the keys of a group."""
    for group in offered(composition, schema):
        yield f"{group}="
    yield from (name for name in _keys(OmegaConf.to_container(composition.job)) if _first(name) in hints_of(schema))


def _keys(values: Any, key: str = "") -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield f"{key}{name}."
            yield from _keys(value, f"{key}{name}.")
        else:
            yield f"{key}{name}="


def _first(name: str) -> str:
    return name.rstrip("=").partition(".")[0]


def _is_next(name: str, typed: str) -> bool:
    """Whether a name is longer than what was typed, by one step at most."""
    return name != typed and "." not in name[len(typed) : -1]


def _values(schema: Any, job: Any, key: str) -> list[str]:
    """The values of a key: those that its type lists, else the one that it has."""
    annotation, value = schema, job
    for name in key.split("."):
        if members := options_of(annotation):
            annotation = members.get(value.get("name"))
        if not is_mapping(annotation) or name not in hints_of(annotation) or not OmegaConf.is_dict(value):
            return []
        annotation, value = hints_of(annotation)[name], value.get(name)
    listed = list(_listed(annotation))
    scalar = value is not None and not OmegaConf.is_config(value)
    return listed or ([_text(value)] if scalar else [])


def _listed(annotation: Any) -> Iterator[str]:
    if get_origin(annotation) in (Union, UnionType):
        for kind in get_args(annotation):
            yield from _listed(kind)
    elif get_origin(annotation) is Literal:
        yield from map(_text, get_args(annotation))
    elif annotation is bool:
        yield from ("true", "false")
    elif annotation is type(None):
        yield "null"


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
