"""The function that Hydra runs for a verb: parses one composed config, calls the verb's task with it, records the outcome.

    job = Job(Config, task)
    hydra.main(config_path=..., config_name="train", version_base="1.3")(job)()

Afterwards `job.exit_code` is the outcome; the job raises nothing for Hydra to report.
"""

import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, flag_override

from nnjax.checks.memory_checks import out_of_memory_explained
from nnjax.cli.auto_resume import AUTO, holds_run, settled
from nnjax.cli.code_version import code_version
from nnjax.cli.compose import Composition, override_texts
from nnjax.cli.overrides import ON_COMMAND_LINE
from nnjax.cli.plugins import load_plugins, loaded_plugins, require_plugins
from nnjax.cli.process import complain, printing_to
from nnjax.cli.run_folder import working_in
from nnjax.cli.runs import CONFIG_FILE, RESUMABLE, find_run, locked, newest_run, read_earlier
from nnjax.cli.sweep_results import NOT_STARTED, JobResult, begin_job, write_outcome
from nnjax.cli.unbegun import remove_unbegun
from nnjax.cli.worker import SWEEP, Share, is_restarted, run_in_worker
from nnjax.config.diagnostics import Problem
from nnjax.config.errors import ConfigError, DataError, PreemptedError, RunFinishedError, UserError
from nnjax.config.leaving import on_leaving
from nnjax.config.parsing import Origins, config_hash, parse
from nnjax.config.paths import expanded, file_name, outside_fault, shown_path
from nnjax.config.report_options import ReportConfig
from nnjax.config.schema import TrainConfig, VerifyConfig
from nnjax.config.search_options import SEARCH_RESUMABLE, SearchConfig
from nnjax.config.traffic_options import TrafficConfig

Task = Callable[[Any, Any], Mapping[str, object]]
"""From a config and the run's folder, which is None in all but the first of several processes, to the run's summary."""


_OF_A_RUN = (VerifyConfig, TrafficConfig)
"""Schemas whose key `run` stands for the experiment of an earlier run."""


PRINTED = "printed.txt"
"""The file in a job's folder with what it would have printed to a terminal that shows the whole sweep."""


class Job:
    """The function that Hydra runs once, or once for each job of a sweep, perhaps in a launcher's worker process."""

    def __init__(self, schema: type, task: Task) -> None:
        self.schema = schema
        self.task = task
        self.exit_code = 0
        self.plugins = loaded_plugins()
        self.share: Share | None = None
        self.code: str | None = None  # of a sweep: `nnjax.cli.code_version`
        self.quiet = False  # in another process, write what a job prints to its folder, and leave the terminal to the sweep
        self.elsewhere = False  # whether this is a copy in another process
        self.numbers: tuple[int, ...] | None = None  # of a sweep that is resumed: the jobs' own numbers, in the order of launch

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Prepares a launcher's worker process, which is sent the job: plugins, and what Hydra's settings are written with."""
        self.__dict__.update(state)
        self.elsewhere = True
        OmegaConf.register_new_resolver("file_name", file_name, replace=True)
        load_plugins([str(plugin.path) for plugin in self.plugins])
        if self.code is not None:
            self.code = code_version()  # the files may have changed since the sweep began, and this process reads them now

    def __call__(self, composed: DictConfig) -> None:
        """Runs the task in Hydra's output folder; prints and records its exceptions, so that a sweep continues."""
        if self.numbers is not None:
            _renumber(self.numbers)
        printed = Path(HydraConfig.get().runtime.output_dir) / PRINTED
        with printing_to(printed) if self.quiet and self.elsewhere else nullcontext():
            if self.share is None or self.share.sweep == SWEEP:
                self._run(composed)
            else:
                run_in_worker(self.share, lambda: self._run(composed), self._skip)

    def _skip(self) -> None:
        settings: Any = HydraConfig.get()
        overrides = tuple(text.lstrip("+") for text in override_texts(settings, "task"))
        run_dir = Path(settings.runtime.output_dir)
        write_outcome(JobResult(settings.job.num, overrides, run_dir, PreemptedError.exit_code, NOT_STARTED, None), run_dir)

    def _run(self, composed: DictConfig) -> None:
        settings: Any = HydraConfig.get()
        run_dir = Path(settings.runtime.output_dir)
        composition = Composition(settings.job.config_name, tuple(override_texts(settings, "task")), composed, settings)
        number = settings.job.num if settings.mode == RunMode.MULTIRUN else None
        overrides = tuple(text.lstrip("+") for text in composition.overrides)
        self.exit_code, error, summary, trained = 0, None, None, None
        try:
            with locked(run_dir):
                values, origins = plain_values(self.schema, composition)
                config: Any = parse(self.schema, values, origins)
                trained = config_hash(config) if isinstance(config, TrainConfig) else None
                if isinstance(config, TrainConfig):  # once more, since another job may have made the run meanwhile
                    if self.numbers is not None or (self.share and is_restarted()):
                        config = replace(config, resume=AUTO)
                    config = settled(config, run_dir, origins)
                if self.code is not None and not holds_run(run_dir):
                    begin_job(run_dir, self.code)
                with _put_away(run_dir, number), working_in(run_dir, config, origins), out_of_memory_explained(config):
                    summary = self.task(config, run_dir)
        except RunFinishedError as line:
            print(line, flush=True)
        except Exception as problem:
            if number is not None:
                status = JobResult(number, overrides, run_dir, getattr(problem, "exit_code", 1), str(problem), None).status
                complain(f"job {number} ({' '.join(overrides)}) {status}:")
            if isinstance(problem, UserError):
                self.exit_code, error = problem.exit_code, str(problem)
                complain(problem)
            elif fault := outside_fault(problem, run_dir):
                self.exit_code, error = 1, fault
                complain(fault)
            else:
                self.exit_code, error = 1, f"{type(problem).__name__}: {problem}"
                complain(traceback.format_exc().rstrip())
            error = error.partition("\n")[0]
            if number is None and self.schema is SearchConfig and isinstance(problem, ConfigError):
                remove_unbegun(
                    run_dir
                )  # a range's values are checked in the experiment, which takes a while, in its new folder
        if number is not None:
            outcome = JobResult(number, overrides, run_dir, self.exit_code, error, summary, self.code, trained)
            write_outcome(outcome, run_dir)
            if self.exit_code == PreemptedError.exit_code:
                raise SystemExit(self.exit_code)  # the machine is being taken away: start no further job


def _renumber(numbers: Sequence[int]) -> None:
    """Gives a job of a resumed sweep its own number, in place of its place among those that are launched."""
    settings: Any = HydraConfig.get()
    number = numbers[settings.job.num]
    with flag_override(settings, ["struct", "readonly"], False):
        settings.job.num, settings.job.id = number, str(number)


def _put_away(run_dir: Path, number: int | None) -> AbstractContextManager[object]:
    """Removes the new folder of a sweep's job, if a signal ends the sweep before the job has begun."""
    if number is None or (run_dir / CONFIG_FILE).exists():
        return nullcontext()

    def remove(name: str) -> None:
        remove_unbegun(run_dir)

    return on_leaving(remove)


def _found(run: str, key: str, composition: Composition, schema: type) -> str:
    folder = find_run(run, key, composition)
    if schema is not ReportConfig:  # a report needs the run's files alone, and says what only its options would show
        require_plugins(folder, key, complain)
    return str(folder)


def plain_values(schema: type, composition: Composition) -> tuple[dict[str, Any], Origins]:
    """The config as plain data, its folders absolute; with `resume=FOLDER` or `rerun`, the earlier run's config."""
    values = composition.values(schema)
    origins: Origins = composition
    known = {field.name for field in fields(schema)}
    for key in [key for key in ("run", "resume", "rerun") if key in known and key in values]:
        if values[key] == "???":
            newest = newest_run()
            raise ConfigError(f"{key}: missing; must be the folder of a run{f', such as {key}={newest}' if newest else ''}")
        if isinstance(values[key], list) and all(isinstance(run, str) for run in values[key]):  # of a verb that takes several
            values[key] = [_found(run, key, composition, schema) for run in values[key]]
        if isinstance(values[key], str) and (key, values[key]) != ("resume", AUTO):
            values[key] = _found(values[key], key, composition, schema)
    earlier = ("run",) if schema in _OF_A_RUN else ("resume", "rerun")
    given = [key for key in earlier if key in known and isinstance(values.get(key), str)]
    if len(given) > 1:
        raise ConfigError(
            f"rerun={values['rerun']}: starts a new run, and resume= resumes one; give one of them {ON_COMMAND_LINE}"
        )
    if given and (given[0], values[given[0]]) != ("resume", AUTO):
        composed = values
        names = SEARCH_RESUMABLE if schema is SearchConfig else RESUMABLE
        values, origins = read_earlier(composition, given[0], Path(values[given[0]]), names)
        if schema is SearchConfig and "search" not in values:
            raise ConfigError(
                Problem("resume", shown_path(Path(values["resume"])), "holds a run, and no search").line(composition)
            )
        if schema in _OF_A_RUN:  # the run's experiment, and this command's own keys
            values = {key: values.get(key, composed[key]) for key in composed if key in known}
    data = values.get("data")
    for name in ("directory", "file"):  # the config may be read again from another working directory
        if isinstance(data, dict) and isinstance(data.get(name), str) and data[name] != "???":
            data[name] = str(expanded(data[name], f"data.{name}", DataError).absolute())
    return values, origins
