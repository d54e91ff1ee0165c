"""A verb on the command line: checks the config, then hands over to Hydra, and ends with an exit code that says how it went.

    def task(config: TrainConfig, run_dir: Path) -> Mapping[str, object]:    # experiments/train.py
        ...                                                             # the summary

    def main() -> None:
        command.run("train", TrainConfig, task)

Whatever is wrong with the config is said before a run directory is made. What Hydra offers stays: `--multirun`, `--cfg job`,
`--info`, launchers, shell completion. `--help` and `--explain [KEY]` are ours.
"""

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from hydra._internal.utils import get_args_parser
from hydra.types import RunMode
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from nnjax.config.compose import Composition, check, compose, conf_dir, override_texts, project_root
from nnjax.config.errors import ConfigError, IncompatibleError, UserError
from nnjax.config.handover import hand_over, quoted, run_composed, setting
from nnjax.config.job import Job, Task, plain_values
from nnjax.config.overrides import ON_COMMAND_LINE
from nnjax.config.parsing import parse
from nnjax.config.process import begin_process, end_process
from nnjax.config.provenance import Provenance
from nnjax.config.runs import claim, occupy
from nnjax.config.screens import config_text, help_text, print_explanation
from nnjax.config.sweep import JobResult, collect, expand

OnSweepEnd = Callable[[Path, list[JobResult]], None]

INTERRUPTED = 130

_PATHS = ("run", "resume", "rerun", "data.directory", "data.file", "archives")


def run(verb: str, schema: type, task: Task, on_sweep_end: OnSweepEnd | None = None) -> NoReturn:
    """Runs a verb with the arguments of this process, and exits.

    Exit codes: 0; that of the `UserError`, its message printed without a traceback; 130 after Ctrl-C; 1 for anything else,
    with a traceback. A sweep exits with 0 if every job does, 75 if it was preempted, else 1.

    Args:
        verb: names the root config, ``conf/VERB.yaml``.
        schema: the dataclass of the whole config.
        task: what to do with the config in the run directory; returns the run's summary, ready for JSON.
        on_sweep_end: told of all jobs when a sweep is over, also where it was interrupted.
    """
    module = f"experiments.{verb}"
    begin_process(module)
    try:
        code = _Command(verb, schema, task, on_sweep_end).main(sys.argv[1:])
    except BrokenPipeError:
        code = 1
    except UserError as error:
        print(error, file=sys.stderr)
        code = error.exit_code
    except MemoryError:  # by what comes before the task, such as reading a file
        print("out of memory before anything was trained; make the data smaller", file=sys.stderr)
        code = 1
    except KeyboardInterrupt:
        code = INTERRUPTED
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads has seen enough: --help | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    end_process(code, module)


@dataclass(frozen=True)
class _Command:
    verb: str
    schema: type
    task: Task
    on_sweep_end: OnSweepEnd | None

    def main(self, argv: Sequence[str]) -> int:
        """Does what the arguments say; returns the exit code."""
        arguments, overrides, flags = _read(argv, f"python -m experiments.{self.verb}")
        job = Job(self.schema, self.task)
        if arguments.hydra_help or arguments.shell_completion:
            return hand_over(job, self.verb, overrides, flags)
        verb = arguments.config_name or self.verb
        directories = _directories(arguments.config_dir)
        mode = RunMode.MULTIRUN if arguments.multirun or "hydra.mode=MULTIRUN" in overrides else RunMode.RUN
        composition = compose(verb, overrides, directories, mode)
        if arguments.help:
            print(help_text(composition, self.schema))
            return 0
        looking = arguments.explain is not None or arguments.cfg or arguments.info
        if RunMode.MULTIRUN in (mode, composition.hydra.mode) and not looking:
            return self._sweep(job, composition, flags)
        values, origins = plain_values(self.schema, composition)
        config: object = parse(self.schema, values, origins)
        if arguments.explain is not None:
            provenance = origins if isinstance(origins, Provenance) else composition.provenance
            print_explanation(arguments.explain, values, provenance)
            return 0
        if arguments.cfg == "job":
            print(config_text(values, arguments.package))
            return 0
        if looking:
            return hand_over(job, verb, composition.overrides, flags)
        check(config, origins)
        return self._run_once(job, composition, values, flags)

    def _run_once(self, job: Job, composition: Composition, values: dict[str, Any], flags: Sequence[str]) -> int:
        resume = values.get("resume")
        given = _given(composition, "hydra.run.dir")
        if resume and given:
            raise ConfigError(f"{given}: a resumed run stays in its folder {ON_COMMAND_LINE}")
        made = None
        changed: dict[str, Path | str | None]
        if resume:
            changed = {"run.dir": resume, "output_subdir": None}
        else:
            # The folder's name speaks of the run as it will be, which may be an earlier one's config.
            settings = OmegaConf.create({**values, "hydra": composition.hydra}).hydra
            made = _make_folder(settings, "run", composition)
            changed = {"run.dir": made}
        try:
            if flags:
                overrides = [*composition.overrides, *(setting(key, value) for key, value in changed.items())]
                return hand_over(job, composition.verb, overrides, flags) or job.exit_code
            return run_composed(job, composition, changed) or job.exit_code
        finally:
            _release(None if given else made)

    def _sweep(self, job: Job, composition: Composition, flags: Sequence[str]) -> int:
        jobs = expand(composition)
        singles = [composition]
        if jobs is not None:
            settings = override_texts(composition.hydra, "hydra")
            singles = [compose(composition.verb, [*settings, *texts], composition.directories) for texts in jobs]
        forced = set()
        # A typo in any job stops them all before the first; a pair of values that do not go together costs its job alone.
        for single in singles:
            values, origins = plain_values(self.schema, single)
            if values.get("resume"):
                raise ConfigError(f"resume={single.job.resume}: one run goes on by itself; leave out -m {ON_COMMAND_LINE}")
            config: object = parse(self.schema, values, origins)
            with suppress(IncompatibleError):
                check(config, origins)
            forced |= {text[2:].partition("=")[0] for text in single.overrides if text.startswith("++")}
        sweep_dir = _make_folder(composition.hydra, "sweep", composition)
        texts = [f"++{text}" if text.partition("=")[0] in forced else text for text in composition.overrides]
        try:
            code = hand_over(job, composition.verb, [*texts, setting("sweep.dir", sweep_dir)], flags)
        except KeyboardInterrupt:
            code = INTERRUPTED
        finally:
            _release(None if _given(composition, "hydra.sweep.dir") else sweep_dir)
        results = collect(sweep_dir, jobs)
        if self.on_sweep_end:
            self.on_sweep_end(sweep_dir, results)
        return code or int(any(result.exit_code for result in results))


def _read(argv: Sequence[str], program: str) -> tuple[argparse.Namespace, list[str], list[str]]:
    """The arguments, the overrides among them, and the flags to hand over to Hydra, which wants them apart."""
    parser = get_args_parser()
    parser.prog = program
    parser.add_argument("--explain", nargs="?", const="", metavar="KEY", help="Show where each value was set")
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
    sweep = arguments.multirun  # then a comma stands between values
    overrides = [text if sweep else _quoted(text) for text in arguments.overrides]
    return arguments, overrides, [text for text in argv if text not in arguments.overrides]


def _quoted(text: str) -> str:
    """An override that sets a path, the path in quotes where Hydra's grammar would stumble over it."""
    key, _, value = text.partition("=")
    plain = re.fullmatch(r"[\w/.:@%+-]*|(['\"]).*\1", value, re.ASCII) or "${" in value
    return text if key not in _PATHS or plain else quoted(key, value)


def _directories(config_dir: str | None) -> tuple[Path, ...]:
    if config_dir is None:
        return (conf_dir(),)
    if not Path(config_dir).is_dir():
        raise ConfigError(f"--config-dir {config_dir}: no such folder")
    return (conf_dir(), Path(config_dir).resolve())


def _given(composition: Composition, key: str) -> str | None:
    """The override that sets one of Hydra's keys on the command line."""
    return next((text for text in override_texts(composition.hydra, "hydra") if text.lstrip("+").startswith(f"{key}=")), None)


def _make_folder(settings: Any, mode: str, composition: Composition) -> Path:
    """Makes the folder for a run or a sweep: the one given on the command line, else a new one in the project.

    Raises:
        ConfigError: if it is no folder to begin in.
    """
    key = f"hydra.{mode}.dir"
    pattern: Any = OmegaConf.to_container(settings[mode], resolve=False)
    try:
        folder = Path(settings[mode].dir)
    except OmegaConfBaseException as error:
        raise ConfigError(f"{key}={pattern.get('dir')}: {str(error).splitlines()[0]}") from error
    return occupy(folder.absolute(), key) if _given(composition, key) else claim(project_root() / folder, key)


def _release(folder: Path | None) -> None:
    """Gives back a claimed folder that nothing was written to."""
    if folder is not None:
        with suppress(OSError):
            folder.rmdir()
