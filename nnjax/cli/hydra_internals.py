"""Everything that nnjax takes from Hydra's private modules, in one place: what, why, and what breaks without it.

    from nnjax.cli.hydra_internals import Override, OverridesParser, new_config_loader

Other modules import Hydra's public API only: `hydra`, `hydra.types`, `hydra.errors`, `hydra.plugins`, and the interfaces
that its documentation gives to applications and plugins, `hydra.core.{config_loader, config_search_path, global_hydra,
hydra_config, plugins}`. tests/cli/test_hydra_internals.py holds that, and calls each name below as nnjax does, so
that its failures list what a new version of Hydra breaks. Checked with Hydra 1.3.2 to 1.3.8.

ConfigLoaderImpl, create_config_search_path, setup_globals, version.setbase
    compose outside a job. `hydra.compose` hides the defaults list, and with it the origin of each option. Without them, it
    would have to do, and `--explain` and "(set in FILE:LINE)" would go.
ConfigLoaderImpl.repository
    reads one file as Hydra finds it, also one that Hydra ships, and lists a group's options. Without it, a config could name
    code (`forbid_targets`), and `ConfigLoader.get_group_options` would list them, which takes several milliseconds a call.
OverridesParser, create_functions, Override, and the types of an override's value
    read `key=value` as Hydra reads it. Without them, no override is checked before composing, no job of a sweep is listed.
Quote, QuotedString
    write a text in the quotes of Hydra's grammar. Without them, JSON on the command line is not understood (`json_values`).
get_args_parser
    keeps Hydra's flags (`--multirun`, `--cfg`, …) those of the installed version. Without it, `command` has to declare them.
Hydra
    runs a config that is composed already; `hydra.main` composes it twice more, in half a second. Without it,
    `hydra_runner.run_composed` becomes `hydra_runner.hand_over`.
Callbacks, configure_log
    launch the jobs of a sweep that are listed already. Without them, `run_jobs` becomes `hand_over`.
BasicSweeper
    shows by its name whether the jobs of a sweep can be listed. Without it, every sweep is left to its sweeper.
VersionBase.version_base, ConfigStore.repo, BaseContainer._resolvers (of OmegaConf)
    hold state for the whole process, which `separate_state` saves and restores around a composition from Python. Without
    them, a composition still works, and leaves its version base, stored options and resolvers behind.
utils.run_and_report
    prints a traceback where Hydra cannot make a folder; nnjax prints one line. Without it, the traceback is back.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra.conf  # noqa: F401  (stores Hydra's own configs, which must not happen inside `separate_state`)
from hydra import version
from hydra._internal import utils
from hydra._internal.callbacks import Callbacks
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path, get_args_parser
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.core.config_store import ConfigStore
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser, create_functions
from hydra.core.override_parser.types import (
    ChoiceSweep,
    Glob,
    Override,
    Quote,
    QuotedString,
    RangeSweep,
    Sweep,
    Transformer,
)
from hydra.core.plugins import Plugins
from hydra.core.utils import configure_log, setup_globals
from hydra.plugins.config_source import ConfigResult, ConfigSource
from omegaconf.basecontainer import BaseContainer

__all__ = [
    "BASIC_SWEEPER",
    "OWN_PLUGINS",
    "VERSION_BASE",
    "Callbacks",
    "ChoiceSweep",
    "Glob",
    "Hydra",
    "Override",
    "OverridesParser",
    "Quote",
    "QuotedString",
    "RangeSweep",
    "Sweep",
    "Transformer",
    "configure_log",
    "create_functions",
    "get_args_parser",
    "group_options",
    "keep_files",
    "load_file",
    "new_config_loader",
    "run_and_report",
    "schema_exists",
    "separate_state",
    "wrapped_reports",
]

VERSION_BASE = "1.3"
"""The version of Hydra whose defaults hold, such as staying in the working directory."""

BASIC_SWEEPER = f"{BasicSweeper.__module__}.{BasicSweeper.__qualname__}"
"""The `_target_` of the sweeper that runs every combination of the values given."""

OWN_PLUGINS = "hydra._internal.core_plugins."
"""What the `_target_` of a launcher or sweeper that comes with Hydra begins with."""


def new_config_loader(directories: Sequence[Path]) -> ConfigLoader:
    """Returns a loader that composes from these folders; where several hold a file, the first folder's counts.

    Args:
        directories: at least one; the first is the application's own.
    """
    version.setbase(VERSION_BASE)
    setup_globals()
    first, *others = directories
    search_path = create_config_search_path(str(first))
    for directory in others:
        search_path.prepend("command-line", f"file://{directory}", SearchPathQuery(provider="schema"))
    return ConfigLoaderImpl(search_path)


def keep_files(loader: ConfigLoader) -> None:
    """Makes a loader read each file once, for the many compositions of a sweep; a file that changes later is not read again."""
    assert isinstance(loader, ConfigLoaderImpl)
    loader.repository = _KeptFiles(loader.repository.sources, {})


class _KeptFiles(ConfigRepository):
    """A repository that caches the files; each composition gets copies, which Hydra changes.

    Args:
        sources: the folders and stored configs, in order.
        read: the files read so far, by name; None for a file that is not there.
    """

    def __init__(self, sources: list[ConfigSource], read: dict[str, ConfigResult | None]) -> None:
        self.sources, self._read = sources, read

    def __deepcopy__(self, memo: dict[int, Any]) -> "_KeptFiles":
        return _KeptFiles(list(self.sources), self._read)  # Hydra copies it for each composition

    def initialize_sources(self, config_search_path: ConfigSearchPath) -> None:
        super().initialize_sources(config_search_path)  # of a composition with `hydra.searchpath`, which finds other files
        self._read = {}

    def load_config(self, config_path: str) -> ConfigResult | None:
        if config_path not in self._read:
            self._read[config_path] = super().load_config(config_path)
        return copy.deepcopy(self._read[config_path])


def load_file(loader: ConfigLoader, name: str) -> ConfigResult | None:
    """Reads a config file as it is written, by its name without the ending; None if there is no such file."""
    assert isinstance(loader, ConfigLoaderImpl)
    return loader.repository.load_config(name)


def schema_exists(loader: ConfigLoader, name: str) -> bool:
    """Whether a stored config of this name is merged with the file of the same name."""
    assert isinstance(loader, ConfigLoaderImpl)
    return bool(loader.repository.get_schema_source().is_config(name))


def group_options(loader: ConfigLoader, group: str) -> list[str]:
    """The names of a group's options; empty if there is no such group."""
    assert isinstance(loader, ConfigLoaderImpl)
    return list(loader.repository.get_group_options(group, ObjectType.CONFIG))


def run_and_report(function: Callable[[], Any]) -> Any:
    """Calls a function as Hydra does: an exception of it is printed without Hydra's own frames, and ends the process."""
    return utils.run_and_report(function)


@contextmanager
def wrapped_reports(wrap: Callable[[Callable[[], Any]], Any]) -> Iterator[None]:
    """Within this block, Hydra calls `wrap(function)` where it would call `function()` and report its exceptions."""
    report = utils.run_and_report
    utils.run_and_report = lambda func: report(lambda: wrap(func))
    try:
        yield
    finally:
        utils.run_and_report = report


@contextmanager
def separate_state() -> Iterator[None]:
    """Hides the configs that a program stored, and restores Hydra's state afterwards: a Hydra application may compose, too."""
    Plugins.instance()  # plugins may store configs of their own
    store, base = ConfigStore.instance(), version.VersionBase.instance()
    repository, version_base, resolvers = store.repo, base.version_base, dict(BaseContainer._resolvers)
    store.repo = {name: part for name, part in repository.items() if name in ("hydra", "_dummy_empty_config_.yaml")}
    try:
        yield
    finally:
        store.repo, base.version_base = repository, version_base
        BaseContainer._resolvers.clear()
        BaseContainer._resolvers.update(resolvers)
