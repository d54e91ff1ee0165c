"""Plans and checks the jobs of a `--multirun` before the first one trains; sums up their exit codes.

jobs = plan(TrainConfig, compose("train", ["seed=0,1"], run_mode=RunMode.MULTIRUN), print)
# [PlannedJob(("seed=0",), "0_seed-0"), PlannedJob(("seed=1",), "1_seed-1")]
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from omegaconf import OmegaConf

from nnjax.checks.plan import Plan
from nnjax.checks.verb_checks import check
from nnjax.cli.compose import Composition, override_texts
from nnjax.cli.job import plain_values
from nnjax.cli.overrides import ON_COMMAND_LINE
from nnjax.cli.runs import CONFIG_FILE
from nnjax.cli.sweep_file import StoredJob
from nnjax.cli.sweep_jobs import as_job, job_configs
from nnjax.cli.sweep_results import OUTCOME_FILE
from nnjax.cli.sweep_templates import Templates
from nnjax.config.diagnostics import Problem, raise_problems
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
        config: its parsed config.
        problem: why its values do not go together, in one line; None if they do.
        plan: sizes, steps and memory, of a job that trains; None for another, and where there is a problem.
    """

    overrides: tuple[str, ...]
    folder: str
    config: Any = field(default=None, compare=False, repr=False)
    problem: str | None = field(default=None, compare=False, repr=False)
    plan: Plan | None = field(default=None, compare=False, repr=False)


def plan(schema: type, sweep: Composition, tell: Callable[[str], object], *, keep_going: bool = False) -> list[PlannedJob]:
    """The jobs of a sweep, in order, all of them checked.

    Args:
        schema: the schema of the jobs' configs.
        sweep: composed for a multirun, with the basic sweeper.
        tell: called with a line of text for what may be a mistake: equal jobs, sweeps that are replaced.
        keep_going: whether values that do not go together fail only their own job, later.

    Raises:
        ConfigError: for a mistake in any job, or if two share a folder.
        IncompatibleError: for values that do not go together; it names the jobs.
    """
    jobs = _checked(schema, ((single, None) for single in job_configs(sweep, tell)))
    if not keep_going:
        _check_together(jobs)
    _check_folders(jobs)
    first_of: dict[str, int] = {}
    again = []
    for number, job in enumerate(jobs):
        first = first_of.setdefault(json.dumps(to_mapping(job.config), sort_keys=True, default=str), number)
        if first != number:
            again.append(f"job {number} is the same as job {first}: {' '.join(job.overrides)}")
    for line in again[:_MOST_TOLD]:
        tell(line)
    if len(again) > _MOST_TOLD:
        tell(f"{len(again) - _MOST_TOLD} more jobs are the same as earlier ones")
    return jobs


def plan_again(schema: type, sweep: Composition, stored: Sequence[StoredJob], *, keep_going: bool) -> list[PlannedJob]:
    """The jobs of an earlier sweep, in order, all of them checked again; each keeps its folder.

    Args:
        schema: the schema of the jobs' configs.
        sweep: composed for a multirun, with the overrides of the earlier one.
        stored: the jobs.
        keep_going: as for `plan`.

    Raises:
        ConfigError: as `plan`.
    """
    templates = Templates(sweep.verb, override_texts(sweep.hydra, "hydra"), sweep.directories)
    jobs = _checked(schema, ((templates.compose(job.overrides), job.folder) for job in stored))
    if not keep_going:
        _check_together(jobs)
    _check_folders(jobs)
    return jobs


def _checked(schema: type, singles: Iterable[tuple[Composition, str | None]]) -> list[PlannedJob]:
    """Parses and checks jobs in order, each with the folder that it has already, or None."""
    jobs = []
    for number, (single, folder) in enumerate(singles):
        with as_job(single, number) as named:
            folder = folder or named
            check_name(folder, "hydra.sweep.subdir")
            if schema is TrainConfig:
                check_holds_checkpoints(Path(folder), "hydra.sweep.subdir")
            config, problem, sizes = check_job(schema, single)
        jobs.append(PlannedJob(tuple(override_texts(single.hydra, "task")), folder, config, problem, sizes))
    return jobs


def check_job(schema: type, single: Composition) -> tuple[object, str | None, Plan | None]:
    """Parses and checks a job's config.

    Returns:
        The config; why its values do not go together, or None if they do; its plan, if it trains.

    Raises:
        ConfigError: for a wrong key or value, or several processes, which stops the whole sweep.
    """
    if (resume := _resume_of(single)) is not None:
        other = ", or name the folder of a sweep" if schema is TrainConfig else ""
        reason = f"a run is resumed by itself; leave out -m{other}"
        raise ConfigError(f"resume={resume}: {reason} {ON_COMMAND_LINE}")
    values, origins = plain_values(schema, single)
    config: object = parse(schema, values, origins)
    if isinstance(config, TrainConfig) and (processes := config.parallel.processes) not in ("auto", 1):
        reason = "must be auto or 1 in a sweep, whose jobs are single processes; a training without -m takes several"
        raise_problems([Problem("parallel.processes", processes, reason)], origins)
    try:
        return config, None, check(config, origins)
    except IncompatibleError as error:
        return config, str(error), None


def _resume_of(single: Composition) -> object:
    """The value of `resume`, with unresolved interpolations; None if there is none."""
    if OmegaConf.is_interpolation(single.job, "resume"):
        given: Any = OmegaConf.to_container(single.job, resolve=False)
        return given["resume"]
    return single.job.get("resume")


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


def _check_together(jobs: Sequence[PlannedJob]) -> None:
    """Refuses a sweep with jobs whose values do not go together, before the first job starts."""
    bad = [number for number, job in enumerate(jobs) if job.problem is not None]
    if not bad:
        return
    first, *more = bad
    lines = [str(jobs[first].problem), f"  in job {first} of {len(jobs)}: {' '.join(jobs[first].overrides)}"]
    lines += [f"  also job {number}: {str(jobs[number].problem).partition(chr(10))[0]}" for number in more[: _MOST_TOLD - 1]]
    if len(more) >= _MOST_TOLD:
        lines.append(f"  and {len(more) - _MOST_TOLD + 1} more of {len(jobs)} jobs")
    rest = len(jobs) - len(bad)
    started = f"--keep-going runs the other {rest}" if rest else "every job has such a mistake"
    lines.append(f"  no job was started; {started}")
    raise IncompatibleError("\n".join(lines))


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
