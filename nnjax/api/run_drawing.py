"""Draws the figures of a run from its experiment, at the end of a training and again by `experiments.evaluate`.

draw_figures(run_dir, run_dir / "figures", experiment, state, evaluation, forecasts, trials, console)
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from nnjax.api.drawing_beside import handed_over, is_drawing_beside
from nnjax.api.run_report import wants_page
from nnjax.api.shown_results import kernel_of, results_of_trial, shown_trial
from nnjax.api.tracked_run import chosen
from nnjax.config.schema import Report, TrainConfig
from nnjax.data.smoothing import preload_smoothing
from nnjax.reporting.console import RunConsole
from nnjax.reporting.figures.canvas import preload

if TYPE_CHECKING:
    from nnjax.data.time_series import TimeSeries
    from nnjax.training.evaluation import Evaluation
    from nnjax.training.experiment import Experiment
    from nnjax.training.state import TrainState


def draw_figures(
    run_dir: Path,
    folder: Path,
    experiment: "Experiment",
    state: "TrainState",
    evaluation: "Evaluation | None",
    forecasts: Sequence[Any],
    trials: Sequence[Mapping[str, Any]],
    console: RunConsole,
    calibration: Mapping[str, Any] | None = None,
) -> list[str]:
    """Draws; a figure that fails is named in a warning, and changes no result.

    Args:
        run_dir: the run's folder, with its metrics.
        folder: where to draw.
        experiment: with its dataset.
        state: the network's, on the devices.
        evaluation: of the test split; None where nothing was held out.
        forecasts: one for each trial, if the data is a series.
        trials: rows from `nnjax.reporting.trial_results.rows_of`; empty for one network.
        console: shows warnings.
        calibration: as from `nnjax.api.calibrating.calibration_of`.

    Returns:
        The files, in reading order.
    """
    from nnjax.reporting.figures.run_figures import draw_run, figures_of_run

    shown = shown_trial(evaluation)
    if shown is None:
        return []
    kernel = kernel_of(experiment.recipe.network.layer_names[0], shown, experiment, state)
    results = results_of_trial(shown, experiment, evaluation, forecasts) | {
        "kernel": kernel if kernel is not None and kernel.ndim == 4 else None,
        "trials": trials,
        "calibration": calibration,
    }
    try:
        if _draws_beside(experiment.config.report):
            names = list(figures_of_run(run_dir, **results))
            if handed_over(draw_run, run_dir, folder=folder.absolute(), **results):
                return [str(folder / f"{name}.png") for name in names]
        paths = draw_run(run_dir, folder=folder, warn=console.warn, **results)
    except Exception as error:  # such as metrics that cannot be read
        console.warn(f"no figures were drawn: {type(error).__name__}: {str(error).partition(chr(10))[0]}")
        return []
    return [str(path) for path in paths]


@contextmanager
def preloaded(config: TrainConfig, run_dir: Path | None, series: "TimeSeries | None") -> Iterator[None]:
    """Imports what the end of a training draws with, in a background thread; import errors surface at first use.

    Args:
        config: the experiment.
        run_dir: the run's folder; without one nothing is drawn.
        series: the data, if it is a series.
    """

    def preload_all() -> None:
        with suppress(Exception):  # at the latest where the process ends meanwhile
            if series is not None and series.holdout:
                preload_smoothing(series.known, series.season, series.holdout)
            if (config.report.figures or wants_page(config)) and not _draws_beside(config.report):
                preload()

    thread = Thread(target=preload_all)
    if run_dir is not None:
        thread.start()
    try:
        yield
    finally:
        if run_dir is not None:
            thread.join()


def _draws_beside(report: Report) -> bool:
    """Whether another process draws the figures: not if a tracker gets them when the run ends."""
    return is_drawing_beside() and not chosen(report)
