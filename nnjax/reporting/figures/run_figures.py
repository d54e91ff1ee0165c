"""The pictures that suit a run, in its `figures/` folder.

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
    """TrialParams learning curves from the run's metrics, what the test split shows, the first layer's filters, and a forecast.

    Of several trials the learning curves show all, and so does the figure by learning rate, where that varies; the rest is of
    one network.

    Args:
        run_dir: the run's folder.
        inputs: [n, ...] of the test split; images are [n, h, w, c].
        targets: [n] class numbers, or [n, k] values.
        outputs: [n, k] of the network.
        losses: [n] of each example.
        class_names: one a class; none for regression.
        from_logits: whether softmax makes the outputs probabilities; else they stand for probabilities themselves.
        kernel: [kh, kw, c, features] of the first layer, where that is a convolution.
        forecast: of the test split, where that is the end of a series.
        trials: a row for each trial, as `nnjax.reporting.trial_results.rows_of` makes them; none for one network.

    Returns:
        The files, in the order to look at them.
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
            sureness = np.take_along_axis(probabilities(outputs, from_logits), predictions[:, None], axis=1)[:, 0]
            drawn = folder / "worst_mistakes.png"
            worst_mistakes(inputs, targets, predictions, losses, sureness, class_names, drawn)
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
