"""The folder that a command works in: named on the command line, else a new one in the project.

folder = make_folder(settings, "run", composition, occupy, checkpoints=True)
release(folder)                                  # removes it if it is still empty
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from nnjax.cli.auto_resume import AUTO, settled
from nnjax.cli.compose import Composition, override_texts, project_root
from nnjax.cli.provenance import COMMAND_LINE
from nnjax.cli.runs import claim
from nnjax.config.diagnostics import Origins
from nnjax.config.errors import ConfigError
from nnjax.config.paths import check_holds_checkpoints, expanded
from nnjax.config.schema import TrainConfig


def given_override(composition: Composition, key: str) -> str | None:
    """Returns the override that sets one of Hydra's keys on the command line."""
    return next((text for text in override_texts(composition.hydra, "hydra") if text.lstrip("+").startswith(f"{key}=")), None)


def only_for_sweeps(composition: Composition) -> str | None:
    """Returns an override of one of Hydra's settings that only a sweep uses."""
    keys = ["hydra.sweep.subdir", "hydra.sweeper", "hydra/sweeper", "hydra.launcher", "hydra/launcher"]
    if not given_override(composition, "hydra.run.dir"):  # a command line may name both folders
        keys.append("hydra.sweep.dir")
    texts = override_texts(composition.hydra, "hydra")
    return next((text for text in texts if text.lstrip("+").startswith(tuple(keys))), None)


def resumed_or_new(config: TrainConfig, composition: Composition, origins: Origins) -> TrainConfig:
    """The config with the folder of the run to be resumed; None for a new one, as `resume=auto` may be."""
    if config.resume != AUTO:
        return config
    if not given_override(composition, "hydra.run.dir"):
        place = origins.describe("resume")
        where = f" (set {'on' if place == COMMAND_LINE else 'in'} {place})" if place else ""
        raise ConfigError(f"resume=auto: needs the run's folder, the same at each start; add hydra.run.dir=FOLDER{where}")
    return settled(config, _folder(composition.hydra, "run", composition), origins)


def make_folder(
    settings: Any, mode: str, composition: Composition, make: Callable[[Path, str], Path], *, checkpoints: bool
) -> Path:
    """Makes the folder for a run or a sweep: the one given on the command line with `make`, else a new one in the project.

    Raises:
        ConfigError: if no run can begin in it.
    """
    key, folder = f"hydra.{mode}.dir", _folder(settings, mode, composition)
    if checkpoints:
        check_holds_checkpoints(folder, key)
    return make(folder, key) if given_override(composition, key) else claim(folder, key)


def _folder(settings: Any, mode: str, composition: Composition) -> Path:
    """The folder for a run or a sweep, absolute."""
    key = f"hydra.{mode}.dir"
    pattern: Any = OmegaConf.to_container(settings[mode], resolve=False)
    try:
        folder = expanded(str(settings[mode].dir), key)
    except OmegaConfBaseException as error:
        raise ConfigError(f"{key}={pattern.get('dir')}: {str(error).splitlines()[0]}") from error
    return folder.absolute() if given_override(composition, key) else project_root() / folder


def worker_folder(search: Path) -> Path:
    """Makes the folder of a process that takes part in an earlier search, below the search's."""
    return claim(search / "workers" / f"{datetime.now():%Y-%m-%d_%H-%M-%S}", "resume")


def release(folder: Path | None) -> None:
    """Removes a claimed folder if it is still empty."""
    if folder is not None:
        with suppress(OSError):
            folder.rmdir()
