"""Writes a run's `report.html` from its folder: at the end of a training, and again by `experiments.report`.

    with leaving_report(config, run_dir, console):
        begin_parts(config, run_dir, layers)                       # report.json, before the first step
        add_test_parts(run_dir, layers, experiment, state, …)      # with what the test shows
    write_run_report(run_dir, run_dir / "report.html")             # once more

The page is a function of the folder's files alone, without JAX and without the data.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnjax.api.drawing_beside import handed_over
from nnjax.api.shown_results import kernel_of, results_of_trial, shown_trial
from nnjax.cli.plugins import noted_plugins
from nnjax.cli.reproducing import NOT_SET, command_of, told_apart
from nnjax.cli.resume_notice import other_past
from nnjax.cli.runs import read_config
from nnjax.cli.stored_config import read_stored_config
from nnjax.config.errors import ConfigError, DataError, StorageError
from nnjax.config.invocation import verb_command
from nnjax.config.paths import shown_path
from nnjax.config.schema import TrainConfig
from nnjax.config.shell import shell_text
from nnjax.reporting.about_sections import value_text
from nnjax.reporting.console import RunConsole
from nnjax.reporting.metrics import read_metrics
from nnjax.reporting.report_page import write_page
from nnjax.reporting.report_parts import FILE, begun_parts, parts_of_test, read_parts
from nnjax.reporting.run_page import RunFacts, run_page
from nnjax.reporting.run_summary import read_summary, write_json

if TYPE_CHECKING:
    from nnjax.training.evaluation import Evaluation
    from nnjax.training.experiment import Experiment
    from nnjax.training.state import TrainState

PAGE = "report.html"


def wants_page(config: TrainConfig) -> bool:
    """Whether a run leaves a page: as `report.page` asks; `auto` as `report.figures` does."""
    return config.report.figures if config.report.page == "auto" else config.report.page


def begin_parts(config: TrainConfig, run_dir: Path | None, layers: Sequence[Any]) -> None:
    """Writes the layers into a run's folder, so that they are on the page of a run that diverges, too."""
    if run_dir is not None and wants_page(config):
        with suppress(StorageError):  # said where the first checkpoint is written
            write_json(run_dir / FILE, begun_parts(layers))


def add_test_parts(
    folder: Path,
    layers: Sequence[Any],
    experiment: "Experiment",
    state: "TrainState",
    evaluation: "Evaluation | None",
    forecasts: Sequence[Any],
    console: RunConsole,
) -> None:
    """Writes what the test shows; what prevents that is said, and costs the run nothing else.

    Args:
        folder: of the run.
        layers: from `nnjax.models.layer_summary.summarize`.
        experiment: with its dataset.
        state: the network's, on the devices.
        evaluation: of the test split; None where nothing was held out.
        forecasts: one for each trial, if the data is a series.
        console: shows warnings.
    """
    shown = shown_trial(evaluation)
    if shown is None:
        return
    try:
        first = next((name for name in experiment.recipe.network.layer_names if name in state.params), None)
        kernel = None if first is None else kernel_of(first, shown, experiment, state)
        parts = parts_of_test(**results_of_trial(shown, experiment, evaluation, forecasts), kernel=kernel)
        trial = {"trial": shown} if experiment.placement.many else {}
        write_json(folder / FILE, begun_parts(layers) | trial | parts)
    except Exception as error:  # no result depends on it
        console.warn(f"{FILE} was not written: {type(error).__name__}: {str(error).partition(chr(10))[0]}")


def run_facts(run_dir: Path, parts_dir: Path | None = None) -> RunFacts:
    """Reads what a run's folder holds; what is missing or damaged becomes a line of `problems`.

    Args:
        run_dir: the run's folder.
        parts_dir: where `report.json` is; None is the run's folder.
    """
    problems: list[str] = []
    config = _read(lambda: read_stored_config(run_dir / "config.yaml"), problems, run_dir, {})
    summary = _read(lambda: read_summary(run_dir), problems, run_dir, {}) if (run_dir / "summary.json").exists() else {}
    records = _read(lambda: read_metrics(run_dir), problems, run_dir, []) if (run_dir / "metrics.jsonl").exists() else []
    parts, line = read_parts(parts_dir or run_dir)
    if line:
        problems.append(_without_place(line, parts_dir or run_dir))
    elif not parts and ("num_params" in summary or not summary):
        reason = "its page was off, or it is of a version before this page"
        problems.append(f"The run has no {FILE}, which holds layers, classes and mistakes: {reason}.")
    elif summary.get("test") and not parts.keys() - {"version", "layers"}:
        reason = "the training was ended before it was written"
        again = f"{verb_command('report')} run=FOLDER tests the network again"
        problems.append(f"{FILE} lacks classes and mistakes: {reason}. {again}.")
    return RunFacts(run_dir.absolute().name, config, summary, records, parts, *_reproducing(run_dir, config), problems)


def _reproducing(run_dir: Path, config: Mapping[str, Any]) -> tuple[list[tuple[str, str, str]] | None, str, list[str]]:
    """What differs from the defaults, as texts, the command that trains the same, and notes on it."""
    try:
        told = told_apart(config)
        flags, by_code = noted_plugins(run_dir)
    except (ConfigError, KeyError, TypeError, ValueError, AttributeError):
        return None, "", []  # such as options of a plugin that is not loaded: the whole config is shown all the same
    changes = [
        (each.key, "" if each.default is NOT_SET else value_text(each.default), value_text(each.value)) for each in told.changes
    ]
    notes = []
    if by_code:
        notes.append(f"Python code registered {', '.join(by_code)}: put it into a file, and give its name for FILE.")
    with suppress(ConfigError, DataError, OSError, ValueError, TypeError):
        if other_past(replace(read_config(TrainConfig, run_dir), resume=str(run_dir)), run_dir):
            notes.append(
                "The run was resumed with another length, and its steps followed another schedule until then: "
                "one training with these settings becomes another network."
            )
    return changes, command_of(told, flags), notes


def write_run_report(run_dir: Path, path: Path, parts_dir: Path | None = None) -> Path:
    """Writes a run's page.

    Args:
        run_dir: the run's folder.
        path: the HTML file.
        parts_dir: where `report.json` is; None is the run's folder.

    Returns:
        The path.

    Raises:
        StorageError: if it cannot be written.
    """
    write_page(path, run_page(run_facts(run_dir, parts_dir)))
    return path


@contextmanager
def leaving_report(config: TrainConfig, run_dir: Path | None, console: RunConsole) -> Iterator[None]:
    """Writes the page when the context ends, after completed, diverged and failed trainings; no result depends on it.

    A run that a signal ended leaves none, since the time until the machine goes is short, and a refused resume none, since its
    folder stays as it is.

    Args:
        config: the experiment.
        run_dir: the run's folder; None writes nothing.
        console: shows why there is no page, and its place.
    """
    before = None if run_dir is None else _changed(run_dir / "summary.json")

    def leave(*, beside: bool) -> None:
        if run_dir is None or _changed(run_dir / "summary.json") == before:
            return
        page = run_dir / PAGE
        with suppress(OSError):
            page.unlink(missing_ok=True)  # of an earlier session, it would show another result than the summary
        if not wants_page(config) or _status(run_dir) == "preempted":
            return
        if beside and handed_over(_write_own_page, run_dir):
            console.print(f"A page to send: {shell_text(page)}")
        elif facts := _write_own_page(run_dir, warn=console.warn):
            what = "A page to send" if facts.records else "A page about the failed run"
            console.print(f"{what}: {shell_text(page)}")

    try:
        yield
    except Exception:
        leave(beside=False)
        raise
    leave(beside=True)


def _write_own_page(run_dir: Path, warn: Callable[[str], object]) -> RunFacts | None:
    """Writes a run's page into its folder; returns what it shows, or None where it could not be written."""
    try:
        facts = run_facts(run_dir)
        write_page(run_dir / PAGE, run_page(facts))
    except Exception as error:
        warn(f"{PAGE} was not written: {type(error).__name__}: {str(error).partition(chr(10))[0]}")
        return None
    return facts


def _status(run_dir: Path) -> object:
    """The status in a run's summary; None where it cannot be read."""
    with suppress(ConfigError, DataError, OSError, ValueError):
        return read_summary(run_dir).get("status")
    return None


def _changed(path: Path) -> int | None:
    """When a file was written last, in nanoseconds; None without one."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None


def _read(read: Any, problems: list[str], run_dir: Path, nothing: Any) -> Any:
    """What a reader returns; where it fails, a line of `problems` without the folder's place, and `nothing`."""
    try:
        return read()
    except (ConfigError, DataError, StorageError, OSError, ValueError) as error:
        problems.append(_without_place(str(error).partition("\n")[0], run_dir))
        return nothing


def _without_place(line: str, folder: Path) -> str:
    """A line that names a file of a folder by its name alone: where the folder lies is no part of a page to send."""
    return line.replace(f"{folder}{os.sep}", "").replace(f"{shown_path(folder)}{os.sep}", "")
