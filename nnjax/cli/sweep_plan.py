"""Plans and checks the jobs of a `--multirun` before the first one trains; sums up their exit codes.

jobs = plan(TrainConfig, compose("train", ["seed=0,1"], run_mode=RunMode.MULTIRUN), print)
# [PlannedJob(("seed=0",), "0_seed-0"), PlannedJob(("seed=1",), "1_seed-1")]
"""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from omegaconf import OmegaConf

from nnjax.cli.compose import Composition, check, override_texts
from nnjax.cli.job import plain_values
from nnjax.cli.overrides import ON_COMMAND_LINE
from nnjax.cli.runs import CONFIG_FILE
from nnjax.cli.sweep_jobs import as_job, job_configs
from nnjax.cli.sweep_results import OUTCOME_FILE
from nnjax.config.errors import ConfigError, IncompatibleError
from nnjax.config.parsing import parse, to_mapping
from nnjax.config.paths import check_holds_checkpoints, check_name
from nnjax.config.schema import TrainConfig

_MOST_TOLD = 3


@dataclass(frozen=True)
class PlannedJob:
    """A job of a sweep.

    Attributes:
        overrides: the job's overrides, in Hydra's grammar.
        folder: its folder, inside the sweep's.
    """

    overrides: tuple[str, ...]
    folder: str


def plan(schema: type, sweep: Composition, tell: Callable[[str], object]) -> list[PlannedJob]:
    """The jobs of a sweep, in order.

    Args:
        schema: the schema of the jobs' configs.
        sweep: composed for a multirun, with the basic sweeper.
        tell: called with a line of text for what may be a mistake: equal jobs, sweeps that are replaced.

    Raises:
        ConfigError: for a mistake in any job, or if two share a folder. Incompatible values fail only their own job, later.
    """
    jobs: list[PlannedJob] = []
    first_of: dict[str, int] = {}
    again: list[str] = []
    for number, single in enumerate(job_configs(sweep, tell)):
        with as_job(single, number) as folder:
            check_name(folder, "hydra.sweep.subdir")
            if schema is TrainConfig:
                check_holds_checkpoints(Path(folder), "hydra.sweep.subdir")
            config = check_job(schema, single)
        jobs.append(PlannedJob(tuple(override_texts(single.hydra, "task")), folder))
        first = first_of.setdefault(json.dumps(to_mapping(config), sort_keys=True, default=str), number)
        if first != number:
            again.append(f"job {number} is the same as job {first}: {' '.join(jobs[-1].overrides)}")
    _check_folders(jobs)
    for line in again[:_MOST_TOLD]:
        tell(line)
    if len(again) > _MOST_TOLD:
        tell(f"{len(again) - _MOST_TOLD} more jobs are the same as earlier ones")
    return jobs


def check_job(schema: type, single: Composition) -> object:
    """Parses a job's config and checks it for mistakes that should stop the whole sweep.

    Raises:
        ConfigError: for a wrong key or value.
    """
    if resume := OmegaConf.to_container(single.job, resolve=False).get("resume"):  # type: ignore[union-attr]
        raise ConfigError(f"resume={resume}: a run is resumed by itself; leave out -m {ON_COMMAND_LINE}")
    values, origins = plain_values(schema, single)
    config: object = parse(schema, values, origins)
    with suppress(IncompatibleError):
        check(config, origins)
    return config


def check_unused(jobs: Sequence[PlannedJob], sweep_dir: Path) -> None:
    """Refuses a sweep that would overwrite an earlier run.

    Raises:
        ConfigError: if the folder of a job holds one.
    """
    for job in jobs:
        if any((sweep_dir / job.folder / name).exists() for name in (CONFIG_FILE, OUTCOME_FILE)):
            raise ConfigError(f"hydra.sweep.subdir={job.folder}: holds an earlier run; take another hydra.sweep.dir")


def sweep_exit_code(codes: Sequence[int]) -> int:
    """The exit code of a sweep: 0 if every job has 0, the code of those that failed if they agree.

    Else 75 if one was preempted, since the command is then worth repeating, and 1 for any other mixture.
    """
    failed = {code for code in codes if code}
    if len(failed) == 1:
        return failed.pop()
    return (75 if 75 in failed else 1) if failed else 0


def _check_folders(jobs: Sequence[PlannedJob]) -> None:
    owners: dict[PurePath, int] = {}
    for number, job in enumerate(jobs):
        path = PurePath(job.folder)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise ConfigError(f"hydra.sweep.subdir={job.folder}: must be a folder below hydra.sweep.dir")
        owner = owners.setdefault(path, number)
        if owner != number:
            reason = f"is the folder of job {owner} and of job {number}; put ${{hydra.job.num}} into it"
            raise ConfigError(f"hydra.sweep.subdir={job.folder}: {reason}")
    for path, number in owners.items():
        if outer := next((outer for outer in path.parents if outer in owners), None):
            reason = f"the folder of job {number} lies in that of job {owners[outer]}"
            raise ConfigError(f"hydra.sweep.subdir={path}: {reason}; put ${{hydra.job.num}} first into it")
