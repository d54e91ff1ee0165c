"""Trains the trials of a search: those that differ in the learning rate alone in one program; no test, no checkpoint, no file.

    trainer = TrialTrainer(config, console)
    outcomes = trainer.train({0: train_config, 1: other_config}, report)

The dataset is read once, and its test split is dropped before the first training, so that no trial can be measured on it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from statistics import fmean
from typing import TYPE_CHECKING, Any

from nnjax.api.memory_checkpoints import MemoryCheckpoints
from nnjax.checks.experiment_checks import check_config
from nnjax.config.errors import ConfigError, DivergedError, OutOfMemoryError
from nnjax.config.parsing import parse, to_mapping
from nnjax.config.schema import TrainConfig, Vary
from nnjax.config.search_options import Objective, SearchConfig

Report = Callable[[int, int, float], bool]
"""From a trial, the number of an evaluation and its value to whether the trial is pruned."""
