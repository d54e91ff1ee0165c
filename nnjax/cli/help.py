"""The help pages of a verb: `--help` with the groups, `--cfg job`, and `--explain` with each value's origin."""

import sys
import textwrap
from collections.abc import Iterator, Mapping
from string import Template

from omegaconf import OmegaConf

from nnjax.cli.compose import Composition, config_loader
from nnjax.cli.overrides import groups, options
from nnjax.cli.provenance import Provenance
from nnjax.config.diagnostics import show
from nnjax.config.errors import ConfigError
from nnjax.config.parsing import option_names
from nnjax.config.schema import Config
from nnjax.config.suggest import suggest

_WIDTH = 100


def help_text(composition: Composition, schema: type, command: str) -> str:
    """The verb's help: ``conf/hydra/help/VERB.yaml``, with the words that call it, its groups, and the options chosen."""
    template = Template(composition.hydra.help.template)
    return template.substitute(APP_CONFIG_GROUPS=_groups(composition, schema), COMMAND=command).rstrip()


def config_text(values: Mapping[str, object], package: str | None) -> str:
    """A config as YAML, or the part of it at or below a key.

    Raises:
        ConfigError: if there is no such key.
    """
    part = OmegaConf.select(OmegaConf.create(dict(values)), package or "")
    if part is None:
        raise ConfigError(f"--package {package}: unknown key, or null")
    return (OmegaConf.to_yaml(part) if OmegaConf.is_config(part) else str(part)).rstrip()


def print_explanation(key: str, values: Mapping[str, object], provenance: Provenance) -> None:
    """Prints a table: each value at or below a key, where it was set, and the values replaced.

    Args:
        key: dotted key; "" for all.
        values: the config, as plain data.
        provenance: the settings of every key.

    Raises:
        ConfigError: if there is no such key.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table

    known = dict(_leaves(values))
    shown = [name for name in _with_groups(known, provenance) if not key or f"{name}.".startswith(f"{key}.")]
    if not shown:
        near = suggest(key, known, siblings=values)
        raise ConfigError(f"--explain {key}: unknown key{f'; did you mean {near}?' if near else ''}")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("key", "value", "set in", "replaced"):
        table.add_column(title, overflow="fold")
    for name in shown:
        settings = provenance.history(name)
        value = known[name] if name in known else settings[0].value
        replaced = "\n".join(f"{show(setting.value)}  {setting.place}" for setting in settings[1:])
        table.add_row(name, show(value), settings[0].place if settings else provenance.describe(name), replaced)
    Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else 160).print(table)


def offered(composition: Composition, schema: type) -> dict[str, list[str]]:
    """The options of each group that a verb has, without those that it refuses."""
    loader = config_loader(composition.directories)
    choices, unused = composition.hydra.runtime.choices, composition.unused(schema)
    shown = {}
    for group in groups(loader):
        if group in choices and group not in unused:
            refused = {*option_names(Config).get(group, ())} - {*option_names(schema).get(group, ())}
            shown[group] = [option for option in options(loader, group) if option not in refused]
    return shown


def _groups(composition: Composition, schema: type) -> str:
    shown, choices = offered(composition, schema), composition.hydra.runtime.choices
    margin = max(map(len, shown), default=0) + 2
    lines = []
    for group, names in shown.items():
        words = ", ".join(f"*{option}" if option == choices[group] else option for option in names)
        lines.append(textwrap.fill(f"{group:<{margin}}{words}", _WIDTH - 2, subsequent_indent=" " * margin))
    return textwrap.indent("\n".join(lines), "  ")


def _leaves(values: Mapping[str, object], key: str = "") -> Iterator[tuple[str, object]]:
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{key}{name}.")
        else:
            yield f"{key}{name}", value


def _with_groups(known: Mapping[str, object], provenance: Provenance) -> Iterator[str]:
    """The keys, each group's before those in it."""
    group = ""
    for name in known:
        first = name.partition(".")[0]
        if first != group and first != name and provenance.history(first):
            yield first
        group = first
        yield name
