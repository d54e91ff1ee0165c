"""Decides what is left of a sweep that is resumed: which jobs are finished, which go on, which start anew.

    again = remaining(jobs, sweep_dir, code_version(), data_hash)
    again.finished, again.resumed, again.anew           # numbers of jobs

A job is finished if it ended with a result, or diverged, and its config, its code and the content of its data are unchanged. A
job that was stopped or failed resumes from its last checkpoint, in its folder. A job whose config, code or data have changed is
trained anew, in a new folder beside the old one: nothing is overwritten, and no result is half of one code and half of another.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nnjax.cli.finished_runs import finished_summary
from nnjax.cli.runs import holds_config, read_config
from nnjax.cli.sessions import steps_done
from nnjax.cli.sweep_plan import PlannedJob
from nnjax.cli.sweep_results import FINAL_CODES, OUTCOME_FILE, JobResult, code_begun, collect
from nnjax.config.errors import ConfigError
from nnjax.config.parsing import config_hash
from nnjax.config.stored_files import MOST_RESULTS, read_json


@dataclass(frozen=True)
class Remaining:
    """What is left of a sweep.

    Attributes:
        jobs: all jobs, with the folders in which they end.
        finished: numbers of the jobs whose results are kept.
        resumed: those that have a checkpoint, and go on from it.
        anew: those that start from the beginning.
        changed: why a job with a result or a checkpoint is trained anew, by number.
    """

    jobs: tuple[PlannedJob, ...]
    finished: tuple[int, ...]
    resumed: tuple[int, ...]
    anew: tuple[int, ...]
    changed: dict[int, str]

    @property
    def to_run(self) -> tuple[int, ...]:
        """Numbers of the jobs that are not finished, in order."""
        return tuple(sorted(self.resumed + self.anew))


def remaining(
    jobs: Sequence[PlannedJob], sweep_dir: Path, code: str, data_hash: Callable[[Any], str | None] | None
) -> Remaining:
    """Sorts the jobs of an earlier sweep into finished, resumed and new ones.

    Args:
        jobs: all jobs, as they are now composed.
        sweep_dir: the sweep's folder.
        code: the version of the code now.
        data_hash: returns the hash of the content of a config's data now; None if the verb uses none.
    """
    results = collect(sweep_dir, [job.overrides for job in jobs], [job.folder for job in jobs])
    kept: list[PlannedJob] = []
    finished: list[int] = []
    resumed: list[int] = []
    anew: list[int] = []
    changed: dict[int, str] = {}
    for number, (job, result) in enumerate(zip(jobs, results, strict=True)):
        folder = sweep_dir / job.folder
        is_final = result.exit_code in FINAL_CODES and result.run_dir is not None
        reason = _difference(job, result, folder, code, data_hash, is_final=is_final)
        if reason is not None:
            changed[number] = reason
            job = replace(job, folder=_free(sweep_dir, job.folder))
            anew.append(number)
        elif is_final:
            finished.append(number)
        else:
            (resumed if steps_done(folder) else anew).append(number)
        kept.append(job)
    return Remaining(tuple(kept), tuple(finished), tuple(resumed), tuple(anew), changed)


def forget_outcomes(again: Remaining, sweep_dir: Path) -> None:
    """Removes the outcomes of the jobs that run now, so that one that is killed is not taken for what it was before."""
    for number in again.to_run:
        (sweep_dir / again.jobs[number].folder / OUTCOME_FILE).unlink(missing_ok=True)


def _difference(
    job: PlannedJob,
    result: JobResult,
    folder: Path,
    code: str,
    data_hash: Callable[[Any], str | None] | None,
    *,
    is_final: bool,
) -> str | None:
    """Why a job cannot go on from what it left, or its result is not kept; None if nothing is in the way."""
    what = "result" if is_final or finished_summary(folder) else "checkpoint" if steps_done(folder) else None
    if not holds_config(folder):
        return "its config is missing" if is_final else None
    if (trained := result.config) is None:
        try:
            trained = config_hash(read_config(type(job.config), folder))
        except ConfigError:
            return "its config is damaged" if what else None
    if trained != config_hash(job.config):
        return f"its config has changed since its {what or 'start'}"
    if what is None:
        return None
    began = result.code if is_final else code_begun(folder) or code  # of a job that an earlier version began, it is unknown
    if began != code:
        return f"the code has changed since its {what}" if began else "the version of its code is unknown"
    if data_hash is not None:
        trained_on = None
        with suppress(OSError, ConfigError, ValueError, TypeError):
            trained_on = read_json(folder / "summary.json", MOST_RESULTS).get("data_hash")
        if (is_final or trained_on) and trained_on != data_hash(job.config):  # a resume compares the data of a killed job
            return f"its data have changed since its {what}" if trained_on else "the content of its data is unknown"
    return None


def _free(sweep_dir: Path, folder: str) -> str:
    """A name for a new folder beside an old one."""
    number = 2
    while (sweep_dir / f"{folder}_{number}").exists():
        number += 1
    return f"{folder}_{number}"
