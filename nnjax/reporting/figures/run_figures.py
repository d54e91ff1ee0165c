"""Draws a run's figures into its `figures/` folder.

draw_run(
    run_dir, inputs=test.inputs, targets=test.targets, outputs=outputs, losses=losses, class_names=names, from_logits=True
)
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnjax.reporting.figures.classification import confusion_matrix, worst_mistakes
from nnjax.reporting.figures.curves import learning_curves, regression_fit
from nnjax.reporting.figures.filters import first_layer_filters
from nnjax.reporting.figures.forecast_curve import ForecastLike, draw_forecast
from nnjax.reporting.figures.learning_rates import draw_learning_rates
from nnjax.reporting.figures.reliability import reliability_diagram
from nnjax.reporting.figures.weight_curves import weight_curves
from nnjax.reporting.metrics import read_metrics
from nnjax.reporting.probabilities import probabilities


def figures_of_run(
    run_dir: Path,
    *,
    inputs: NDArray[Any],
    targets: NDArray[Any],
    outputs: NDArray[np.float32] | None,
    losses: NDArray[np.float32] | None,
    class_names: Sequence[str],
    from_logits: bool,
    kernel: NDArray[Any] | None = None,
    forecast: ForecastLike | None = None,
    trials: Sequence[Mapping[str, Any]] = (),
    calibration: Mapping[str, Any] | None = None,
) -> dict[str, Callable[[Path], object]]:
    """The names of a run's figures in reading order, each with the function that draws it into a file.

    Learning curves, test results, calibration, the first layer's filters and a forecast, as far as the run has them. Where
    there are several trials, the learning curves and the figure over the learning rates (if these vary) show all of them; the
    other figures show one network.

    Args:
        run_dir: the run's folder, with its metrics.
        inputs: [n, ...] the test split's inputs; images are [n, h, w, c].
        targets: [n] class numbers, or [n, k] values.
        outputs: [n, k] the network's outputs; None where nothing was tested.
        losses: [n] each example's loss; None where nothing was tested.
        class_names: one for each class; empty for regression.
        from_logits: whether the outputs are logits (softmax gives probabilities); else they are probabilities.
        kernel: [kh, kw, c, features] of the first layer, if it is a convolution.
        forecast: the test split's forecast, if the data is a series.
        trials: rows from `nnjax.reporting.trial_results.rows_of`; empty for one network.
        calibration: as in `summary.json`; None where nothing was measured.
    """
    records = read_metrics(run_dir)
    figures: dict[str, Callable[[Path], object]] = {"learning_curves": lambda path: learning_curves(records, path)}
    if len({row["learning_rate"] for row in trials}) > 1:
        figures["learning_rates"] = lambda path: draw_learning_rates(trials, path)
    if any(record["split"] == "weights" for record in records):
        figures["weights"] = lambda path: weight_curves(records, path)
    if outputs is None or losses is None:
        pass
    elif class_names:
        predictions = outputs.argmax(axis=1)
        figures["confusion_matrix"] = lambda path: confusion_matrix(targets, predictions, class_names, path)
        if inputs.ndim == 4:

            def mistakes(path: Path) -> None:
                confidence = np.take_along_axis(probabilities(outputs, from_logits), predictions[:, None], axis=1)[:, 0]
                worst_mistakes(inputs, targets, predictions, losses, confidence, class_names, path)

            figures["worst_mistakes"] = mistakes
        if calibration is not None:
            figures["calibration"] = lambda path: reliability_diagram(calibration, path)
    elif len(targets) > 1:  # a single dot would say less than the losses do
        figures["regression_fit"] = lambda path: regression_fit(targets, outputs, path, scaled=forecast is not None)
    if forecast is not None:
        figures["forecast"] = lambda path: draw_forecast(forecast, path)
    if kernel is not None:
        figures["first_layer_filters"] = lambda path: first_layer_filters(kernel, path)
    return figures


def draw_run(
    run_dir: Path, *, folder: Path | None = None, warn: Callable[[str], object] | None = None, **results: Any
) -> list[Path]:
    """Draws the figures of a run.

    Args:
        run_dir: the run's folder, with its metrics.
        folder: where to draw; None is `run_dir`/figures.
        warn: called with a line about each figure that could not be drawn; the others are drawn all the same. None raises.
        results: the other arguments of `figures_of_run`.

    Returns:
        The files, in reading order.
    """
    folder = folder or run_dir / "figures"
    paths = []
    for name, draw in figures_of_run(run_dir, **results).items():
        path = folder / f"{name}.png"
        try:
            draw(path)
        except Exception as error:
            if warn is None:
                raise
            warn(f"{path.name} was not drawn: {type(error).__name__}: {str(error).partition(chr(10))[0]}")
        else:
            paths.append(path)
    return paths
