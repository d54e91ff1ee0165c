"""Hydra runs the jobs: one that is composed already, or whatever the arguments say, a sweep for one.

run_composed(job, composition, {"run.dir": "outputs/train/…"})
hand_over(job, "train", ["seed=0,1", setting("sweep.dir", "outputs/sweeps/…")], ["--multirun"])
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra._internal.hydra import Hydra
from hydra._internal.utils import run_and_report
from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import configure_log
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, flag_override

from nnjax.config.compose import VERSION_BASE, Composition, conf_dir, config_loader
from nnjax.config.job import Job


def run_composed(job: Job, composition: Composition, settings: Mapping[str, Path | str | None]) -> int:
    """Runs one job with the config that is composed already, which `hydra.main` would do twice more, in half a second.

    Args:
        job: what to run.
        composition: of the job; changed by the settings.
        settings: Hydra's own that are to be others: from keys below `hydra` to values.

    Returns:
        The exit code that Hydra asks for.
    """
    config: Any = composition.hydra._get_root()
    with flag_override(config, ["struct", "readonly"], False):
        for key, value in settings.items():
            OmegaConf.update(config.hydra, key, None if value is None else str(value))
            config.hydra.overrides.hydra.append(setting(key, value))
        config.hydra.overrides.hydra.append("hydra.mode=RUN")
        config.hydra.mode = RunMode.RUN

    class Composed(Hydra):
        def compose_config(self, *args: Any, with_log_configuration: bool = False, **kwargs: Any) -> DictConfig:
            if with_log_configuration:
                configure_log(config.hydra.hydra_logging, config.hydra.verbose)
            composed: DictConfig = config
            return composed

    runner = Composed(composition.verb, config_loader(composition.directories))
    GlobalHydra.instance().initialize(runner)
    try:
        run_and_report(lambda: runner.run(composition.verb, job, list(composition.overrides)))
    except SystemExit as end:
        return _exit_code(end)
    finally:
        GlobalHydra.instance().clear()
    return 0


def hand_over(job: Job, verb: str, overrides: Sequence[str], flags: Sequence[str]) -> int:
    """Lets Hydra compose and run what the arguments say; returns the exit code that it asks for."""
    sys.argv = [sys.argv[0], *overrides, *flags]
    try:
        hydra.main(config_path=str(conf_dir()), config_name=verb, version_base=VERSION_BASE)(job)()
    except SystemExit as end:
        return _exit_code(end)
    return 0


def setting(key: str, value: Path | str | None) -> str:
    """The override that gives a key below `hydra` a value."""
    return f"hydra.{key}=null" if value is None else quoted(f"hydra.{key}", value)


def quoted(key: str, value: Path | str) -> str:
    """The override that gives a key a value, in quotes, for Hydra's grammar stumbles over some."""
    text = str(value).replace("'", r"\'")
    return f"{key}='{text}'"


def _exit_code(end: SystemExit) -> int:
    return end.code if isinstance(end.code, int) else int(end.code is not None)
