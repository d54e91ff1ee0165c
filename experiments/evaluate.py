"""Measures the test split again, from a run's checkpoint: `python -m experiments.evaluate run=outputs/train/…`.

A series is forecast again, too. On the devices that the run had, the figures are exactly those of its `summary.json`.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.table import Table

from nnjax.checks.memory_checks import MemoryLimits, check_memory, out_of_memory_explained
from nnjax.cli import command
from nnjax.cli.runs import read_config
from nnjax.config.errors import DataError
from nnjax.config.schema import EvaluateConfig, TrainConfig
from nnjax.config.shell import shell_text
from nnjax.reporting.console import RunConsole
from nnjax.reporting.run_summary import read_summary, write_json
from nnjax.reporting.trial_results import forecast_errors, mean_forecast, means, rows_of, trials_summary
from nnjax.reporting.trial_tables import show_trials


def main() -> None:
    """The command line."""
    command.run("evaluate", EvaluateConfig, evaluate)


def evaluate(config: EvaluateConfig, run_dir: Path) -> Mapping[str, Any]:
    """Measures one checkpoint of a run; writes `evaluation.json` and returns what stands there.

    Raises:
        ConfigError: if the machine has not the devices that the run asks for, or these not the memory.
        DataError: if the data or the checkpoint is missing or damaged.
    """
    run = Path(config.run)
    run_config = read_config(TrainConfig, run)
    # Before JAX is imported, by what is known then; what the training may take is no matter here.
    run_config = replace(run_config, parallel=replace(run_config.parallel, memory_limit=config.memory_limit))
    check_memory(run_config, purpose="evaluate", limits=MemoryLimits(config.memory_limit, "memory_limit"))
    summary = read_summary(run) if config.checkpoint == "tested" or (run / "summary.json").exists() else {}
    with (
        RunConsole(run_dir / "evaluate.log") as console,
        ExitStack() as stack,
        out_of_memory_explained(run_config, "evaluate"),
    ):
        # JAX takes a second to import, which a mistaken command need not wait for.
        from nnjax.parallel.environment import import_guard, jax_settings

        with import_guard():
            from nnjax.training import experiment as _  # noqa: F401
        stack.enter_context(jax_settings(console.warn))
        from nnjax.data.load import load
        from nnjax.parallel.compilation import keep_compiled
        from nnjax.parallel.device_memory import check_devices
        from nnjax.parallel.devices import select_devices
        from nnjax.training.checkpoints import Checkpoints
        from nnjax.training.experiment import set_up
        from nnjax.training.forecast import make_forecasts

        keep_compiled(console.warn)
        devices = select_devices(run_config)
        check_devices(run_config, devices, "evaluate", config.memory_limit, "memory_limit")
        dataset = load(run_config.data, echo=console.print)
        experiment, template = set_up(run_config, dataset, devices)
        which = config.checkpoint
        if which == "tested":
            if "tested_step" not in summary:
                raise DataError(
                    f"{shell_text(run)}: nothing was tested, since the run is {summary['status']}; take checkpoint=last"
                )
            which = summary["tested_step"]
        checkpoints = Checkpoints(run / "checkpoints")
        state, progress = checkpoints.restore(template, which)
        checkpoints.close()
        state = experiment.placement.put(state)
        result = experiment.evaluate(state, dataset.test)

        evaluation: dict[str, Any] = {
            "run": str(run),
            "checkpoint": config.checkpoint,
            "step": progress.step,
            "test": means(result.metrics),
            "test_examples": result.count,
        }
        splits = {"test": result.metrics}
        console.print(
            _comparison("test", evaluation["test"], summary.get("test", {}), f"{result.count:,} examples", progress.step)
        )
        if dataset.series is not None:
            forecasts = [forecast.summary for forecast in make_forecasts(experiment, state, dataset.series)]
            evaluation["forecast"] = forecast = mean_forecast(forecasts)
            splits["forecast"] = forecast_errors(forecasts)
            errors, rows = means(splits["forecast"]), f"{forecast['first']} to {forecast['last']}"
            console.print(_comparison("forecast", errors, summary.get("forecast", {}), rows, progress.step))
        if experiment.placement.many:
            trials = rows_of(experiment.plan.trials, splits, steps=progress.step, diverged=progress.diverged)
            evaluation |= trials_summary(trials)
            show_trials(console, evaluation)
        write_json(run_dir / "evaluation.json", evaluation)
        console.print(f"Written to {shell_text(run_dir / 'evaluation.json')}")
    return evaluation


def _comparison(what: str, measured: Mapping[str, float], recorded: Mapping[str, Any], rows: str, step: int) -> Table:
    table = Table(what, f"step {step}, {rows}", "summary.json")
    for name, value in measured.items():
        table.add_row(name, repr(value), repr(recorded[name]) if name in recorded else "")
    return table


if __name__ == "__main__":
    main()
