"""Trains what the config describes, and leaves a run directory: `python -m experiments.train model=cnn data=cifar10`.

It reads from top to bottom: devices, data, model, resume, training, test, pictures.
"""

import time
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from nnjax.checks.memory_checks import out_of_memory_explained
from nnjax.cli import command
from nnjax.cli.resume_notice import other_past, resume_notice
from nnjax.cli.sessions import read_sessions
from nnjax.config.errors import DivergedError, PreemptedError
from nnjax.config.invocation import verb_command
from nnjax.config.parsing import config_hash
from nnjax.config.schema import TrainConfig
from nnjax.config.shell import shell_word
from nnjax.reporting.console import RunConsole
from nnjax.reporting.figures.canvas import preload
from nnjax.reporting.forecast_file import write_forecast
from nnjax.reporting.metrics import MetricWriter, last_metrics
from nnjax.reporting.progress_bar import Progress
from nnjax.reporting.run_summary import environment, peak_rss_mb, write_json
from nnjax.reporting.sweep_table import show_sweep
from nnjax.reporting.tables import closing_table, model_table
from nnjax.reporting.trial_results import (
    Numbers,
    forecast_errors,
    mean_forecast,
    means,
    rows_of,
    trials_summary,
    with_spread,
    write_trials,
)
from nnjax.reporting.trial_tables import show_trials

if TYPE_CHECKING:
    from nnjax.training.clock import Clock
    from nnjax.training.experiment import Experiment
    from nnjax.training.training_progress import TrainingProgress


def main() -> None:
    """The command line."""
    command.run("train", TrainConfig, train, on_sweep_end=show_sweep)


def train(config: TrainConfig, run_dir: Path) -> Mapping[str, Any]:
    """Runs one experiment and returns what stands in its `summary.json`, which is written if the run fails, too.

    Raises:
        ConfigError: if the machine has not the devices asked for, or these not the memory.
        DataError: if the data is missing or damaged.
        DivergedError: if the loss stopped being a finite number.
        OutOfMemoryError: if memory ran out all the same.
        PreemptedError: if a signal ended the run; its last state is saved.
    """
    started = time.perf_counter()
    summary: dict[str, Any] = {
        "name": run_dir.name,
        "status": "failed",
        "model": config.model.name,
        "data": config.data.name,
        "activation": config.activation.name,
        "parallel": config.parallel.name,
        "seed": config.seed,
        "config_hash": config_hash(config, other_past(config, run_dir)),
        "run_dir": str(run_dir),
        **environment(),
    }
    with RunConsole(run_dir / "train.log") as console:
        try:
            with out_of_memory_explained(config):
                _train(config, run_dir, console, summary)
        except BaseException as error:
            summary["error"] = str(error) or type(error).__name__
            summary["status"] = "diverged" if isinstance(error, DivergedError) else "failed"
            raise
        finally:
            total = time.perf_counter() - started + summary.pop("earlier_seconds", 0.0)
            summary.setdefault("seconds", {})["total"] = total
            summary["peak_rss_mb"] = peak_rss_mb()
            write_json(run_dir / "summary.json", summary)
            if "steps" in summary:
                console.print(closing_table(summary))
        if summary["status"] == "preempted":
            raise PreemptedError(
                f"{summary['reason']}: stopped after step {summary['steps']}, which is saved; "
                f"resume with: {verb_command('train')} {shell_word(f'resume={run_dir}')}"
            )
    return summary


def _train(config: TrainConfig, run_dir: Path, console: RunConsole, summary: dict[str, Any]) -> None:
    from nnjax.training.clock import Clock

    clock = Clock()
    summary["seconds"] = clock.seconds
    from nnjax.parallel.environment import import_guard, jax_settings

    with clock("import"), import_guard():
        import jax  # noqa: F401

        from nnjax.training import experiment, forecast, loop  # noqa: F401
    with jax_settings(console.warn, strict=config.debug.strict):
        _run(config, run_dir, console, summary, clock)


def _run(config: TrainConfig, run_dir: Path, console: RunConsole, summary: dict[str, Any], clock: "Clock") -> None:
    with clock("import"):
        import jax

        from nnjax.data.load import load
        from nnjax.models.layer_summary import summarize
        from nnjax.parallel.compilation import keep_compiled
        from nnjax.parallel.device_memory import check_devices
        from nnjax.parallel.devices import peak_device_mb, select_devices
        from nnjax.parallel.preemption import StopSignal
        from nnjax.training.checkpoints import Checkpoints
        from nnjax.training.experiment import set_up
        from nnjax.training.forecast import make_forecasts
        from nnjax.training.loop import fit
        from nnjax.training.state import abstract_network
        from nnjax.training.training_progress import TrainingProgress

    # --- devices: before anything else touches JAX ---
    training = config.training
    keep_compiled(console.warn)
    devices = select_devices(config)
    check_devices(config, devices)
    summary |= {"platform": devices[0].platform, "num_devices": len(devices), "num_processes": jax.process_count()}

    # --- data ---
    with clock("data"):
        dataset = load(config.data, echo=console.print)

    # --- model ---
    with clock("compile"):
        experiment, state = set_up(config, dataset, devices)
        layers = summarize(abstract_network(config, dataset.spec), dataset.spec)
    console.print(model_table(layers))
    summary |= {
        "num_params": sum(layer.num_params for layer in layers),
        "forward_flops": sum(layer.flops for layer in layers),
        "train_examples": len(dataset.train),
        "validation_examples": len(dataset.validation),
    }

    # --- resume: 1. the last complete checkpoint, if this folder has one; 2. else the beginning ---
    checkpoints = Checkpoints(run_dir / "checkpoints", training.keep)
    progress = TrainingProgress()
    if config.resume is not None:
        restored = checkpoints.restore_newest(state, console.warn)
        if restored is not None:
            state, progress = restored
            for phase, earlier in progress.seconds.items():
                clock.seconds[phase] += earlier
            summary["earlier_seconds"] = sum(progress.seconds.values())
            console.print(f"Resuming from step {progress.step} of {experiment.plan.steps.total}")
            for line in resume_notice(experiment.plan, read_sessions(run_dir), progress.step):
                console.print(line)
        else:
            console.print("There is no checkpoint yet: starting from the beginning")

    # --- training ---
    Thread(target=_preload, args=(config.report.figures,)).start()  # while XLA compiles and computes
    steps, placement = experiment.plan.steps, experiment.placement
    resume_step = progress.step if config.resume is not None else None
    with (
        MetricWriter(run_dir, config.report.tensorboard, resume_step=resume_step) as writer,
        Progress(console, steps.total, steps.per_epoch, progress.step) as bar,
        StopSignal() as stop,
        jax.profiler.trace(str(run_dir / "profile")) if config.debug.profile else nullcontext(),
    ):
        events = _Events(experiment, bar, writer, progress, last_metrics(run_dir))
        try:
            result = fit(experiment, state, progress, checkpoints=checkpoints, callback=events, stop=stop, clock=clock)
            summary |= {"status": result.status, "reason": result.reason}
        finally:
            summary |= events.summary(clock.seconds["train"]) | {"peak_device_mb": peak_device_mb(devices[0])}
        if result.status == "preempted":
            return
        if result.reason:
            console.print(f"Stopped: {result.reason}")

        # --- test: once, at the end ---
        with clock("eval"):
            tested, step = result.state, result.progress.step
            if training.test == "best":
                state, progress = checkpoints.restore(state, "best")
                tested, step = experiment.placement.put(state), progress.step
            evaluation = experiment.evaluate(tested, dataset.test)
            shown = evaluation.first_finite()  # what is drawn and forecast of one network is of this trial
            if shown is None:
                raise DivergedError(f"the test loss is {evaluation.loss} after step {step}: training diverged")
            forecasts = [] if dataset.series is None else make_forecasts(experiment, tested, dataset.series)
        summary |= {"test": means(evaluation.metrics), "test_examples": evaluation.count, "tested_step": step}
        if forecasts:
            summary["forecast"] = mean_forecast([forecast.summary for forecast in forecasts])
            write_forecast(forecasts[shown], run_dir / "forecast.csv")
        if placement.many:
            splits: dict[str, Mapping[str, Numbers]] = {**result.progress.trials, "test": evaluation.metrics}
            if forecasts:
                splits["forecast"] = forecast_errors([forecast.summary for forecast in forecasts])
            rows = rows_of(experiment.plan.trials, splits, steps=step, diverged=result.progress.diverged)
            summary |= trials_summary(rows)
            write_trials(rows, run_dir / "trials.csv")
            show_trials(console, summary)
        events.write(step, "test", evaluation.metrics)
    checkpoints.close()
    write_json(run_dir / "summary.json", summary)  # should a picture fail, the result stands

    # --- pictures ---
    if config.report.figures:
        with clock("figures"):
            from nnjax.reporting.figures.run_figures import draw_run

            first_layer = placement.one_of(placement.get(tested.params.get(layers[0].name, {})), shown)
            kernel = first_layer.get("kernel")
            summary["figures"] = draw_run(
                run_dir,
                inputs=dataset.test.inputs,
                targets=dataset.test.targets,
                outputs=placement.one_of(evaluation.outputs, shown),
                losses=placement.one_of(evaluation.losses, shown),
                class_names=dataset.class_names,
                from_logits=config.loss.from_logits,
                kernel=kernel if kernel is not None and kernel.ndim == 4 else None,
                forecast=forecasts[shown] if forecasts else None,
                trials=summary.get("trials", ()),
            )


def _preload(figures: bool) -> None:
    """Imports, in a thread, what is needed after the training has begun; what fails here fails where it is needed."""
    with suppress(Exception):  # at the latest where the process ends meanwhile
        import orbax.checkpoint  # noqa: F401

        if figures:
            preload()


class _Events:
    """Passes on what the loop tells, to the bar and to the metric files, and remembers the last of it."""

    def __init__(
        self,
        experiment: "Experiment",
        bar: Progress,
        writer: MetricWriter,
        progress: "TrainingProgress",
        last: Mapping[str, Mapping[str, float]],
    ) -> None:
        self._experiment, self._bar, self._writer = experiment, bar, writer
        self._started = time.perf_counter() - sum(progress.seconds.values())
        self._step, self._last = progress.step, dict(last)

    def trained(self, step: int, metrics: Mapping[str, Numbers], examples_per_second: float) -> None:
        self._step = step
        self._bar.update(step, means(metrics), examples_per_second)

    def evaluated(self, step: int, train: Mapping[str, Numbers], validation: Mapping[str, Numbers] | None) -> None:
        splits = {"train": train} | ({} if validation is None else {"validation": validation})
        last = {split: means(metrics) for split, metrics in splits.items()}
        self._bar.record(step, step / self._experiment.plan.steps.per_epoch, last)
        varies = self._experiment.config.training.vary.learning_rate is not None
        rate = {} if varies else {"learning_rate": self._experiment.learning_rate(step - 1)}
        for split, metrics in splits.items():
            self.write(step, split, {**metrics, **rate} if split == "train" else metrics)
        self._last |= last

    def weights(self, step: int, values: Mapping[str, float]) -> None:
        self.write(step, "weights", values)

    def summary(self, train_seconds: float) -> dict[str, Any]:
        """How far training came, for the summary; `train_seconds` are those of all steps."""
        batch_size, trials = self._experiment.config.training.global_batch_size, self._experiment.plan.trials
        examples = self._step * batch_size * len(trials)
        return {
            "steps": self._step,
            "epochs": self._step / self._experiment.plan.steps.per_epoch,
            "train": self._last.get("train"),
            "validation": self._last.get("validation"),
            "examples_per_second": examples / train_seconds if train_seconds else None,
        }

    def write(self, step: int, split: str, metrics: Mapping[str, Numbers]) -> None:
        """One line of metrics.jsonl."""
        epoch = step / self._experiment.plan.steps.per_epoch
        seconds = time.perf_counter() - self._started
        self._writer.write(step=step, epoch=epoch, split=split, metrics=with_spread(metrics), seconds=seconds)


if __name__ == "__main__":
    main()
