"""The parts of a run that its report needs and no other file holds: `report.json`.

    parts = begun_parts(layers) | parts_of_test(inputs=…, targets=…, outputs=…, losses=…, class_names=names, from_logits=True)
    write_json(run_dir / "report.json", parts)
    read_parts(run_dir)["confusion"]          # [[true, predicted, count], …]

Made at the end of a training, when the outputs are in memory. So the page can be drawn again from the folder alone, without the
data and without JAX. A few hundred kilobytes at most: pictures are small PNGs, long lists are thinned.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnjax.config.errors import ConfigError
from nnjax.config.stored_files import read_json
from nnjax.reporting.figures.forecast_curve import ForecastLike
from nnjax.reporting.inline_pictures import picture_of, sheet_of
from nnjax.reporting.probabilities import probabilities

FILE = "report.json"
_MOST_BYTES = 1 << 24
_MOST_MISTAKES = 24
_MOST_FILTERS = 64
_MOST_POINTS = 400
_MOST_HISTORY = 5  # known values, as a multiple of the forecast's length


def begun_parts(layers: Sequence[Any]) -> dict[str, Any]:
    """Returns what is known before the first step.

    Args:
        layers: dataclasses, as from `nnjax.models.layer_summary.summarize`.
    """
    return {"version": 1, "layers": [asdict(layer) for layer in layers if is_dataclass(layer) and not isinstance(layer, type)]}


def parts_of_test(
    *,
    inputs: NDArray[Any],
    targets: NDArray[Any],
    outputs: NDArray[np.float32] | None,
    losses: NDArray[np.float32] | None,
    class_names: Sequence[str],
    from_logits: bool,
    kernel: NDArray[Any] | None = None,
    forecast: ForecastLike | None = None,
) -> dict[str, Any]:
    """Returns what the test shows, of one network.

    Args:
        inputs: [n, ...] the test split's inputs; images are [n, h, w, c].
        targets: [n] class numbers, or [n, k] values.
        outputs: [n, k] the network's outputs; None where nothing was tested.
        losses: [n] each example's loss; None where nothing was tested.
        class_names: one for each class; empty for regression.
        from_logits: whether the outputs are logits (softmax gives probabilities); else they are probabilities.
        kernel: weights of the first layer: [kh, kw, c, features] of a convolution, [inputs, units] of a dense layer.
        forecast: the test split's forecast, if the data is a series.

    Returns:
        As far as the run has them, `class_names`, `confusion` (rows of true class, predicted class and count), `mistakes`,
        `regression`, `loss_std` (of the examples' losses), `first_layer` and `forecast`.
    """
    parts: dict[str, Any] = {}
    is_image = inputs.ndim == 4
    if outputs is not None and losses is not None and len(losses):
        if len(losses) > 1:
            parts["loss_std"] = float(np.std(np.asarray(losses, np.float64), ddof=1))
        if class_names:
            parts |= _classified(inputs if is_image else None, targets, outputs, losses, class_names, from_logits)
        elif forecast is None and len(losses) > 1:  # one example is a dot
            parts["regression"] = _regression(targets, outputs)
    if kernel is not None:
        shown = _first_layer(kernel, inputs.shape[1:] if is_image else ())
        parts |= {} if shown is None else {"first_layer": shown}
    if forecast is not None:
        parts["forecast"] = _forecast(forecast)
    return parts


def read_parts(run_dir: Path) -> tuple[dict[str, Any], str]:
    """Returns the parts of a run, empty where an old run has none, and a line about what is wrong with them."""
    try:
        parts = read_json(run_dir / FILE, _MOST_BYTES)
    except FileNotFoundError:
        return {}, ""
    except (OSError, ConfigError, ValueError) as error:
        return {}, f"{FILE} cannot be read, and what only it holds is missing: {str(error).partition(chr(10))[0]}"
    if not isinstance(parts, dict) or parts.get("version") != 1:
        return {}, f"{FILE} is of another version, and what only it holds is missing"
    return parts, ""


def _classified(
    images: NDArray[Any] | None,
    labels: NDArray[Any],
    outputs: NDArray[np.float32],
    losses: NDArray[np.float32],
    class_names: Sequence[str],
    from_logits: bool,
) -> dict[str, Any]:
    predicted = outputs.argmax(axis=1)
    confidence = np.take_along_axis(probabilities(outputs, from_logits), predicted[:, None], axis=1)[:, 0]
    counts = np.zeros((len(class_names), len(class_names)), np.int64)
    np.add.at(counts, (np.asarray(labels, np.int64), predicted), 1)
    wrong = np.flatnonzero(predicted != labels)
    worst = wrong[np.argsort(-losses[wrong], kind="stable")][:_MOST_MISTAKES]
    low, high = (0.0, 1.0) if images is None else (min(float(images.min()), 0.0), float(images.max()))
    return {
        "class_names": list(class_names),
        "confusion": [[int(row), int(column), int(counts[row, column])] for row, column in np.argwhere(counts)],
        "mistakes": [
            {
                "example": int(index),
                "true": int(labels[index]),
                "predicted": int(predicted[index]),
                "confidence": float(confidence[index]),
                "loss": float(losses[index]),
                "picture": "" if images is None else picture_of(images[index], low, high),
            }
            for index in worst
        ],
    }


def _regression(targets: NDArray[Any], outputs: NDArray[Any]) -> dict[str, Any]:
    """The first output's true and predicted values, thinned to even distances, and its error over all examples."""
    true, predicted = np.asarray(targets, float)[:, 0], np.asarray(outputs, float)[:, 0]
    chosen = np.unique(np.linspace(0, len(true) - 1, min(len(true), _MOST_POINTS)).round().astype(int))
    spread = float(np.sum((true - true.mean()) ** 2))
    return {
        "outputs": int(targets.shape[1]),
        "examples": len(true),
        "true": true[chosen].tolist(),
        "predicted": predicted[chosen].tolist(),
        "rmse": float(np.sqrt(np.mean((predicted - true) ** 2))),
        "r_squared": 1 - float(np.sum((predicted - true) ** 2)) / spread if spread > 0 else None,
    }


def _first_layer(kernel: NDArray[Any], input_shape: tuple[int, ...]) -> dict[str, Any] | None:
    """The first layer's weights as pictures: filters of a convolution, or of each unit's weights a map over the image."""
    if kernel.ndim == 2 and len(input_shape) == 3 and kernel.shape[0] == int(np.prod(input_shape)):
        form, kernel = "weight map", kernel.reshape(*input_shape, -1)
    elif kernel.ndim == 4:
        form = "filter"
    else:
        return None
    height, width, channels, count = kernel.shape
    shown = np.moveaxis(np.asarray(kernel, np.float32), -1, 0)[:_MOST_FILTERS]
    size = [height, width, channels]
    return {"form": form, "size": size, "count": count, "shown": len(shown), "picture": sheet_of(shown)}


def _forecast(forecast: ForecastLike) -> dict[str, Any]:
    count, ahead = len(forecast.values), len(forecast.methods["network"])
    first = max(0, count - ahead * (1 + _MOST_HISTORY))
    return {
        "name": forecast.name,
        "labels": list(forecast.labels[first:]),
        "values": np.asarray(forecast.values[first:], float).tolist(),
        "methods": {name: np.asarray(values, float).tolist() for name, values in forecast.methods.items()},
        "errors": {name: dict(errors) for name, errors in forecast.errors.items()},
    }


def confusion_counts(parts: Mapping[str, Any]) -> NDArray[np.int64] | None:
    """Returns [true, predicted] the confusion matrix; None without one, or where the file holds something else."""
    names, cells = parts.get("class_names"), parts.get("confusion")
    if not names or not isinstance(cells, list):
        return None
    counts = np.zeros((len(names), len(names)), np.int64)
    for row, column, count in cells:
        counts[row, column] = count
    return counts
