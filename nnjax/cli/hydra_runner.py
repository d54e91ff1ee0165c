"""Runs jobs through Hydra: one composed job, the listed jobs of a sweep, or whatever the arguments ask of Hydra.

run_composed(job, composition, {"run.dir": "outputs/train/…"})
run_jobs(job, composition, [("seed=0",), ("seed=1",)], "outputs/sweeps/…")
hand_over(job, "train", ["seed=0,1", setting("sweep.dir", "outputs/sweeps/…")], ["--multirun"])
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf, flag_override

from nnjax.cli.compose import Composition, conf_dir, config_loader
from nnjax.cli.hydra_internals import VERSION_BASE, Callbacks, Hydra, configure_log, run_and_report, wrapped_reports
from nnjax.cli.job import Job
from nnjax.cli.process import complain
from nnjax.cli.sweep_workers import explained
from nnjax.config.errors import ConfigError
from nnjax.config.paths import shown_path, why

_RUN_DIR = "hydra.run.dir"


def run_composed(job: Job, composition: Composition, settings: Mapping[str, Path | str | None]) -> int:
    """Runs one job with its composed config; `hydra.main` would compose it twice more, in half a second.

    Args:
        job: what to run.
        composition: of the job; changed by the settings.
        settings: Hydra's own settings to change: from keys below `hydra` to values.

    Returns:
        The exit code that Hydra returns.
    """
    config = _with_settings(composition, settings, RunMode.RUN)

    class Composed(Hydra):
        def compose_config(self, *args: Any, with_log_configuration: bool = False, **kwargs: Any) -> DictConfig:
            if with_log_configuration:
                configure_log(config.hydra.hydra_logging, config.hydra.verbose)
            composed: DictConfig = config
            return composed

    runner = Composed(composition.verb, config_loader(composition.directories))
    GlobalHydra.instance().initialize(runner)
    try:
        with _answered(_RUN_DIR):
            run_and_report(lambda: runner.run(composition.verb, job, list(composition.overrides)))
    except SystemExit as end:
        return _exit_code(end)
    finally:
        GlobalHydra.instance().clear()
    return 0


def run_jobs(job: Job, composition: Composition, jobs: Sequence[Sequence[str]], sweep_dir: Path) -> int:
    """Runs the listed jobs of a sweep with the configured launcher.

    Args:
        job: what to run.
        composition: of the sweep, for a multirun; changed by its folder.
        jobs: each job's overrides, without Hydra's own.
        sweep_dir: the sweep's folder.

    Returns:
        The exit code that Hydra returns.
    """
    config = _with_settings(composition, {"sweep.dir": sweep_dir}, RunMode.MULTIRUN)
    runner = Hydra(composition.verb, config_loader(composition.directories))
    size = config.hydra.sweeper.get("max_batch_size") or len(jobs)

    def launch() -> None:
        configure_log(config.hydra.hydra_logging, config.hydra.verbose)
        context = HydraContext(config_loader=runner.config_loader, callbacks=Callbacks(config))
        launcher = Plugins.instance().instantiate_launcher(hydra_context=context, task_function=job, config=config)
        OmegaConf.save(config, sweep_dir / "multirun.yaml")
        try:
            for first in range(0, len(jobs), size):
                for ended in launcher.launch(jobs[first : first + size], initial_job_idx=first):
                    _ = ended.return_value  # raises what the job raised
        except Exception as error:
            if (line := explained(error)) is None:
                raise
            complain(line)
            raise SystemExit(1) from error

    GlobalHydra.instance().initialize(runner)
    try:
        with _answered("hydra.sweep.subdir"):
            run_and_report(launch)
    except SystemExit as end:
        return _exit_code(end)
    finally:
        GlobalHydra.instance().clear()
    return 0


def hand_over(job: Job, verb: str, overrides: Sequence[str], flags: Sequence[str], folder: str = _RUN_DIR) -> int:
    """Has Hydra compose and run the arguments; returns its exit code.

    Raises:
        ConfigError: if a folder cannot be made; `folder` is the key that names it.
    """
    sys.argv = [sys.argv[0], *overrides, *flags]
    try:
        with _answered(folder):
            hydra.main(config_path=str(conf_dir()), config_name=verb, version_base=VERSION_BASE)(job)()
    except SystemExit as end:
        return _exit_code(end)
    return 0


def _with_settings(composition: Composition, settings: Mapping[str, Path | str | None], mode: RunMode) -> Any:
    """The whole config, Hydra's own settings changed in place: from keys below `hydra` to values."""
    config: Any = composition.hydra._get_root()
    with flag_override(config, ["struct", "readonly"], False):
        for key, value in settings.items():
            OmegaConf.update(config.hydra, key, None if value is None else str(value))
            config.hydra.overrides.hydra.append(setting(key, value))
        config.hydra.overrides.hydra.append(f"hydra.mode={mode.name}")
        config.hydra.mode = mode
    return config


def setting(key: str, value: Path | str | None) -> str:
    """The override that gives a key below `hydra` a value."""
    return f"hydra.{key}=null" if value is None else quoted(f"hydra.{key}", value)


def quoted(key: str, value: Path | str) -> str:
    """The override that gives a key a value, in quotes, which Hydra's grammar needs for some values."""
    text = str(value).replace("'", r"\'")
    return f"{key}='{text}'"


class _PathError(BaseException):
    """Carries an error past Hydra, which would print the traceback of any `Exception`."""

    def __init__(self, error: OSError) -> None:
        self.error = error


@contextmanager
def _answered(key: str) -> Iterator[None]:
    """Reports a folder or file that Hydra could not make in one line.

    Args:
        key: the key that names the folder.

    Raises:
        ConfigError: if Hydra cannot make a folder or file before or after a job.
    """

    def guarded(function: Callable[[], Any]) -> Any:
        try:
            return function()
        except OSError as error:
            raise _PathError(error) from error

    try:
        with wrapped_reports(guarded):
            yield
    except _PathError as problem:
        named = problem.error.filename
        reason = f"cannot be made: {why(problem.error)}"
        raise ConfigError(f"{key}{f'={shown_path(Path(os.fsdecode(named)))}' if named else ''}: {reason}") from problem.error


def _exit_code(end: SystemExit) -> int:
    return end.code if isinstance(end.code, int) else int(end.code is not None)
