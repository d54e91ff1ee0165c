"""A sweep's own results, besides its runs': a table of all jobs, and their losses in one figure.

command.run("train", TrainConfig, train, on_sweep_end=show_sweep)
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from nnjax.cli.plugins import plugin_words
from nnjax.cli.runs import holds_config, read_config
from nnjax.cli.sweep_file import SWEEP_FILE, read_sweep
from nnjax.cli.sweep_plan import sweep_exit_code
from nnjax.cli.sweep_results import FINAL_CODES, JobResult
from nnjax.config.errors import ConfigError, DataError
from nnjax.config.invocation import verb_command
from nnjax.config.parsing import to_mapping
from nnjax.config.schema import TrainConfig
from nnjax.config.shell import shell_text, shell_word
from nnjax.reporting.best import best_of, measured_on, validated_on
from nnjax.reporting.console import RunConsole
from nnjax.reporting.metrics import read_metrics
from nnjax.reporting.run_summary import read_summary
from nnjax.reporting.tables import differing_overrides, sweep_errors, sweep_table
from nnjax.reporting.text import numbered, short_names

_MAX_LINES = 12  # more are indistinguishable
_MAX_NAME_LENGTH = 60


def show_sweep(sweep_dir: Path, results: Sequence[JobResult]) -> None:
    """Prints a table of a sweep's jobs, also to `sweep.log` in the sweep's folder, and draws `losses.png` there.

    The figure has a line for each job unless its `report.figures` is false. It is drawn for 2 to 12 lines. The last line is the
    command that makes one page of the sweep: making it takes a second or two, and most sweeps are read in the terminal.
    """
    jobs = [_Job(result) for result in results]
    names = short_names(_names(results), _MAX_NAME_LENGTH)
    with RunConsole(sweep_dir / "sweep.log") as console:
        rows = [job.row for job in jobs]
        console.print(sweep_table(rows))
        if best := best_of(rows):
            console.print(best.note())
        if errors := sweep_errors(rows):
            console.print(errors)
        if len(results) > 1 and any(result.exit_code for result in results):
            console.print(_ending(sweep_dir, results))
        counted = "1 job, its folder" if len(jobs) == 1 else f"{len(jobs)} jobs, their folders"
        console.print(f"{counted} NUMBER_… in {shell_text(sweep_dir)}")
        drawn = {name: job for name, job in zip(names, jobs, strict=True) if job.wants_figures and job.records}
        if 2 <= len(drawn) <= _MAX_LINES:
            from nnjax.reporting.figures.job_bars import draw_sweep

            losses = _loss_names({name: job.loss for name, job in drawn.items()})
            several = {"losses": losses} if len(set(losses.values())) > 1 else {}
            draw_sweep({name: job.records for name, job in drawn.items()}, sweep_dir / "losses.png", **several)
            console.print(f"their losses side by side: {shell_text(sweep_dir / 'losses.png')}")
        if len(jobs) > 1 and any(result.exit_code == 0 for result in results):
            command = f"{verb_command('report')} {shell_word(f'sweep={sweep_dir}')}"
            console.print(f"a page to send, with intervals and tests of the differences: {command}")


def _ending(sweep_dir: Path, results: Sequence[JobResult]) -> str:
    """How many jobs ended how, the exit code, and the command that runs what is left."""
    counts = Counter(result.status.replace("_", " ") for result in results)
    states = ", ".join(f"{count} {status}" for status, count in counts.most_common())
    lines = [f"{states}; exit code {sweep_exit_code([result.exit_code for result in results])}"]
    left = sum(result.exit_code not in FINAL_CODES for result in results)
    if left and (sweep_dir / SWEEP_FILE).exists():
        command = f"{verb_command('train')} -m {shell_word(f'resume={sweep_dir}')}{_config_dir(sweep_dir)}{plugin_words()}"
        lines.append(f"{left} of {len(results)} jobs have no result; {command} runs them")
    return "\n".join(lines)


def _config_dir(sweep_dir: Path) -> str:
    """The words that name the sweep's own folder of configs, for a command line; empty without one."""
    with suppress(ConfigError):
        if folder := read_sweep(sweep_dir).config_dir:
            return f" --config-dir {shell_word(folder)}"
    return ""


def row_of(result: JobResult) -> dict[str, Any]:
    """A job's row for `nnjax.reporting.tables.sweep_table` and `nnjax.reporting.best.best_of`."""
    return _Job(result).row


@dataclass(frozen=True)
class _Job:
    """A job and the files in its folder."""

    result: JobResult

    @cached_property
    def config(self) -> TrainConfig | None:
        """None if the job ended before writing its config."""
        with suppress(ConfigError):
            if self.result.run_dir is not None and holds_config(self.result.run_dir):
                return read_config(TrainConfig, self.result.run_dir)
        return None

    @cached_property
    def summary(self) -> Mapping[str, Any]:
        """The job's summary; for a failed job, the one that it wrote before failing."""
        if self.result.summary is not None or self.result.run_dir is None:
            return self.result.summary or {}
        with suppress(DataError):
            return read_summary(self.result.run_dir)
        return {}

    @cached_property
    def all_records(self) -> list[dict[str, Any]]:
        """The job's records of all splits; empty if it ended before the first."""
        with suppress(DataError):
            if self.result.run_dir is not None:
                return read_metrics(self.result.run_dir)
        return []

    @property
    def records(self) -> list[dict[str, Any]]:
        """The job's training records."""
        return [record for record in self.all_records if record["split"] == "train"]

    @property
    def validation(self) -> Mapping[str, Any] | None:
        """The validation results of the network that was tested, which is not the last one with `training.test=best`."""
        summary = self.summary
        if summary.get("tested_step") == summary.get("steps"):
            return summary.get("validation")
        found = [
            record
            for record in self.all_records
            if record["split"] == "validation" and record["step"] == summary.get("tested_step")
        ]
        return found[-1] if found else None

    @property
    def wants_figures(self) -> bool:
        return self.config is None or self.config.report.figures

    @property
    def loss(self) -> Mapping[str, object]:
        return {} if self.config is None else to_mapping(self.config.loss)

    @property
    def row(self) -> dict[str, Any]:
        """The job's row for `sweep_table` and `sweep_errors`."""
        succeeded = self.result.exit_code == 0
        return {
            "number": self.result.number,
            "overrides": self.result.overrides,
            "status": self.result.status,
            "test": self.summary.get("test") if succeeded else None,
            "forecast": self.summary.get("forecast") if succeeded else None,
            "seconds": (self.summary.get("seconds") or {}).get("total"),
            "spread": self.summary.get("spread"),
            "trials": len(self.summary.get("trials") or ()),
            "validation": self.validation if succeeded else None,
            "measured_on": None if self.config is None else measured_on(self.config),
            "validated_on": None if self.config is None else validated_on(self.config),
            "loss": json.dumps(self.loss, sort_keys=True),
            "error": self.result.error,
        }


def _names(results: Sequence[JobResult]) -> list[str]:
    """Names the jobs by the overrides in which they differ: `relu` for one override, `activation=relu seed=1` for several.

    A number does not say what it is: `seed=1`. Jobs with equal overrides are numbered.
    """
    settings, differing = differing_overrides([result.overrides for result in results])
    names = []
    for setting in settings:
        words = [f"{key}={setting.get(key, '')}" for key in differing]
        if len(differing) == 1:
            value, leaf = setting.get(differing[0], ""), differing[0].rpartition(".")[2]
            words = [value if _says_what_it_is(value) else f"{leaf}={value}"]
        names.append(" ".join(words))
    return numbered(names, [result.number for result in results])


def _says_what_it_is(value: str) -> bool:
    """Whether a value is a name, such as relu; numbers and truth values are not."""
    return value[:1].isalpha() and value.lower() not in ("true", "false", "null", "nan", "inf")


def _loss_names(losses: Mapping[str, Mapping[str, object]]) -> dict[str, str]:
    """Each job's loss function, by its name; with its options where two losses of the same name differ."""
    known = {json.dumps(loss, sort_keys=True): str(loss.get("name", "")) for loss in losses.values()}

    def name_of(loss: Mapping[str, object]) -> str:
        name = str(loss.get("name", ""))
        options = [f"{key}={value}" for key, value in loss.items() if key != "name"]
        return name if list(known.values()).count(name) == 1 else " ".join([name, *options])

    return {job: name_of(loss) for job, loss in losses.items()}
