"""One training, from its devices to its figures, to be read from top to bottom.

    with RunConsole(run_dir / "train.log") as console:
        trained = run_training(config, run_dir, console)        # what `python -m experiments.train` does
    trained.summary["test"]

`nnjax.fit` calls the same function, without a folder where nothing is to be written. JAX is imported late, so
that a config error does not wait for it.
"""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnjax.api.calibrating import calibration_of
from nnjax.api.cluster_run import NoCheckpoints, shared_start, shared_state, take_part
from nnjax.api.jax_session import jax_session
from nnjax.api.predictions_of_run import keep_predictions
from nnjax.api.run_drawing import draw_figures, preloaded
from nnjax.api.run_ending import RunEnding, stopped_message, watched
from nnjax.api.run_report import add_test_parts, begin_parts, leaving_report, wants_page
from nnjax.api.tracked_run import RunTracking, tracked
from nnjax.checks.memory_checks import out_of_memory_explained
from nnjax.config.errors import DivergedError, PreemptedError
from nnjax.config.schema import TrainConfig
from nnjax.config.storage import check_free
from nnjax.reporting.console import RunConsole
from nnjax.reporting.forecast_file import write_forecast
from nnjax.reporting.metrics import MetricMemory, MetricWriter
from nnjax.reporting.progress_bar import Progress
from nnjax.reporting.run_callbacks import RunCallbacks
from nnjax.reporting.run_summary import write_json
from nnjax.reporting.tables import model_table
from nnjax.reporting.training_summary import summarized
from nnjax.reporting.trial_results import Numbers, forecast_errors, mean_forecast, means, rows_of, trials_summary, write_trials
from nnjax.reporting.trial_tables import show_trials

if TYPE_CHECKING:
    from nnjax.data.dataset import Dataset
    from nnjax.training.clock import Clock
    from nnjax.training.experiment import Experiment
    from nnjax.training.state import TrainState


@dataclass(frozen=True)
class TrainedNetwork:
    """A finished training.

    Attributes:
        experiment: the trained experiment, with its dataset.
        state: the tested network's, on the devices.
        records: as in `metrics.jsonl`.
        summary: as in `summary.json`.
    """

    experiment: "Experiment"
    state: "TrainState"
    records: list[dict[str, Any]]
    summary: Mapping[str, Any]


def run_training(
    config: TrainConfig, run_dir: Path | None, console: RunConsole, dataset: "Dataset | None" = None
) -> TrainedNetwork:
    """Trains and tests; `summary.json` is written if the training fails, too.

    Args:
        config: what to train, already checked.
        run_dir: the folder for everything that a run leaves; None writes nothing, and leaves signals to the caller.
        console: shows what happens.
        dataset: the data, where it was read before; None reads what the config names.

    Raises:
        ConfigError: if the machine lacks the requested devices, or they lack memory.
        DataError: if the data is missing or damaged.
        DivergedError: if the loss stopped being a finite number.
        OutOfMemoryError: if memory ran out all the same.
        PreemptedError: if a signal ended the run; its last state is saved.
    """
    with (
        RunEnding(run_dir) as ending,
        tracked(config, run_dir, console) as tracking,
        leaving_report(config, run_dir, console),
        summarized(config, run_dir, console) as tracking.summary,
        out_of_memory_explained(config),
    ):
        from nnjax.training.clock import Clock

        clock, summary = Clock(), tracking.summary
        summary["seconds"] = clock.seconds
        with (
            watched(config, run_dir, console, summary, clock),
            jax_session(console.warn, strict=config.debug.strict, timed=clock("import")),
            take_part(config, run_dir, console, summary) as config,
        ):
            trained = _train(config, run_dir, console, dataset, summary, clock, ending, tracking)
    if trained is None:
        raise PreemptedError(stopped_message(summary["reason"], summary, run_dir))
    return trained


def _train(
    config: TrainConfig,
    run_dir: Path | None,
    console: RunConsole,
    dataset: "Dataset | None",
    summary: dict[str, Any],
    clock: "Clock",
    ending: RunEnding,
    tracking: RunTracking,
) -> TrainedNetwork | None:
    """Fills the summary on the way; None if a signal ended the training."""
    with clock("import"):
        import jax

        from nnjax.api.kept_divergence import keeper_of, note_divergence
        from nnjax.api.resuming import begin, make_store, note_best
        from nnjax.data.content_hash import content_hash, hash_of_test
        from nnjax.data.load import load
        from nnjax.models.build import check_outputs
        from nnjax.models.layer_summary import summarize
        from nnjax.parallel.agreement import stop_signal
        from nnjax.parallel.compilation import keep_compiled
        from nnjax.parallel.device_memory import check_devices
        from nnjax.parallel.devices import peak_device_mb, select_devices
        from nnjax.parallel.peers import peers
        from nnjax.parallel.placement import computed
        from nnjax.parallel.profile import profiled
        from nnjax.training.background import Background
        from nnjax.training.dead_units import dead_units
        from nnjax.training.evaluation import EvaluationStoppedError
        from nnjax.training.exchange_time import exchange_seconds
        from nnjax.training.experiment import set_up
        from nnjax.training.forecast import errors_together, make_forecasts
        from nnjax.training.initial_state import abstract_network
        from nnjax.training.loop import fit
        from nnjax.training.recording import records_note
        from nnjax.training.state import state_bytes

    # --- devices: before anything else touches JAX ---
    training = config.training
    keep_compiled(console.warn)
    devices = select_devices(config)
    check_devices(config, devices)
    own_device = next(device for device in devices if device.process_index == jax.process_index())
    summary |= {"platform": devices[0].platform, "num_devices": len(devices), "num_processes": jax.process_count()}

    # --- data ---
    with clock("data"):
        dataset = load(config.data, echo=console.print) if dataset is None else dataset
    hashing = Background(partial(content_hash, dataset), daemon=True)  # while XLA compiles

    # --- model ---
    with clock("compile"):
        experiment, state = set_up(config, dataset, devices)
        layers = summarize(abstract_network(config, dataset.spec), dataset.spec)
    check_outputs(config.model, layers[-1].output_shape, dataset.spec)
    plan, placement = experiment.plan, experiment.placement
    if run_dir is not None:
        check_free(run_dir, state_bytes(computed(state)), "the first checkpoint")  # no memory for it is said first
    console.print(model_table(layers))
    summary |= {
        "num_params": sum(layer.num_params for layer in layers),
        "forward_flops": sum(layer.flops for layer in layers),
        "train_examples": len(dataset.train),
        "validation_examples": len(dataset.validation),
    }

    # --- resume, or the beginning ---
    start = begin(config, run_dir, state, experiment, hashing.result, console, summary)
    start = shared_start(start, state, hashing.result, console)
    begin_parts(config, run_dir, layers)
    tracking.start(config, start.run_id, start.metrics.get("resume_step"), plan.trials)  # while XLA compiles
    state, progress = start.state, start.progress
    for phase, earlier in progress.seconds.items():
        clock.seconds[phase] += earlier

    # --- training; signals are the caller's where there is no folder to save to ---
    with (
        preloaded(config, run_dir, dataset.series),  # while XLA compiles and computes
        MetricMemory() if run_dir is None else MetricWriter(run_dir, **start.metrics) as metrics,
        Progress(console, plan.steps.total, plan.steps.per_epoch, progress.step) as bar,
        nullcontext(stop_signal()) if run_dir is None and not peers().is_command else stop_signal() as stop,
        profiled(run_dir / "profile", console.warn) if run_dir is not None and config.debug.profile else nullcontext(),
    ):
        checkpoints = make_store(config, run_dir, start, hashing.result, metrics, console)
        checkpoints = NoCheckpoints() if peers().rank else checkpoints
        keeper = keeper_of(run_dir, experiment, state, checkpoints, clock)
        callbacks = RunCallbacks(
            config,
            bar,
            metrics,
            track=tracking.trackers.log,
            steps_per_epoch=plan.steps.per_epoch,
            learning_rate=experiment.learning_rate,
            num_trials=plan.num_trials,
            first_step=progress.step,
            earlier_seconds=sum(progress.seconds.values()),
        )
        try:
            result = fit(
                experiment,
                state,
                progress,
                checkpoints=checkpoints,
                callback=callbacks,
                stop=stop,
                clock=clock,
                keeper=keeper,
            )
            summary |= {"status": result.status, "reason": result.reason}
        finally:
            note_divergence(keeper, run_dir, summary, console)
            summary |= callbacks.summary(clock.seconds["train"]) | {"peak_device_mb": peak_device_mb(own_device)}
            summary["data_hash"] = hashing.result()
        if result.status == "preempted":
            return None
        if result.reason:
            console.print(f"Stopped: {result.reason}")
        if note := records_note(experiment, result.progress.step):
            console.print(note)
        if peers().count > 1:
            with clock("compile"):
                steps, averaging = result.progress.step - progress.step, experiment.recipe.averaging
                summary["communication"] = exchange_seconds(placement, result.state.params, averaging) * steps

        # --- test: once, at the end; a signal that ends it leaves it to the next session ---
        ending.trained(summary)
        with clock("eval"):
            tested, step = result.state, result.progress.step
            if training.test == "best":
                state, progress = shared_state(*checkpoints.restore(state, "best"), state)
                tested, step = experiment.layout.put(state), progress.step
                note_best(summary, progress, result.progress)
            evaluation, shown, calibration = None, None, None
            if len(dataset.test):  # data.holdout=0 holds no row of a series out
                try:
                    evaluation = experiment.evaluate(tested, dataset.test, stop)
                    calibration = calibration_of(experiment, tested, evaluation, stop)
                except EvaluationStoppedError:
                    summary |= {"status": "preempted", "reason": stop.requested}
                    return None
                shown = evaluation.first_finite()  # the trial that stands for one network in figures and the forecast
                if shown is None:
                    of_trials = "the test loss of every trial is not finite"
                    what = of_trials if placement.many else f"the test loss is {evaluation.loss}"
                    raise DivergedError(f"{what} after step {step}: training diverged")
            series = dataset.series if evaluation else None
            forecasts = [] if series is None else make_forecasts(experiment, tested, series)
        summary |= {"test": means(evaluation.metrics), "test_hash": hash_of_test(dataset)} if evaluation else {}
        summary |= {"test_examples": evaluation.count if evaluation else 0, "tested_step": step}
        summary |= {} if calibration is None else {"calibration": calibration}
        with clock("eval"):
            summary |= dead_units(experiment, tested)
        if forecasts and shown is not None:
            summary["forecast"] = mean_forecast([forecast.summary for forecast in forecasts]) | errors_together(
                forecasts, plan.trials
            )
            if run_dir is not None:
                write_forecast(forecasts[shown], run_dir / "forecast.csv", forecasts[shown].baselines)
        if placement.many:
            splits: dict[str, Mapping[str, Numbers]] = dict(result.progress.trials)
            splits |= {"test": evaluation.metrics} if evaluation else {}
            if forecasts:
                splits["forecast"] = forecast_errors([forecast.summary for forecast in forecasts])
            rows = rows_of(plan.trials, splits, steps=step, diverged=result.progress.diverged)
            summary |= trials_summary(rows)
            if run_dir is not None:
                write_trials(rows, run_dir / "trials.csv")
            show_trials(console, summary)
        if evaluation:
            callbacks.write(step, "test", evaluation.metrics)
    peers().needs_nobody = peers().is_command
    trained = TrainedNetwork(experiment, tested, metrics.records(), summary)
    if run_dir is None:
        return trained
    write_json(run_dir / "summary.json", summary)  # should a picture fail, the result stands
    ending.tested(summary)
    keep_predictions(run_dir, experiment, evaluation, summary, console)

    # --- figures, and what only memory holds of the page ---
    if (config.report.figures or wants_page(config)) and stop.requested is None:
        with clock("figures"):
            if wants_page(config):
                add_test_parts(run_dir, layers, experiment, tested, evaluation, forecasts, console)
            if config.report.figures:
                trials = summary.get("trials", ())
                summary["figures"] = draw_figures(
                    run_dir, run_dir / "figures", experiment, tested, evaluation, forecasts, trials, console, calibration
                )
    return trained
