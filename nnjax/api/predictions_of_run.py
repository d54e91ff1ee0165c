"""What a run keeps of its test: the answer to each example, for comparisons and reports without the network.

keep_predictions(run_dir, experiment, evaluation, summary, console)
add_predictions(run_dir, experiment, evaluation, summary, step, console)     # to a run of a version before this file
"""

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nnjax.cli.folder_lock import in_use_elsewhere
from nnjax.comparing.kept_predictions import FILE, Predictions, write_predictions
from nnjax.config.errors import StorageError
from nnjax.config.paths import shown_path
from nnjax.data.content_hash import hash_of_test
from nnjax.reporting.console import RunConsole
from nnjax.reporting.probabilities import probabilities
from nnjax.reporting.trial_results import means

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


def add_predictions(
    run_dir: Path,
    experiment: "Experiment",
    evaluation: "Evaluation",
    summary: Mapping[str, Any],
    step: int,
    console: RunConsole,
) -> None:
    """Writes the answers into the folder of an earlier run that lacks them; touches no other file of it.

    They are not added if they are of another step than the run's result, if they give other figures than that, or while a
    process works in the folder.

    Args:
        run_dir: the run's folder.
        experiment: with the dataset that the run was tested on.
        evaluation: of the test split, just measured.
        summary: the run's.
        step: of the checkpoint that was measured.
        console: shows what was added, or why nothing was.
    """
    if os.path.lexists(run_dir / FILE) or summary.get("tested_step") != step or in_use_elsewhere(run_dir):
        return
    recorded = summary.get("test")
    for name, value in means(evaluation.metrics).items():
        known = recorded.get(name) if isinstance(recorded, Mapping) else None
        # Another device rounds a loss in its own way; an accuracy counts examples.
        exact = 1e-9 if name == "accuracy" else 1e-3
        if not isinstance(known, int | float) or not math.isclose(value, known, rel_tol=exact, abs_tol=1e-9):
            reason = f"test {name} is {value!r} here, and {known!r} in summary.json"
            console.warn(f"{shown_path(run_dir)}: the test predictions are not added, since {reason}")
            return
    keep_predictions(run_dir, experiment, evaluation, {**summary, "test_hash": hash_of_test(experiment.dataset)}, console)
    if (run_dir / FILE).exists():
        console.print(f"Added {shown_path(run_dir / FILE)}, by which runs are compared example by example")
