"""Draws a run's figures into its `figures/` folder.

draw_run(
    run_dir, inputs=test.inputs, targets=test.targets, outputs=outputs, losses=losses, class_names=names, from_logits=True
)
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnjax.reporting.figures.classification import confusion_matrix, worst_mistakes
from nnjax.reporting.figures.curves import learning_curves, regression_fit
from nnjax.reporting.figures.filters import first_layer_filters
from nnjax.reporting.figures.forecast_curve import ForecastLike, draw_forecast
from nnjax.reporting.figures.learning_rates import draw_learning_rates
from nnjax.reporting.figures.weight_curves import weight_curves
from nnjax.reporting.metrics import read_metrics
from nnjax.reporting.probabilities import probabilities


def draw_run(
    run_dir: Path,
    *,
    inputs: NDArray[Any],
    targets: NDArray[Any],
    outputs: NDArray[np.float32],
    losses: NDArray[np.float32],
    class_names: Sequence[str],
    from_logits: bool,
    kernel: NDArray[Any] | None = None,
    forecast: ForecastLike | None = None,
    trials: Sequence[Mapping[str, Any]] = (),
) -> list[Path]:
    """Draws learning curves, test results, the first layer's filters and a forecast, as far as the run has them.

    For several trials, the learning curves and the figure over the learning rates (if these vary) show all of them; the other
    figures show one network.

    Args:
        run_dir: the run's folder, with its metrics.
        inputs: [n, ...] the test split's inputs; images are [n, h, w, c].
        targets: [n] class numbers, or [n, k] values.
        outputs: [n, k] the network's outputs.
        losses: [n] each example's loss.
        class_names: one for each class; empty for regression.
        from_logits: whether the outputs are logits (softmax gives probabilities); else they are probabilities.
        kernel: [kh, kw, c, features] of the first layer, if it is a convolution.
        forecast: the test split's forecast, if the data is a series.
        trials: rows from `nnjax.reporting.trial_results.rows_of`; empty for one network.

    Returns:
        The files, in reading order.
    """
    folder = run_dir / "figures"
    records = read_metrics(run_dir)
    learning_curves(records, drawn := folder / "learning_curves.png")
    paths = [drawn]
    if len({row["learning_rate"] for row in trials}) > 1:
        draw_learning_rates(trials, drawn := folder / "learning_rates.png")
        paths.append(drawn)
    if any(record["split"] == "weights" for record in records):
        weight_curves(records, drawn := folder / "weights.png")
        paths.append(drawn)
    if class_names:
        predictions = outputs.argmax(axis=1)
        confusion_matrix(targets, predictions, class_names, drawn := folder / "confusion_matrix.png")
        paths.append(drawn)
        if inputs.ndim == 4:
            confidence = np.take_along_axis(probabilities(outputs, from_logits), predictions[:, None], axis=1)[:, 0]
            drawn = folder / "worst_mistakes.png"
            worst_mistakes(inputs, targets, predictions, losses, confidence, class_names, drawn)
            paths.append(drawn)
    else:
        regression_fit(targets, outputs, drawn := folder / "regression_fit.png")
        paths.append(drawn)
    if forecast is not None:
        draw_forecast(forecast, drawn := folder / "forecast.png")
        paths.append(drawn)
    if kernel is not None:
        first_layer_filters(kernel, drawn := folder / "first_layer_filters.png")
        paths.append(drawn)
    return paths
