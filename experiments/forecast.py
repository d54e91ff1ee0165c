"""Forecasts the rows after the end of a run's series: `python -m experiments.forecast run=outputs/train/… horizon=12`.

All known rows are used, the held-out ones, too; `data.file=newer.csv` takes a file with more rows.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nnjax.api.forecasting import as_trained, future_of, held_out_note, series_of
from nnjax.api.jax_session import jax_session
from nnjax.api.opened_run import open_run, read_run
from nnjax.checks.memory_checks import out_of_memory_explained
from nnjax.cli import command
from nnjax.config.forecast_options import ForecastConfig
from nnjax.config.paths import shown_path
from nnjax.config.schema import TrainConfig
from nnjax.config.shell import shell_text
from nnjax.data.newer_series import KnownRows
from nnjax.reporting.console import RunConsole
from nnjax.reporting.counting_bar import waiting
from nnjax.reporting.future_report import (
    coverage_remarks,
    coverage_table,
    future_json,
    future_table,
    future_warnings,
    write_future,
)
from nnjax.reporting.run_summary import write_json


def main() -> None:
    """The command line."""
    command.run("forecast", ForecastConfig, forecast)


def forecast(config: ForecastConfig, run_dir: Path) -> Mapping[str, Any]:
    """Forecasts; writes `forecast.csv`, `forecast.json` and a figure, and returns the content of the second.

    Raises:
        ConfigError: if the run was trained on other data than a series, or the machine lacks its devices.
        DataError: if the data or the checkpoint is missing or damaged, or the newer file does not go on the run's series.
    """
    run = Path(config.run)
    run_config, summary = read_run(run, config.checkpoint, config.memory_limit)
    with as_trained(run_config, summary, config.data.file) as (run_config, file):
        known = series_of(run_config, f"run={shown_path(run)}", file)
        return _forecast(config, run_config, summary, known, file, run_dir)


def _forecast(
    config: ForecastConfig,
    run_config: TrainConfig,
    summary: Mapping[str, Any],
    known: KnownRows,
    file: str | None,
    run_dir: Path,
) -> Mapping[str, Any]:
    """Forecasts from rows that were read; imports JAX."""
    run = Path(config.run)
    with (
        RunConsole(run_dir / "forecast.log") as console,
        out_of_memory_explained(run_config, "evaluate"),
        jax_session(console.warn),
    ):
        opened = open_run(run_config, run, summary, config.checkpoint, console)
        with waiting(console, "simulating courses, also from earlier rows"):
            future = future_of(
                opened.experiment,
                opened.state,
                known,
                horizon=config.horizon,
                levels=config.levels,
                paths=config.paths,
                residuals=config.residuals,
                seed=config.seed,
            )
        for line in known.notes:
            console.warn(line)
        if note := held_out_note(known):
            console.print(note)
        if future.diverged:
            console.warn(f"{len(future.diverged)} of {len(future.trials)} trials are left out: their forecasts are not finite")
        console.print(future_table(future))
        console.print(coverage_table(future.coverage))
        for line in coverage_remarks(future):
            console.print(line)
        for line in future_warnings(future):
            console.warn(line)
        result = {
            "run": str(run),
            "checkpoint": config.checkpoint,
            "step": opened.progress.step,
            "file": file,
            "known": {"first": known.series.labels[0], "last": known.series.labels[-1], "count": len(known.series.values)},
            "newer": known.newer,
            **future_json(future),
        }
        write_future(future, run_dir / "forecast.csv")
        write_json(run_dir / "forecast.json", result)
        files = [run_dir / "forecast.csv", run_dir / "forecast.json"]
        if config.figures:
            from nnjax.reporting.figures.fan_chart import draw_fan

            files.append(run_dir / "figures" / "forecast.png")
            series = known.series
            held_out = known.held_out
            draw_fan(future, series.labels, series.values, held_out=held_out, season=series.season, path=files[-1])
        console.print("Written: " + ", ".join(shell_text(path) for path in files))
    return result


if __name__ == "__main__":
    main()
