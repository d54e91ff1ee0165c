"""Results of the jobs of a `--multirun`: written by each job, read back at the end of the sweep.

    write_outcome(JobResult(0, ("seed=0",), run_dir, 0, None, summary), run_dir)
    results = collect(sweep_dir, [("seed=0",), ("seed=1",)])

A job writes its outcome to `.hydra/outcome.json` in its folder, so that jobs may run in any process.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from nnjax.config.errors import ConfigError, DataError, DivergedError, PreemptedError
from nnjax.config.stored_files import MOST_RESULTS, read_json, write_text

OUTCOME_FILE = ".hydra/outcome.json"
CODE_FILE = ".hydra/code.json"
DID_NOT_END = "did not end"
NOT_STARTED = "not started"

FINAL_CODES = (0, DivergedError.exit_code)
"""The exit codes of a job whose result is there: training it again gives the same."""

_STATUSES = {
    ConfigError.exit_code: "config error",
    DataError.exit_code: "data error",
    DivergedError.exit_code: "diverged",
    PreemptedError.exit_code: "preempted",
}


@dataclass(frozen=True)
class JobResult:
    """The outcome of one job of a sweep.

    Attributes:
        number: counted from 0.
        overrides: the job's overrides.
        run_dir: its folder; None if it was never started.
        exit_code: the exit code that it would have as a run of its own.
        error: first line of the error; None without one.
        summary: the task's result; None if it failed.
        code: version of the code that ran, of `nnjax.cli.code_version`; None if unknown.
        config: hash of the job's resolved config; None if unknown.
    """

    number: int
    overrides: tuple[str, ...]
    run_dir: Path | None
    exit_code: int
    error: str | None
    summary: Mapping[str, object] | None
    code: str | None = field(default=None, compare=False)
    config: str | None = field(default=None, compare=False)

    @property
    def status(self) -> str:
        """One of completed, stopped_early, preempted, diverged, config error, data error, failed, did not end, not started."""
        if self.exit_code == 0:
            return str((self.summary or {}).get("status", "completed"))
        if self.error == NOT_STARTED or (self.error == DID_NOT_END and self.run_dir is None):
            return NOT_STARTED
        if self.error == DID_NOT_END:
            return DID_NOT_END
        return _STATUSES.get(self.exit_code, "failed")


def begin_job(run_dir: Path, code: str) -> None:
    """Notes the version of the code by which a job that begins, and does not resume, is trained."""
    path = run_dir / CODE_FILE
    path.parent.mkdir(exist_ok=True)
    write_text(path, json.dumps({"code": code}))


def code_begun(run_dir: Path) -> str | None:
    """The version of the code by which a job began; None if it is unknown."""
    with suppress(OSError, ConfigError, KeyError, TypeError):
        return str(read_json(run_dir / CODE_FILE, MOST_RESULTS)["code"])
    return None


def write_outcome(result: JobResult, run_dir: Path) -> None:
    """Writes a job's outcome into its folder."""
    path = run_dir / OUTCOME_FILE
    path.parent.mkdir(exist_ok=True)
    outcome = {
        "number": result.number,
        "overrides": result.overrides,
        "exit_code": result.exit_code,
        "error": result.error,
        "summary": result.summary,
        "code": result.code,
        "config": result.config,
    }
    write_text(path, json.dumps(outcome, default=str))


def collect(sweep_dir: Path, jobs: Sequence[tuple[str, ...]] | None, folders: Sequence[str] | None = None) -> list[JobResult]:
    """Reads the outcomes of a sweep in the jobs' order; a job of `jobs` without an outcome did not end.

    Args:
        sweep_dir: the sweep's folder.
        jobs: the overrides of each job; None if only the sweeper has them.
        folders: the jobs' folders inside `sweep_dir`; a job whose folder exists has begun. None looks at all folders.
    """
    found = {number: JobResult(number, texts, None, 1, DID_NOT_END, None) for number, texts in enumerate(jobs or ())}
    for number, folder in enumerate(folders or ()):
        if number in found and (sweep_dir / folder).is_dir():
            found[number] = replace(found[number], run_dir=sweep_dir / folder)
    paths = sweep_dir.rglob(OUTCOME_FILE) if folders is None else (sweep_dir / folder / OUTCOME_FILE for folder in folders)
    for path in paths:
        with suppress(OSError, ConfigError, TypeError, KeyError):  # one that is torn: its job did not end
            outcome = read_json(path, MOST_RESULTS)
            if jobs is None or outcome["number"] in found:
                result = JobResult(**{**outcome, "overrides": tuple(outcome["overrides"]), "run_dir": path.parents[1]})
                _check_types(result)
                found[result.number] = result
    return [found[number] for number in sorted(found)]


def _check_types(result: JobResult) -> None:
    """Refuses an outcome that no job wrote."""
    if not isinstance(result.number, int) or not isinstance(result.exit_code, int):
        raise TypeError
    if not isinstance(result.summary, Mapping | None):
        raise TypeError
