from collections.abc import Callable
from typing import Any

import pytest

from nnjax.checks.step_counts import StepCounts, step_counts
from nnjax.config.parsing import parse
from nnjax.config.schema import TrainConfig
from nnjax.data.dataset_spec import dataset_spec


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, StepCounts(600, 600, 600, 20, 64, 20, 200)),  # 1293 examples in batches of 64
        ({"training.checkpoint_every": None}, StepCounts(600, 600, 600, 20, 64, 20, None)),
        ({"debug.max_steps": 4, "training.evaluate_every": "10%"}, StepCounts(4, 600, 600, 20, 64, 60, 200)),
        ({"debug.max_steps": 9999}, StepCounts(600, 600, 600, 20, 64, 20, 200)),
        ({"training.global_batch_size": 1293}, StepCounts(30, 30, 30, 1, 1293, 1, 10)),
        ({"training.duration": "640examples", "training.evaluate_every": "3steps"}, StepCounts(10, 10, 10, 20, 64, 3, 200)),
    ],
)
def test_step_counts(values_of: Callable[..., dict[str, Any]], changes: dict[str, Any], expected: StepCounts) -> None:
    config = parse(TrainConfig, values_of("", changes))
    assert step_counts(config, dataset_spec(config.data)) == expected
