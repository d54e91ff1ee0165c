"""Runs a verb from the command line: checks the config, hands over to Hydra, and exits with a code for the outcome.

    def task(config: TrainConfig, run_dir: Path) -> Mapping[str, object]:    # experiments/train.py
        ...                                                             # the summary

    def main() -> None:
        command.run("train", TrainConfig, task)

A mistake in the config is reported before a run directory is made. Hydra's own flags stay: `--multirun`, `--cfg job`, `--info`,
launchers, shell completion. `--help` and `--explain [KEY]` are nnjax's.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from hydra.types import RunMode
from omegaconf import OmegaConf

from nnjax.checks.verb_checks import check
from nnjax.cli.auto_resume import AUTO, holds_run, occupy_again
from nnjax.cli.command_folders import given_override, make_folder, only_for_sweeps, release, resumed_or_new, worker_folder
from nnjax.cli.compose import Composition, compose, conf_dir, config_loader
from nnjax.cli.finished_runs import finished
from nnjax.cli.folderless import FOLDERLESS, run_without_folder
from nnjax.cli.follower import Tell, follow, told
from nnjax.cli.help import config_text, help_text, print_explanation
from nnjax.cli.hydra_internals import get_args_parser
from nnjax.cli.hydra_runner import hand_over, run_composed, setting
from nnjax.cli.job import Job, Task, plain_values
from nnjax.cli.launcher import begin_rank, launch, say_folder
from nnjax.cli.overrides import ON_COMMAND_LINE, parse_override, readable
from nnjax.cli.plugins import load_plugins, plugin_flags
from nnjax.cli.process import begin_process, complain, end_process, unread
from nnjax.cli.provenance import Provenance
from nnjax.cli.quoted_paths import quoted_path
from nnjax.cli.runs import occupy
from nnjax.cli.sweep_command import SweepCalls, run_sweep
from nnjax.cli.sweep_results import JobResult
from nnjax.cli.sweep_workers import usable_gpus
from nnjax.cli.unbegun import removed_if_unbegun, unchanged_at_signal
from nnjax.config.errors import ConfigError, UserError
from nnjax.config.export_options import ExportConfig
from nnjax.config.forecast_options import ForecastConfig
from nnjax.config.invocation import verb_command
from nnjax.config.leaving import INTERRUPTED
from nnjax.config.parsing import parse
from nnjax.config.paths import absence, check_writable, is_dir
from nnjax.config.predict_options import PredictConfig
from nnjax.config.processes import detect, speaks
from nnjax.config.report_options import ReportConfig
from nnjax.config.schema import AutopsyConfig, EvaluateConfig, TrainConfig, VerifyConfig
from nnjax.config.search_options import SearchConfig
from nnjax.config.serve_options import ServeConfig
from nnjax.config.shell import shell_text
from nnjax.config.traffic_options import TrafficConfig

OnSweepEnd = Callable[[Path, list[JobResult]], None]

_OF_RUNS = (
    EvaluateConfig,
    PredictConfig,
    ForecastConfig,
    ExportConfig,
    ServeConfig,
    AutopsyConfig,
    VerifyConfig,
    TrafficConfig,
    ReportConfig,
)


def run(
    verb: str,
    schema: type,
    task: Task,
    on_sweep_end: OnSweepEnd | None = None,
    tell: Tell | None = None,
    sweep: SweepCalls = SweepCalls(),  # noqa: B008  (frozen)
) -> NoReturn:
    """Runs a verb with the arguments of this process, and exits.

    Exit codes: 0; that of the `UserError`, its message printed without a traceback; 130 after Ctrl-C; 1 for anything else,
    with a traceback. A sweep exits with 0 if every job does, with the failed jobs' code if they agree, with 75 if any job was
    preempted, else with 1.

    Args:
        verb: names the root config, ``conf/VERB.yaml``.
        schema: the dataclass of the whole config.
        task: what to do with the config in the run directory; returns the run's summary, ready for JSON.
        on_sweep_end: called with the results of all jobs at the end of a sweep, an interrupted one included.
        tell: for a verb that several processes can do: tells the others that the first one ends without it.
        sweep: what else the verb adds to its sweeps.
    """
    module = f"experiments.{verb}"
    try:
        begin_process(module)
        begin_rank()
        code = _Command(verb, schema, task, replace(sweep, on_end=on_sweep_end), tell).main(sys.argv[1:])
    except BrokenPipeError:
        code = 1
    except UserError as error:
        if speaks():
            complain(error)
        code = error.exit_code
    except MemoryError:  # before the task, such as while reading a file
        print("out of memory before anything was trained; make the data smaller", file=sys.stderr)
        code = 1
    except KeyboardInterrupt:
        code = INTERRUPTED
    end_process(code, module)


@dataclass(frozen=True)
class _Command:
    verb: str
    schema: type
    task: Task
    sweep: SweepCalls
    tell: Tell | None

    def main(self, argv: Sequence[str]) -> int:
        """Runs the command that the arguments describe; returns the exit code."""
        command = verb_command(self.verb)
        plugins, argv = plugin_flags(argv)
        if plugins and self.schema not in (TrainConfig, SearchConfig, *_OF_RUNS):
            others = "train, search, evaluate, predict, forecast, export, serve, autopsy, verify, traffic and report"
            raise ConfigError(f"--plugin {plugins[0]}: is for {others}; {self.verb} has the shipped options only")
        load_plugins(plugins)
        arguments, overrides, flags = _read(argv, command)
        job = Job(self.schema, self.task)
        if arguments.shell_completion:
            print(_completion(self.verb, self.schema, overrides))
            return unread(0, "the completion")
        if arguments.hydra_help:
            return unread(hand_over(job, self.verb, overrides, flags), "Hydra's answer")
        verb = arguments.config_name or self.verb
        directories = config_directories(arguments.config_dir)
        composition, sweeping = _compose(verb, overrides, directories, sweep=arguments.multirun)
        if arguments.help:
            print(help_text(composition, self.schema, command))
            return unread(0, "--help")
        looking = arguments.explain is not None or arguments.cfg or arguments.info
        if arguments.keep_going and not sweeping:
            raise ConfigError("--keep-going: counts in a sweep only; add -m")
        processes = detect()
        if processes.count > 1 and not looking:
            if sweeping:
                raise ConfigError(f"-m: a sweep's jobs are single processes, and {processes.engine} started {processes.count}")
            if processes.rank:  # other verbs are for one process
                return follow(self.schema, self.task, composition, processes) if self.schema is TrainConfig else 0
        if sweeping and not looking:
            return run_sweep(job, composition, flags, self.sweep, keep_going=arguments.keep_going)
        if processes.count == 1 or looking or self.tell is None:
            return self._single(job, arguments, verb, composition, flags)
        if not any(composition.job.get(key) for key in ("resume", "rerun")):  # all processes come to the same errors so far
            values, origins = plain_values(self.schema, composition)
            check(parse(self.schema, values, origins), origins)
        return told(self.tell, processes, lambda: self._single(job, arguments, verb, composition, flags))

    def _single(
        self, job: Job, arguments: argparse.Namespace, verb: str, composition: Composition, flags: Sequence[str]
    ) -> int:
        """Runs a command that is no sweep, in the first process."""
        looking = arguments.explain is not None or arguments.cfg or arguments.info
        values, origins = plain_values(self.schema, composition)
        config: object = parse(self.schema, values, origins)
        if arguments.explain is not None:
            provenance = origins if isinstance(origins, Provenance) else composition.provenance
            print_explanation(arguments.explain, values, provenance)
            return unread(0, "--explain")
        if arguments.cfg == "job":
            print(config_text(values, arguments.package))
            return unread(0, "--cfg")
        if looking:
            return unread(hand_over(job, verb, composition.overrides, flags), "Hydra's answer")
        if isinstance(config, TrainConfig) and config.resume is not None:
            config = resumed_or_new(config, composition, origins)
            values["resume"] = config.resume
        check(config, origins)
        if self.schema in FOLDERLESS:
            return run_without_folder(self.task, config)
        if isinstance(config, TrainConfig) and config.resume is not None and (line := finished(config, Path(config.resume))):
            print(line)
            return unread(0, "the line about the run")
        if isinstance(config, TrainConfig) and config.parallel.processes not in ("auto", 1) and detect().count == 1:
            return launch(config, usable_gpus(composition), automatic=composition.job.get("resume") == AUTO)
        return self._run_once(job, composition, values, flags)

    def _run_once(self, job: Job, composition: Composition, values: dict[str, Any], flags: Sequence[str]) -> int:
        if unused := only_for_sweeps(composition):
            dir_too = ", or write hydra.run.dir=FOLDER" if unused.startswith("hydra.sweep.dir") else ""
            raise ConfigError(f"{unused}: counts in a sweep only; add -m{dir_too} {ON_COMMAND_LINE}")
        if composition.hydra.mode is None:
            for key, swept in (composition.hydra.sweeper.get("params") or {}).items():
                place = composition.describe(f"hydra.sweeper.params.{key}")
                complain(f"{key}={swept}: a sweep, which runs with -m{f' (set in {place})' if place else ''}")
        resume: Any = values.get("resume")
        given = given_override(composition, "hydra.run.dir")
        is_auto = composition.job.get("resume") == AUTO
        if resume and given and not is_auto:
            raise ConfigError(f"{given}: a resumed run stays in its folder {ON_COMMAND_LINE}")
        made = None
        changed: dict[str, Path | str | None]
        if resume and self.schema is SearchConfig:
            made = worker_folder(Path(resume))
            changed = {"run.dir": made}
        elif resume and (not is_auto or holds_run(Path(resume))):
            check_writable(Path(resume), "resume")
            changed = {"run.dir": resume, "output_subdir": None}
        else:
            # The folder is named after the run's values, which with rerun= come from an earlier run.
            settings = OmegaConf.create({**values, "hydra": composition.hydra}).hydra
            make = occupy_again if is_auto else occupy
            made = make_folder(settings, "run", composition, make, checkpoints=self.schema is TrainConfig)
            changed = {"run.dir": made}
        say_folder(made or Path(str(resume)))
        with unchanged_at_signal(str(resume)) if made is None else removed_if_unbegun(made, named=given is not None):
            try:
                if flags:
                    overrides = [*composition.overrides, *(setting(key, value) for key, value in changed.items())]
                    return hand_over(job, composition.verb, overrides, flags) or job.exit_code
                return run_composed(job, composition, changed) or job.exit_code
            finally:
                release(None if given else made)


def _completion(verb: str, schema: type, requests: Sequence[str]) -> str:
    from nnjax.cli.completion import candidates, script

    request = requests[0] if requests else ""
    if request.startswith("query="):
        return "\n".join(candidates(verb, schema, os.environ.get("COMP_LINE", "")))
    return script(request)


def _read(argv: Sequence[str], program: str) -> tuple[argparse.Namespace, list[str], list[str]]:
    """Returns the arguments, the overrides among them, and the flags for Hydra, which takes flags and overrides apart."""
    parser = get_args_parser()
    parser.prog = program
    parser.add_argument("--explain", nargs="?", const="", metavar="KEY", help="Show where each value was set")
    parser.add_argument("--keep-going", action="store_true", help="Run a sweep although some of its jobs cannot run")
    arguments = parser.parse_intermixed_args(argv)
    if "=" in (arguments.explain or ""):
        arguments.overrides.append(arguments.explain)
        arguments.explain = ""
    if arguments.config_path:
        raise ConfigError(f"--config-path {arguments.config_path}: use --config-dir, which adds a folder to conf/")
    if arguments.experimental_rerun:
        raise ConfigError(f"--experimental-rerun {arguments.experimental_rerun}: a pickle can run code; use resume=")
    if arguments.multirun and (arguments.cfg or arguments.info):
        raise ConfigError("--multirun: --cfg and --info show a single config; leave out -m")
    overrides = [quoted_path(text, sweep=arguments.multirun) for text in arguments.overrides]
    return arguments, overrides, [text for text in argv if text not in (*arguments.overrides, "--keep-going")]


def _compose(verb: str, overrides: Sequence[str], directories: Sequence[Path], *, sweep: bool) -> tuple[Composition, bool]:
    """Composes the config; returns also whether it is a sweep's, by `-m` or by `hydra.mode`, which a file may set."""
    loader = config_loader(directories)
    parsed = [parse_override(readable(text, loader), loader) for text in overrides]
    if sweep:
        for override in parsed:
            if override.key_or_group == "hydra.mode" and override.value() == RunMode.RUN.name:
                raise ConfigError(
                    f"{override.input_line}: a single run, and -m asks for a sweep; leave out one {ON_COMMAND_LINE}"
                )
        return compose(verb, overrides, directories, RunMode.MULTIRUN), True
    if any(override.is_sweep_override() for override in parsed):
        composition = compose(verb, overrides, directories, RunMode.MULTIRUN)
        if composition.hydra.mode == RunMode.MULTIRUN:
            return composition, True
    composition = compose(verb, overrides, directories)
    return composition, bool(composition.hydra.mode == RunMode.MULTIRUN)


def config_directories(config_dir: str | None) -> tuple[Path, ...]:
    """Returns the folders of YAML files: the project's, and a person's own."""
    if config_dir is None:
        return (conf_dir(),)
    if not is_dir(Path(config_dir)):
        raise ConfigError(f"--config-dir {shell_text(config_dir)}: {absence(Path(config_dir))}")
    return (conf_dir(), Path(config_dir).resolve())
