"""Runs a sweep from the command line: checks all jobs, launches them, sums up; `-m resume=FOLDER` resumes one.

    code = run_sweep(job, composition, flags, SweepCalls(on_end=show_sweep), keep_going=False)

Every job is composed, parsed and checked before the first one starts. `sweep.json` in the sweep's folder keeps the list,
so that a later process finds the same jobs in the same folders.
"""

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hydra.types import RunMode

from nnjax.cli.code_version import code_version
from nnjax.cli.command_folders import given_override, make_folder, release
from nnjax.cli.compose import Composition, compose, config_loader, override_texts, project_root
from nnjax.cli.hydra_runner import hand_over, run_jobs, setting
from nnjax.cli.job import Job
from nnjax.cli.overrides import ON_COMMAND_LINE, parse_override
from nnjax.cli.plugins import loaded_plugins
from nnjax.cli.process import complain
from nnjax.cli.runs import locked, occupy
from nnjax.cli.sweep_again import Remaining, forget_outcomes, remaining
from nnjax.cli.sweep_file import StoredJob, SweepFile, find_sweep, read_sweep, write_sweep
from nnjax.cli.sweep_jobs import lists_jobs
from nnjax.cli.sweep_plan import PlannedJob, check_job, check_unused, plan, plan_again, sweep_exit_code
from nnjax.cli.sweep_results import JobResult, collect
from nnjax.cli.sweep_workers import in_other_processes, launched, prints_here
from nnjax.cli.unbegun import finished_at_signal
from nnjax.config.errors import ConfigError
from nnjax.config.leaving import INTERRUPTED
from nnjax.config.paths import shown_path
from nnjax.config.schema import TrainConfig
from nnjax.config.shell import shell_word

_OF_A_SWEEP = ("hydra/launcher", "hydra.launcher", "hydra.sweeper.max_batch_size")
"""The settings that a resumed sweep may change: where its jobs run."""


@dataclass(frozen=True)
class SweepCalls:
    """What a verb adds to its sweeps.

    Attributes:
        on_start: called with all jobs once they are checked, and before anything is made; it may refuse them. The keyword
            `keep_going` says whether a job that cannot run fails alone.
        on_end: called with the results of all jobs at the end, of an interrupted sweep, too.
        watch: called with a sweep's folder, all jobs, the numbers of those that run, and the keyword `live`, whether the
            terminal is free for it; returns a context that shows their progress.
        data_hash: returns the hash of the content of a config's data.
        beside: returns a context around several jobs that run in this process, one after another.
    """

    on_start: Callable[..., None] | None = None
    on_end: Callable[[Path, list[JobResult]], None] | None = None
    watch: Callable[..., AbstractContextManager[object]] | None = None
    data_hash: Callable[[Any], str | None] | None = None
    beside: Callable[[], AbstractContextManager[object]] | None = None


def run_sweep(job: Job, composition: Composition, flags: Sequence[str], calls: SweepCalls, *, keep_going: bool) -> int:
    """Runs all jobs of a sweep, or those that are left of an earlier one; returns the exit code.

    Args:
        job: what to run.
        composition: of the sweep, for a multirun.
        flags: of the command line, for a sweeper whose jobs are not known beforehand.
        calls: what the verb adds.
        keep_going: whether a job whose values do not go together fails alone.

    Raises:
        ConfigError: for a mistake in any job; nothing was started or made then.
    """
    given = given_override(composition, "hydra.run.dir")
    if given and not given_override(composition, "hydra.sweep.dir"):  # a command line may name both folders
        value = given.partition("=")[2]
        raise ConfigError(
            f"{given}: names the folder of a single run; for this sweep write hydra.sweep.dir={value} {ON_COMMAND_LINE}"
        )
    if job.schema is TrainConfig and (folder := _sweep_to_resume(composition)) is not None:
        return _resume(job, composition, folder, calls, keep_going=keep_going)
    if not lists_jobs(composition):
        check_job(job.schema, composition)
        return _run_unlisted(job, composition, flags, calls)
    jobs = plan(job.schema, composition, complain, keep_going=keep_going)
    if calls.on_start:
        calls.on_start(jobs, keep_going=keep_going)
    sweep_dir = make_folder(composition.hydra, "sweep", composition, occupy, checkpoints=job.schema is TrainConfig)
    own = None if given_override(composition, "hydra.sweep.dir") else sweep_dir
    try:
        check_unused(jobs, sweep_dir)
    except BaseException:
        release(own)
        raise
    sweep = SweepFile(
        verb=composition.verb,
        task=tuple(override_texts(composition.hydra, "task")),
        hydra=tuple(override_texts(composition.hydra, "hydra")),
        keep_going=keep_going,
        jobs=tuple(StoredJob(planned.overrides, planned.folder) for planned in jobs),
        plugins=tuple(plugin.name for plugin in loaded_plugins()),
        config_dir=_config_dir(composition),
    )
    return _launch(job, composition, jobs, range(len(jobs)), sweep_dir, calls, sweep)


def _launch(
    job: Job,
    composition: Composition,
    jobs: Sequence[PlannedJob],
    numbers: Sequence[int],
    sweep_dir: Path,
    calls: SweepCalls,
    sweep: SweepFile,
) -> int:
    """Runs the jobs with these numbers, and shows the results of all."""
    own = None if given_override(composition, "hydra.sweep.dir") else sweep_dir
    job.code = code_version()
    texts = [list(jobs[number].overrides) for number in numbers]
    if job.numbers is not None:
        for number, overrides in zip(numbers, texts, strict=True):
            overrides.append(setting("sweep.subdir", jobs[number].folder))
    finish = _finisher(sweep_dir, jobs, calls, own)
    lock = nullcontext() if job.numbers is not None else locked(sweep_dir)  # a resumed sweep is locked already

    def run() -> int:
        with finished_at_signal(finish), launched(job, composition, numbers, sweep_dir), lock:
            write_sweep(sweep, sweep_dir)
            elsewhere = in_other_processes(job, composition)
            live = calls.watch is not None and elsewhere and sys.stdout.isatty()
            job.quiet = live and prints_here(composition)
            beside = calls.beside if len(numbers) > 1 and not elsewhere else None
            with (
                calls.watch(sweep_dir, jobs, numbers, live=live) if calls.watch else nullcontext(),
                beside() if beside else nullcontext(),
            ):
                return run_jobs(job, composition, texts, sweep_dir) if numbers else 0

    return _ended(run, finish, own)


def _run_unlisted(job: Job, composition: Composition, flags: Sequence[str], calls: SweepCalls) -> int:
    """Runs a sweep whose sweeper chooses the jobs while it runs."""
    sweep_dir = make_folder(composition.hydra, "sweep", composition, occupy, checkpoints=job.schema is TrainConfig)
    own = None if given_override(composition, "hydra.sweep.dir") else sweep_dir
    finish = _finisher(sweep_dir, None, calls, own)

    def run() -> int:
        with finished_at_signal(finish), launched(job, composition, None, sweep_dir) as more:
            overrides = [*composition.overrides, setting("sweep.dir", sweep_dir), *more]
            return hand_over(job, composition.verb, overrides, flags, "hydra.sweep.subdir")

    return _ended(run, finish, own)


def _ended(run: Callable[[], int], finish: Callable[[], list[JobResult]], own: Path | None) -> int:
    """Runs a sweep's jobs and shows their results, after Ctrl-C, too; returns the exit code.

    Args:
        run: runs the jobs; returns an exit code.
        finish: reads and shows the results.
        own: the sweep's folder, to be released if nothing can be shown; None if a person named it.
    """
    try:
        code = run()
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BaseException:
        release(own)
        raise
    results = finish()
    return code or sweep_exit_code([result.exit_code for result in results])


def _finisher(
    sweep_dir: Path, jobs: Sequence[PlannedJob] | None, calls: SweepCalls, own: Path | None
) -> Callable[[], list[JobResult]]:
    """Returns the function that reads and shows the results."""
    texts = None if jobs is None else [tuple(text.lstrip("+") for text in planned.overrides) for planned in jobs]

    def finish() -> list[JobResult]:
        release(own)
        results = collect(sweep_dir, texts, None if jobs is None else [planned.folder for planned in jobs])
        if calls.on_end:
            calls.on_end(sweep_dir, results)
        return results

    return finish


def _sweep_to_resume(composition: Composition) -> Path | None:
    """The folder of the sweep that `resume` names; None if it names none."""
    resume = composition.job.get("resume")
    return find_sweep(resume, (Path.cwd(), project_root())) if isinstance(resume, str) else None


def _resume(job: Job, composition: Composition, sweep_dir: Path, calls: SweepCalls, *, keep_going: bool) -> int:
    """Runs what is left of a sweep, in its folder."""
    with locked(sweep_dir):  # first: another process that resumes it changes its record
        stored = read_sweep(sweep_dir)
        stored = replace(stored, keep_going=stored.keep_going or keep_going)
        given = {Path(plugin.name).name for plugin in loaded_plugins()}
        if missing := [name for name in stored.plugins if Path(name).name not in given]:
            again = " ".join(f"--plugin {shell_word(name)}" for name in missing)
            raise ConfigError(f"{shown_path(sweep_dir)}: was started with a plugin; give it again: {again}")
        if stored.config_dir and not _config_dir(composition):
            again = f"--config-dir {shell_word(stored.config_dir)}"
            raise ConfigError(f"{shown_path(sweep_dir)}: was started with a folder of configs; give it again: {again}")
        settings = _settings(composition, stored, sweep_dir)
        composed = compose(stored.verb, [*stored.task, *settings], composition.directories, RunMode.MULTIRUN)
        jobs = plan_again(job.schema, composed, stored.jobs, keep_going=stored.keep_going)
        left = remaining(jobs, sweep_dir, code_version(), calls.data_hash)
        _tell(left, sweep_dir)
        forget_outcomes(left, sweep_dir)
        job.numbers = left.to_run
        kept = replace(stored, jobs=tuple(StoredJob(planned.overrides, planned.folder) for planned in left.jobs))
        return _launch(job, composed, left.jobs, left.to_run, sweep_dir, calls, kept)


def _config_dir(composition: Composition) -> str:
    """The folder given with `--config-dir`; empty without one."""
    sources = composition.hydra.runtime.config_sources
    return next((str(source.path) for source in sources if source.provider == "command-line"), "")


def _settings(composition: Composition, stored: SweepFile, sweep_dir: Path) -> list[str]:
    """Hydra's settings for a resumed sweep: those it was started with, changed by those of this command.

    Raises:
        ConfigError: for an override that would change its jobs.
    """
    loader = config_loader(composition.directories)
    for text in composition.overrides:
        key = parse_override(text, loader).key_or_group
        if key != "resume" and key != "hydra.mode" and not key.startswith(_OF_A_SWEEP):
            reason = f"a resumed sweep keeps its jobs and its folder; it may change {', '.join(_OF_A_SWEEP[:2])}"
            raise ConfigError(f"{text}: {reason} {ON_COMMAND_LINE}")
    own = [text for text in composition.overrides if parse_override(text, loader).key_or_group.startswith(_OF_A_SWEEP)]
    changed = {parse_override(text, loader).key_or_group for text in own}
    launcher = "hydra/launcher" in changed  # the settings of another launcher do not fit
    kept = []
    for text in stored.hydra:
        key = parse_override(text, loader).key_or_group
        if key in changed or key in ("hydra.sweep.dir", "hydra.mode") or (launcher and key.startswith("hydra.launcher")):
            continue
        kept.append(text)
    return [*kept, *own, setting("sweep.dir", sweep_dir)]


def _tell(left: Remaining, sweep_dir: Path) -> None:
    """Says what a resumed sweep does."""
    count = len(left.jobs)
    print(
        f"{shown_path(sweep_dir)}: {len(left.finished)} of {count} jobs are finished, {len(left.resumed)} go on from a "
        f"checkpoint, {len(left.anew)} start from the beginning",
        flush=True,
    )
    for number, reason in sorted(left.changed.items()):
        complain(f"job {number}: {reason}; it is trained anew, in {left.jobs[number].folder}")
