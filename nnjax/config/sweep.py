"""The jobs of a `--multirun`: known and checked before the first one trains, and their outcomes read back afterwards.

    jobs = expand(compose("train", ["activation=relu,tanh"], run_mode=RunMode.MULTIRUN))
    # [("activation=relu",), ("activation=tanh",)]
    results = collect(sweep_dir, jobs)

A job leaves its outcome in `.hydra/outcome.json` of its folder, so that it does not matter which process ran it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.errors import HydraException

from nnjax.config.compose import Composition, config_loader, override_texts
from nnjax.config.errors import ConfigError
from nnjax.config.overrides import ON_COMMAND_LINE, parse_override

OUTCOME_FILE = ".hydra/outcome.json"


@dataclass(frozen=True)
class JobResult:
    """How one job of a sweep ended.

    Attributes:
        number: counted from 0.
        overrides: what the job was given.
        run_dir: its folder; None if it was never begun.
        exit_code: what it would have exited with as a run of its own.
        error: first line of what went wrong; None if nothing did.
        summary: what the task returned; None if it failed.
    """

    number: int
    overrides: tuple[str, ...]
    run_dir: Path | None
    exit_code: int
    error: str | None
    summary: Mapping[str, object] | None


def expand(composition: Composition) -> list[tuple[str, ...]] | None:
    """The overrides of every job, Hydra's own left out; None for a sweeper that decides as it goes.

    Args:
        composition: composed for a multirun.

    Raises:
        ConfigError: for a sweep that cannot be expanded.
    """
    sweeper = composition.hydra.sweeper
    if sweeper._target_ != f"{BasicSweeper.__module__}.{BasicSweeper.__qualname__}":
        return None
    loader = config_loader(composition.directories)
    texts = [f"{key}={values}" for key, values in (sweeper.params or {}).items()]
    texts += override_texts(composition.hydra, "task")
    overrides = [parse_override(text, loader) for text in texts]
    for override in overrides:
        if override.is_sweep_override() and not override.is_discrete_sweep():
            raise ConfigError(f"{override.input_line}: list the values, as in key=1,2,3 {ON_COMMAND_LINE}")
    try:
        (jobs,) = BasicSweeper.split_arguments(overrides, None)
    except HydraException as error:
        raise ConfigError(str(error)) from error
    return [tuple(job) for job in jobs]


def write_outcome(result: JobResult, run_dir: Path) -> None:
    """Leaves a job's outcome in its folder."""
    path = run_dir / OUTCOME_FILE
    path.parent.mkdir(exist_ok=True)
    outcome = {
        "number": result.number,
        "overrides": result.overrides,
        "exit_code": result.exit_code,
        "error": result.error,
        "summary": result.summary,
    }
    path.write_text(json.dumps(outcome, default=str), encoding="utf-8")


def collect(sweep_dir: Path, jobs: Sequence[tuple[str, ...]] | None) -> list[JobResult]:
    """The outcomes of a sweep in the jobs' order; a job of `jobs` that left none is one that did not end."""
    found = {number: JobResult(number, texts, None, 1, "did not end", None) for number, texts in enumerate(jobs or ())}
    for path in sweep_dir.rglob(OUTCOME_FILE):
        outcome = json.loads(path.read_text(encoding="utf-8"))
        if jobs is None or outcome["number"] in found:
            overrides = tuple(outcome.pop("overrides"))
            found[outcome["number"]] = JobResult(overrides=overrides, run_dir=path.parents[1], **outcome)
    return [found[number] for number in sorted(found)]
