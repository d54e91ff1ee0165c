"""What `experiments.report` does: a page of a run, of a sweep or of a comparison.

make_report(ReportConfig(run="outputs/train/…", sweep=None, compare=(), measure="auto"), run_dir, console)
"""

from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from nnjax.api.jax_session import jax_session
from nnjax.api.opened_run import open_run, read_run
from nnjax.api.replaced_jobs import replaced_runs, without_replaced
from nnjax.api.run_report import PAGE, add_test_parts, write_run_report
from nnjax.api.runs_report import runs_page
from nnjax.checks.memory_checks import out_of_memory_explained
from nnjax.cli.sweep_file import read_sweep
from nnjax.cli.sweep_results import OUTCOME_FILE, collect
from nnjax.config.errors import ConfigError, DataError
from nnjax.config.invocation import verb_command
from nnjax.config.paths import shown_path
from nnjax.config.report_options import ReportConfig
from nnjax.config.shell import shell_text, shell_word
from nnjax.config.stored_files import one_line
from nnjax.records.find import by_number, find_records, named_folders
from nnjax.reporting.console import RunConsole
from nnjax.reporting.report_page import write_page
from nnjax.reporting.report_parts import read_parts


def make_report(config: ReportConfig, run_dir: Path, console: RunConsole) -> Mapping[str, Any]:
    """Writes `report.html` into a folder.

    Args:
        config: names a run, a sweep, or runs to compare; one of the three, as `nnjax.checks.report_checks` holds.
        run_dir: the command's folder.
        console: shows what happens.

    Returns:
        `page`, its path, and `bytes`, its size.

    Raises:
        ConfigError: for words that name no run, and for runs that cannot be compared.
        DataError: if the network is to be tested again, and the data or the checkpoint is missing or damaged.
    """
    path = run_dir / PAGE
    if config.run is not None:
        _of_run(config, Path(config.run), run_dir, console)
    else:
        words, key = ([config.sweep], "sweep") if config.sweep is not None else (list(config.compare), "compare")
        records, left_out = without_replaced(find_records(words, key), words)
        title = f"Sweep {Path(config.sweep).name}" if config.sweep is not None else "Comparison"
        unbegun = _unbegun(config.sweep, {record.folder for record in records}) if config.sweep is not None else []
        command = "" if config.sweep is None else _command(named_folders(config.sweep, key))
        refuse = config.sweep is None
        write_page(path, runs_page(title, records, refuse=refuse, left_out=left_out, unbegun=unbegun, command=command))
    size = path.stat().st_size
    console.print(f"Written to {shell_text(path)}, {size / 1000:,.0f} kB")
    return {"page": str(path), "bytes": size}


def _command(folders: Sequence[Path]) -> str:
    """The command line that a sweep was started with, without its folder and launcher; empty where no record of it is left.

    Args:
        folders: that were named; several are no single sweep.
    """
    try:
        (folder,) = folders
        stored = read_sweep(folder)
    except (ValueError, ConfigError):
        return ""
    flags = ["--keep-going"] if stored.keep_going else []
    flags += ["--config-dir", shell_word(stored.config_dir)] if stored.config_dir else []
    flags += [word for plugin in stored.plugins for word in ("--plugin", shell_word(plugin))]
    return " ".join([verb_command(stored.verb), "-m", *map(shell_word, stored.task), *flags])


def _unbegun(sweep: str, begun: Set[Path]) -> list[str]:
    """A line for each job of a sweep that ended before it had a run's folder, such as by a config error."""
    outcomes = [path for folder in named_folders(sweep, "sweep") for path in folder.rglob(OUTCOME_FILE)]
    jobs = {path.parents[1] for path in outcomes} - begun
    results = [result for job in sorted(jobs - replaced_runs([*jobs]), key=by_number) for result in collect(job, None, ["."])]
    return [
        f"Job {each.number} ({' '.join(each.overrides)}): {each.status}{f': {each.error}' if each.error else ''}"
        for each in results
    ]


def _of_run(config: ReportConfig, run: Path, run_dir: Path, console: RunConsole) -> None:
    """Writes the page of a run, after a new test of its network where the folder lacks what only that shows."""
    parts, _ = read_parts(run)
    lacks = len(parts) <= 2  # the layers alone
    parts_dir = run
    if config.measure is True or (config.measure == "auto" and lacks):
        try:
            parts_dir = run_dir if _measure(config, run, run_dir, console) else run
        except (ConfigError, DataError) as error:
            if config.measure is True:
                raise
            console.warn(f"{shown_path(run)}: not tested again, so the page has fewer parts: {one_line(error)}")
    write_run_report(run, run_dir / PAGE, parts_dir)


def _measure(config: ReportConfig, run: Path, run_dir: Path, console: RunConsole) -> bool:
    """Tests a run's network again and writes what that shows into `run_dir`; false if the run tested nothing."""
    run_config, summary = read_run(run, "last", config.memory_limit)
    if "tested_step" not in summary or not summary.get("test_examples"):
        return False
    with out_of_memory_explained(run_config, "evaluate"), jax_session(console.warn):
        from nnjax.models.layer_summary import summarize
        from nnjax.training.forecast import make_forecasts
        from nnjax.training.initial_state import abstract_network

        opened = open_run(run_config, run, summary, "tested", console)
        experiment, dataset = opened.experiment, opened.experiment.dataset
        layers = summarize(abstract_network(run_config, dataset.spec), dataset.spec)
        evaluation = experiment.evaluate(opened.state, dataset.test)
        forecasts = [] if dataset.series is None else make_forecasts(experiment, opened.state, dataset.series)
        add_test_parts(run_dir, layers, experiment, opened.state, evaluation, forecasts, console)
    return True
