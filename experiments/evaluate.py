"""Measures the test split again, from a run's checkpoint: `python -m experiments.evaluate run=outputs/train/…`.

A series is forecast again, too. On the devices that the run had, the figures are exactly those of its `summary.json`.
To a run of an earlier version the answers to the test examples are added, by which `experiments.compare` compares networks.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from rich.table import Table

from nnjax.api.calibrating import calibration_of
from nnjax.api.jax_session import jax_session
from nnjax.api.opened_run import open_run, read_run
from nnjax.api.predictions_of_run import add_predictions
from nnjax.api.run_drawing import draw_figures
from nnjax.checks.memory_checks import out_of_memory_explained
from nnjax.cli import command
from nnjax.config.data_options import SeriesOptions
from nnjax.config.errors import ConfigError
from nnjax.config.invocation import verb_command
from nnjax.config.paths import shown_path
from nnjax.config.schema import EvaluateConfig
from nnjax.config.shell import shell_text, shell_word
from nnjax.reporting.baselines_table import baselines_table
from nnjax.reporting.console import RunConsole
from nnjax.reporting.run_summary import write_json
from nnjax.reporting.trial_results import forecast_errors, mean_forecast, means, rows_of, trials_summary
from nnjax.reporting.trial_tables import show_trials


def main() -> None:
    """The command line."""
    command.run("evaluate", EvaluateConfig, evaluate)


def evaluate(config: EvaluateConfig, run_dir: Path) -> Mapping[str, Any]:
    """Measures one checkpoint of a run; writes `evaluation.json` and returns what stands there.

    Raises:
        ConfigError: if the machine lacks the requested devices, or they lack memory.
        DataError: if the data or the checkpoint is missing or damaged.
    """
    run = Path(config.run)
    run_config, summary = read_run(run, config.checkpoint, config.memory_limit)
    if isinstance(run_config.data, SeriesOptions) and not run_config.data.holdout:
        advice = f"forecast with {verb_command('forecast')} {shell_word(f'run={shown_path(run)}')}"
        raise ConfigError(f"run={shown_path(run)}: has nothing to measure, since data.holdout=0 holds no row out; {advice}")
    with (
        RunConsole(run_dir / "evaluate.log") as console,
        out_of_memory_explained(run_config, "evaluate"),
        jax_session(console.warn),
    ):
        from nnjax.training.forecast import errors_together, make_forecasts

        opened = open_run(run_config, run, summary, config.checkpoint, console)
        experiment, state, progress = opened.experiment, opened.state, opened.progress
        dataset = experiment.dataset
        result = experiment.evaluate(state, dataset.test)

        evaluation: dict[str, Any] = {
            "run": str(run),
            "checkpoint": config.checkpoint,
            "step": progress.step,
            "test": means(result.metrics),
            "test_examples": result.count,
        }
        calibration = calibration_of(experiment, state, result)
        if calibration is not None:
            evaluation["calibration"] = calibration
        splits, made = {"test": result.metrics}, []
        measured, recorded = (
            evaluation["test"] | _measured(calibration),
            (summary.get("test") or {}) | _measured(summary.get("calibration")),
        )
        console.print(_comparison("test", measured, recorded, f"{result.count:,} examples", progress.step))
        add_predictions(run, experiment, result, summary, progress.step, console)
        if dataset.series is not None:
            made = make_forecasts(experiment, state, dataset.series)
            forecasts = [forecast.summary for forecast in made]
            evaluation["forecast"] = forecast = mean_forecast(forecasts) | errors_together(made, experiment.plan.trials)
            splits["forecast"] = forecast_errors(forecasts)
            errors, rows = means(splits["forecast"]), f"{forecast['first']} to {forecast['last']}"
            console.print(_comparison("forecast", errors, summary.get("forecast", {}), rows, progress.step))
            console.print(baselines_table(forecast))
        if experiment.placement.many:
            trials = rows_of(experiment.plan.trials, splits, steps=progress.step, diverged=progress.diverged)
            evaluation |= trials_summary(trials)
            show_trials(console, evaluation)
        write_json(run_dir / "evaluation.json", evaluation)
        if _is_drawn(config.figures, run_config.report.figures, run, summary):
            trials = evaluation.get("trials", ())
            figures = draw_figures(run, run_dir / "figures", experiment, state, result, made, trials, console, calibration)
            evaluation["figures"] = figures
            write_json(run_dir / "evaluation.json", evaluation)
            console.print(f"Drawn in {shell_text(run_dir / 'figures')}")
        console.print(f"Written to {shell_text(run_dir / 'evaluation.json')}")
    return evaluation


def _is_drawn(asked: bool | Literal["auto"], wanted: bool, run: Path, summary: Mapping[str, Any]) -> bool:
    """Whether to draw: as asked, else if the run wanted figures that are not all there."""
    if asked != "auto":
        return asked
    names = [Path(path).name for path in summary.get("figures") or ()]
    missing = not names or any(not (run / "figures" / name).exists() for name in names)
    return wanted and missing and (run / "metrics.jsonl").exists()


def _measured(calibration: Any) -> dict[str, Any]:
    """The numbers of a calibration that are compared; the temperatures of several trials stand in the file.

    Args:
        calibration: also from a `summary.json` that somebody wrote: what is no mapping has none.
    """
    names = ("temperature", "ece_before", "ece_after")
    found = {name: calibration.get(name) for name in names} if isinstance(calibration, Mapping) else {}
    return {name: value for name, value in found.items() if isinstance(value, float)}


def _comparison(what: str, measured: Mapping[str, float], recorded: Mapping[str, Any], rows: str, step: int) -> Table:
    table = Table(what, f"step {step}, {rows}", "summary.json")
    for name, value in measured.items():
        table.add_row(name, repr(value), repr(recorded[name]) if name in recorded else "")
    return table


if __name__ == "__main__":
    main()
