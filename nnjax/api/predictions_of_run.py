"""What a run keeps of its test: the answer to each example, for comparisons and reports without the network.

keep_predictions(run_dir, experiment, evaluation, summary, console)
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nnjax.comparing.kept_predictions import Predictions, write_predictions
from nnjax.config.errors import StorageError
from nnjax.reporting.console import RunConsole
from nnjax.reporting.probabilities import probabilities

if TYPE_CHECKING:
    from nnjax.training.evaluation import Evaluation
    from nnjax.training.experiment import Experiment


def predictions_of(experiment: "Experiment", evaluation: "Evaluation", summary: Mapping[str, Any]) -> Predictions:
    """Returns the answers to the test split.

    Args:
        experiment: with its dataset.
        evaluation: of the test split.
        summary: the run's, with `tested_step`, `data_hash` and `test_hash`.
    """
    many = experiment.placement.many
    outputs, losses = (evaluation.outputs, evaluation.losses) if many else (evaluation.outputs[None], evaluation.losses[None])
    diverged = tuple(int(trial) for trial in np.flatnonzero(~np.isfinite(losses).all(axis=1)))
    targets = experiment.dataset.test.targets
    step, data_hash, test_hash = summary["tested_step"], summary.get("data_hash"), summary.get("test_hash")
    if not experiment.classification:
        targets = np.asarray(targets, np.float32)
        return Predictions(step, data_hash, test_hash, targets, outputs=outputs.astype(np.float32), diverged=diverged)
    predicted = np.argmax(outputs, axis=-1)
    with np.errstate(invalid="ignore", over="ignore"):  # a diverged trial
        shares = probabilities(outputs, experiment.config.loss.from_logits)
        confidence = np.take_along_axis(shares, predicted[..., None], -1)[..., 0].astype(np.float16)
        true_probability = shares[:, np.arange(len(targets)), targets].astype(np.float16)
    integer = np.uint8 if outputs.shape[-1] <= 256 else np.uint16 if outputs.shape[-1] <= 65536 else np.uint32
    return Predictions(
        step,
        data_hash,
        test_hash,
        targets.astype(integer),
        predicted.astype(integer),
        confidence,
        true_probability,
        diverged=diverged,
    )


def keep_predictions(
    run_dir: Path,
    experiment: "Experiment",
    evaluation: "Evaluation | None",
    summary: Mapping[str, Any],
    console: RunConsole,
) -> None:
    """Writes the answers into a run's folder; whatever prevents that is said, and costs the run nothing else.

    Args:
        run_dir: the run's folder.
        experiment: with its dataset.
        evaluation: of the test split; None, where no example was held out, writes nothing.
        summary: as for `predictions_of`.
        console: shows what was not kept.
    """
    if evaluation is None:
        return
    predictions = predictions_of(experiment, evaluation, summary)
    try:
        path = write_predictions(run_dir, predictions)
    except StorageError as error:
        console.warn(str(error))
        return
    if path is None:
        console.print(f"{len(predictions.targets):,} test predictions of {predictions.num_trials} trials are too many to keep")
