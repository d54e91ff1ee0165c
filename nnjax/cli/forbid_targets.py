"""Nothing in a config runs code: what Hydra would import or call for a file's sake is refused.

    refuse_packages("train", overrides, loader)    # before composing, which looks into the packages of hydra.searchpath
    refuse_code(config, loader)                    # after it

Hydra calls what `_target_` names for its own plugins, and Python's logging what `class` and `()` name.
"""

from collections.abc import Sequence

from hydra.core.config_loader import ConfigLoader
from omegaconf import Container, DictConfig, OmegaConf

from nnjax.cli.hydra_internals import OWN_PLUGINS, load_file
from nnjax.cli.overrides import parse_override
from nnjax.config.errors import ConfigError

_PLUGINS = (OWN_PLUGINS, "hydra_plugins.")


def refuse_packages(verb: str, overrides: Sequence[str], loader: ConfigLoader) -> None:
    """Refuses to search for configs in packages, for looking into one imports it.

    Args:
        verb: names the root file, the only one whose `hydra.searchpath` counts.
        overrides: as on the command line.
        loader: finds the root file.

    Raises:
        ConfigError: if `hydra.searchpath` holds anything but folders.
    """
    root = load_file(loader, verb)
    found = [OmegaConf.select(root.config, "hydra.searchpath")] if root and OmegaConf.is_dict(root.config) else []
    for override in (parse_override(text, loader) for text in overrides):
        if override.key_or_group == "hydra.searchpath":
            found.append(override.value())
    for path in (
        str(path) for paths in found for path in (paths if OmegaConf.is_list(paths) or isinstance(paths, list) else ())
    ):
        if "://" in path and not path.startswith("file://"):
            raise ConfigError(f"hydra.searchpath={path}: must be a folder, as looking for configs in a package runs its code")


def refuse_code(config: DictConfig, loader: ConfigLoader) -> None:
    """Refuses a composed config that names code of its own.

    Raises:
        ConfigError: for a launcher or sweeper that is no plugin, a callback, or logging other than as Hydra ships it.
    """
    for key in ("launcher", "sweeper"):
        target = OmegaConf.select(config, f"hydra.{key}._target_")
        if not str(target).startswith(_PLUGINS):
            raise ConfigError(f"hydra.{key}._target_={target}: no plugin of Hydra's; choose one with hydra/{key}=NAME")
    if config.hydra.callbacks:
        raise ConfigError(f"hydra.callbacks={config.hydra.callbacks}: a config may not name code")
    for key in ("hydra_logging", "job_logging"):
        option = f"hydra/{key}/{config.hydra.runtime.choices[f'hydra/{key}']}"
        shipped = load_file(loader, option)
        if shipped is None or shipped.path.startswith("file://") or _raw(shipped.config) != _raw(config.hydra[key]):
            raise ConfigError(f"hydra.{key}: may name code, so it is taken as Hydra ships it; choose it with hydra/{key}=NAME")


def _raw(config: Container) -> object:
    return OmegaConf.to_container(config, resolve=False)
