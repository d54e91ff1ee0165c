"""Finds a sweep's best job, if the jobs' results are comparable.

best = best_of([{"test": {"loss": 0.3, "accuracy": 0.9}}, {"test": {"loss": 0.4, "accuracy": 0.95}}])
best.jobs, best.note()    # {1}, "★ best test accuracy, chosen on the test split, …"
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nnjax.config.data_options import SeriesOptions
from nnjax.config.parsing import to_mapping
from nnjax.config.schema import Config

# Options that change the training but not the test examples.
_TRAINING_ONLY = ("validation", "limit_train", "num_train", "normalize", "placement", "augment", "directory")
# Options that change a network's inputs but not the forecast's values, or the units of its errors.
_INPUTS_ONLY = ("window", "season", "transform", "difference", "limit_test")

# Options that change neither the validation examples nor what a network's errors on them are measured in.
_SAME_VALIDATION = ("limit_test", "placement", "augment", "directory")


def measured_on(config: Config) -> str:
    """The data and its test split, as text: two jobs' test results are comparable if these texts are equal."""
    left_out = _TRAINING_ONLY + (_INPUTS_ONLY if isinstance(config.data, SeriesOptions) else ())
    return json.dumps({key: value for key, value in to_mapping(config.data).items() if key not in left_out}, sort_keys=True)


def validated_on(config: Config) -> str | None:
    """The data, as text: two jobs' validation results are comparable if these texts are equal. None without such a split."""
    data = to_mapping(config.data)
    scaled = () if isinstance(config.data, SeriesOptions) else ("normalize",)  # a series' errors are in the scaled unit
    left_out = (*_SAME_VALIDATION, *scaled)
    kept = {key: value for key, value in data.items() if key not in left_out}
    return json.dumps(kept, sort_keys=True) if data.get("validation") else None


@dataclass(frozen=True)
class Best:
    """A sweep's best jobs, and the result that decided.

    Attributes:
        jobs: indices; several if they tie.
        split: "validation", or "test" or "forecast" where the validation split cannot decide.
        metric: "accuracy", "loss" or "rmse".
    """

    jobs: frozenset[int]
    split: str
    metric: str

    def note(self) -> str:
        """What ★ stands for: `★ best validation accuracy`."""
        text = f"★ best {self.split} {self.metric}"
        return text if self.split == "validation" else f"{text}, chosen on the test split, where it looks better than it is"


def best_of(jobs: Sequence[Mapping[str, Any]]) -> Best | None:
    """Finds the best result.

    The validation split decides if each competing job was validated on the same examples: its accuracy, then its loss. Without
    it, the lowest forecast RMSE decides; without forecasts, the test accuracy, then the test loss. A job competes if its
    results are finite, in all of its trials.

    Args:
        jobs: mappings with the keys `test` and `validation` (metrics by name), `forecast` (rmse, mae), `measured_on`,
            `validated_on` and `loss` (texts, equal if results are comparable), `spread` (each result's, over the trials) and
            `trials` (their number).

    Returns:
        None if fewer than two jobs compete, if all tie, or if results are not comparable: different test data, only some jobs
        with an accuracy, or different loss functions and no accuracy.
    """
    forecasts = any(job.get("forecast") for job in jobs)
    decisive = ("forecast", "rmse") if forecasts else ("test", "loss")
    found = {index: job for index, job in enumerate(jobs) if _finite(job, *decisive)}
    if len(found) < 2 or len({job.get("measured_on") for job in found.values()}) > 1:
        return None
    validated = {job.get("validated_on") for job in found.values()}
    if len(validated) == 1 and None not in validated and (best := _best_by("validation", found)):
        return best
    if forecasts:
        return _winners({index: (-job["forecast"]["rmse"],) for index, job in found.items()}, *decisive)
    return _best_by("test", found)


def _best_by(split: str, jobs: Mapping[int, Mapping[str, Any]]) -> Best | None:
    """The jobs with the highest accuracy on a split, then the lowest loss if all have the same loss function."""
    same_loss = len({job.get("loss") for job in jobs.values()}) == 1
    if all(_finite(job, split, "accuracy") and _finite(job, split, "loss") for job in jobs.values()):
        scores = {i: (job[split]["accuracy"], -job[split]["loss"] if same_loss else 0.0) for i, job in jobs.items()}
        return _winners(scores, split, "accuracy")
    if same_loss and all(_finite(job, split, "loss") and "accuracy" not in job[split] for job in jobs.values()):
        return _winners({index: (-job[split]["loss"],) for index, job in jobs.items()}, split, "loss")
    return None


def _winners(scores: Mapping[int, tuple[float, ...]], split: str, metric: str) -> Best | None:
    best = max(scores.values())
    winners = frozenset(index for index, score in scores.items() if score == best)
    return Best(winners, split, metric) if len(winners) < len(scores) else None


def _finite(job: Mapping[str, Any], split: str, name: str) -> bool:
    """Whether a job, and each of its trials, has a finite result."""
    value = (job.get(split) or {}).get(name)
    spread = (job.get("spread") or {}).get(f"{split}_{name}")
    return value is not None and math.isfinite(value) and (spread is None or spread["n"] == job.get("trials"))
