"""Composes a verb's YAML files and overrides with Hydra, and parses them into its typed, checked config.

config = compose_train(["model=fnn", "data=mnist", "training.duration=5epochs"])
config.model.hidden                      # (256,)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from hydra.core.config_loader import ConfigLoader
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from nnjax.checks.verb_checks import check
from nnjax.cli.forbid_targets import refuse_code, refuse_packages
from nnjax.cli.hydra_internals import new_config_loader
from nnjax.cli.overrides import (
    HYDRA_ERRORS,
    ON_COMMAND_LINE,
    cannot_override,
    check_overrides,
    forced,
    is_group,
    parse_override,
    readable,
    translate,
    with_none,
)
from nnjax.cli.plugins import registered_option, values_and_place
from nnjax.cli.provenance import COMMAND_LINE, Provenance, Setting, read_defaults
from nnjax.config.diagnostics import Problem
from nnjax.config.errors import ConfigError
from nnjax.config.parsing import Origins, option_names, parse
from nnjax.config.paths import file_name, shown_path
from nnjax.config.schema import PrepareConfig, TrainConfig

T = TypeVar("T")

# A dataset's file overrides these groups for training; preparing composes them only because of those lines.
_WITHOUT_USE: dict[type, frozenset[str]] = {PrepareConfig: frozenset({"loss", "optimizer", "schedule", "training"})}


def conf_dir() -> Path:
    """The folder of the YAML files: the project's, or the copy inside an installed package."""
    package = Path(__file__).resolve().parents[1]
    return package / "conf" if (package / "conf").is_dir() else package.parent / "conf"


def project_root() -> Path:
    """The folder that holds ``conf/`` and ``pyproject.toml``; the current one where the package is installed elsewhere."""
    root = conf_dir().parent
    return root if (root / "pyproject.toml").is_file() else Path.cwd()


def compose_config(verb: str, overrides: Sequence[str], schema: type[T], directories: Sequence[Path] = ()) -> T:
    """A verb's typed and checked config.

    Args:
        verb: names the root file, ``conf/VERB.yaml``.
        overrides: as on the command line, without sweeps.
        schema: the dataclass of the whole config.
        directories: config folders; the project's if empty.

    Raises:
        ConfigError: for anything wrong in the files or the overrides.
    """
    composition = compose(verb, overrides, directories)
    config = parse(schema, composition.values(schema), composition)
    check(config, composition)
    return config


def compose_train(overrides: Sequence[str] = ()) -> TrainConfig:
    """The config that ``python -m experiments.train OVERRIDES`` trains.

    Raises:
        ConfigError: as `compose_config`.
    """
    return compose_config("train", overrides, TrainConfig)


@dataclass(frozen=True)
class Composition:
    """A composed config, and where each of its values was set.

    Attributes:
        verb: names the root file.
        overrides: in the form that Hydra was given.
        job: the config, untyped.
        hydra: Hydra's own settings.
    """

    verb: str
    overrides: tuple[str, ...]
    job: DictConfig
    hydra: DictConfig

    def values(self, schema: type) -> dict[str, Any]:
        """The config as plain data, without the groups that the schema does not have.

        Raises:
            ConfigError: for an interpolation of a key that does not exist, an option or override of a group that the schema
                does not have, or an experiment whose file lacks its package line.
        """
        values = resolve(self.job, self)
        choices, unused = self.hydra.runtime.choices, self.unused(schema)
        for text in self.overrides if unused else ():
            if parse_override(text, config_loader(self.directories)).key_or_group.partition(".")[0] in unused:
                raise ConfigError(f"{text}: unknown key {ON_COMMAND_LINE}")
        if "experiment" in values and (path := self._file(f"experiment/{choices.get('experiment')}")):
            reason = f"{shown_path(path)} must begin with the line '# @package _global_', as it sets keys of all groups"
            raise ConfigError(Problem("experiment", choices["experiment"], reason).line(self))
        for group, names in option_names(schema).items():
            chosen, value = choices.get(group), values.get(group)
            if chosen not in names and isinstance(value, dict) and value.get("name") == chosen:
                raise ConfigError(Problem(group, chosen, f"must be one of {', '.join(names)}").line(self))
        return {key: value for key, value in values.items() if key not in unused}

    def unused(self, schema: type) -> frozenset[str]:
        """The groups that are composed only because a file of another group overrides them."""
        return _WITHOUT_USE.get(schema, frozenset())

    @property
    def directories(self) -> tuple[Path, ...]:
        """The config folders, in the order in which they are searched."""
        return tuple(Path(source.path) for source in self.hydra.runtime.config_sources if source.schema == "file")

    def describe(self, key: str) -> str | None:
        """Where a key was set last; None if it was not."""
        return self.provenance.describe(key)

    @cached_property
    def provenance(self) -> Provenance:
        """Every setting of every key; read on demand, since only errors and ``--explain`` need it."""
        provenance = Provenance()
        loader = config_loader(self.directories)
        found = loader.compute_defaults_list(self.verb, list(self.overrides), RunMode.RUN)
        entries = []
        for default in found.defaults:
            path = self._file(str(default.config_path))
            if path is not None and not (default.package or "").startswith("hydra"):
                provenance.add_file(path, default.package or "")
                entries += [(default.config_path, entry) for entry in read_defaults(path, str(default.config_path))]
            elif path is None and (added := registered_option(str(default.config_path))) is not None:
                provenance.add_values(default.package or "", *values_and_place(added))
        for group, option in found.overrides.known_choices.items():
            metadata = found.overrides.override_metadata.get(group)
            here = [(file, Setting(entry.option, entry.place)) for file, entry in entries if entry.group == group]
            # the file that decided comes first, the root file's default last
            chooser = metadata.containing_config_path if metadata else None
            here.sort(key=lambda item: (item[0] != chooser, item[0] == self.verb))
            by_hand = [Setting(option, COMMAND_LINE)] if metadata and metadata.external_override else []
            provenance.add_choice(group, by_hand + [setting for _, setting in here])
        for override in (parse_override(text, loader) for text in self.overrides):
            if override.is_delete():
                provenance.add_removal(override.key_or_group)
            elif not is_group(override, loader):
                provenance.add_override(override.key_or_group, override.value())
        return provenance

    def _file(self, name: str) -> Path | None:
        """The file that has this name in the config folders; None for a file of Hydra's own."""
        paths = (directory / f"{name}.yaml" for directory in self.directories)
        return next((path for path in paths if path.is_file()), None)


def override_texts(settings: DictConfig, kind: str) -> list[str]:
    """The overrides that Hydra was given, as they were written: its own (``hydra``), or those of the config (``task``)."""
    texts: Any = OmegaConf.to_container(settings.overrides[kind], resolve=False)
    return list(texts)


def resolve(config: DictConfig, origins: Origins) -> dict[str, Any]:
    """A config as plain data, with its interpolations resolved.

    Raises:
        ConfigError: for an interpolation of a key that does not exist.
    """
    try:
        values: Any = OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        key = str(error.full_key).replace("[", ".").replace("]", "")
        parent, _, leaf = key.rpartition(".")
        raw: Any = OmegaConf.to_container(OmegaConf.select(config, parent), resolve=False)
        value = raw[int(leaf) if isinstance(raw, list) else leaf]
        reason = str(error).splitlines()[0]
        raise ConfigError(Problem(key, value, reason).line(origins)) from error
    return values  # type: ignore[no-any-return]


def compose(
    verb: str,
    overrides: Sequence[str],
    directories: Sequence[Path] = (),
    run_mode: RunMode = RunMode.RUN,
    loader: ConfigLoader | None = None,
) -> Composition:
    """Composes a verb's config, without the schema.

    Args:
        verb: names the root file.
        overrides: as on the command line.
        directories: config folders; the project's if empty.
        run_mode: MULTIRUN leaves out the keys that are swept over.
        loader: of `config_loader(directories)`, for many compositions; None makes one.

    Raises:
        ConfigError: if Hydra refuses a file or an override.
    """
    loader = loader or config_loader(directories)
    overrides = [with_none(readable(text, loader), loader) for text in overrides]
    check_overrides(overrides, loader, sweep=run_mode == RunMode.MULTIRUN)

    def load(some: Sequence[str]) -> DictConfig:
        return loader.load_configuration(verb, list(some), run_mode)

    def composes(some: Sequence[str]) -> bool:
        try:
            load(some)
        except HYDRA_ERRORS:
            return False
        return True

    try:
        refuse_packages(verb, overrides, loader)
        config = load(overrides)
    except HYDRA_ERRORS as error:
        # Hydra refuses a key that the files do not hold. Forced in with ++, the schema either refuses it with a suggestion
        # or accepts it, since an item of a list may leave out its defaults.
        with_plus = [forced(text, loader) for text in overrides]
        if cannot_override(error) and with_plus != overrides:
            return compose(verb, with_plus, directories, run_mode, loader)
        raise translate(error, overrides, loader, composes) from error
    refuse_code(config, loader)
    keys: list[Any] = [key for key in config if key != "hydra"]
    job = OmegaConf.masked_copy(config, keys)
    return Composition(verb, tuple(overrides), job, config.hydra)


def config_loader(directories: Sequence[Path] = ()) -> ConfigLoader:
    """Returns a loader that composes from these folders, the project's if there is none; the first that has a file counts."""
    OmegaConf.register_new_resolver("file_name", file_name, replace=True)
    return new_config_loader(directories or (conf_dir(),))
