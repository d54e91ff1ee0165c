"""Finds a sweep's best job, if the jobs' results are comparable.

best_jobs([{"test": {"loss": 0.3, "accuracy": 0.9}}, {"test": {"loss": 0.4, "accuracy": 0.95}}])    # {1}
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from nnjax.config.data_options import SeriesOptions
from nnjax.config.parsing import to_mapping
from nnjax.config.schema import Config

# Options that change the training but not the test examples.
_TRAINING_ONLY = ("validation", "limit_train", "num_train", "normalize", "placement", "augment", "directory")
# Options that change a network's inputs but not the forecast's values, or the units of its errors.
_INPUTS_ONLY = ("window", "season", "transform", "difference", "limit_test")


def measured_on(config: Config) -> str:
    """The data and its test split, as text: two jobs' test results are comparable if these texts are equal."""
    left_out = _TRAINING_ONLY + (_INPUTS_ONLY if isinstance(config.data, SeriesOptions) else ())
    return json.dumps({key: value for key, value in to_mapping(config.data).items() if key not in left_out}, sort_keys=True)


def best_jobs(jobs: Sequence[Mapping[str, Any]]) -> frozenset[int]:
    """Indices of the jobs with the best result; several if they tie.

    The best job has the lowest forecast RMSE; without forecasts, the highest test accuracy, then the lowest test loss. A job
    competes if its results are finite, in all of its trials.

    Args:
        jobs: mappings with the keys `test` (metrics by name), `forecast` (rmse, mae), `measured_on` and `loss` (texts, equal if
            results are comparable), `spread` (each result's, over the trials) and `trials` (their number).

    Returns:
        The indices; empty if fewer than two jobs compete, if all tie, or if results are not comparable: different test data,
        only some jobs with an accuracy, or different loss functions and no accuracy.
    """
    forecasts = any(job.get("forecast") for job in jobs)
    decisive = ("forecast", "rmse") if forecasts else ("test", "loss")
    found = {index: job for index, job in enumerate(jobs) if _finite(job, *decisive)}
    if len(found) < 2 or len({job.get("measured_on") for job in found.values()}) > 1:
        return frozenset()
    same_loss = len({job.get("loss") for job in found.values()}) == 1
    scores: dict[int, tuple[float, ...]]
    if forecasts:
        scores = {index: (-job["forecast"]["rmse"],) for index, job in found.items()}
    elif all(_finite(job, "test", "accuracy") for job in found.values()):
        scores = {i: (job["test"]["accuracy"], -job["test"]["loss"] if same_loss else 0.0) for i, job in found.items()}
    elif same_loss and not any("accuracy" in job["test"] for job in found.values()):
        scores = {index: (-job["test"]["loss"],) for index, job in found.items()}
    else:
        return frozenset()
    best = max(scores.values())
    winners = frozenset(index for index, score in scores.items() if score == best)
    return winners if len(winners) < len(scores) else frozenset()


def _finite(job: Mapping[str, Any], split: str, name: str) -> bool:
    """Whether a job, and each of its trials, has a finite result."""
    value = (job.get(split) or {}).get(name)
    spread = (job.get("spread") or {}).get(f"{split}_{name}")
    return value is not None and math.isfinite(value) and (spread is None or spread["n"] == job.get("trials"))
