from collections.abc import Callable
from typing import Any

import pytest

from nnjax.checks.step_counts import Lengths, lengths
from nnjax.config.parsing import parse
from nnjax.config.schema import TrainConfig
from nnjax.data.dataset_spec import dataset_spec


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Lengths(600, 600, 20, 20, 200)),  # 1293 examples in batches of 64
        ({"training.checkpoint_every": None}, Lengths(600, 600, 20, 20, None)),
        ({"debug.max_steps": 4, "training.evaluate_every": "10%"}, Lengths(4, 600, 20, 60, 200)),
        ({"debug.max_steps": 9999}, Lengths(600, 600, 20, 20, 200)),
        ({"training.global_batch_size": 1293}, Lengths(30, 30, 1, 1, 10)),
        ({"training.duration": "640examples", "training.evaluate_every": "3steps"}, Lengths(10, 10, 20, 3, 200)),
    ],
)
def test_lengths(values_of: Callable[..., dict[str, Any]], changes: dict[str, Any], expected: Lengths) -> None:
    config = parse(TrainConfig, values_of("", changes))
    assert lengths(config, dataset_spec(config.data)) == expected
