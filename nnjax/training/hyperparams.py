"""Numbers that come into the compiled programs as arguments.

    params = trial_params(trials(config), varied=False)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from nnjax.checks.trials import Trial


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class TrialParams:
    """Per-trial parameters; inside a compiled function, those of one trial.

    Attributes:
        seed: [trials] uint32.
        learning_rate: [trials] float32; None where all trials have the config's.
    """

    seed: Any
    learning_rate: Any


def trial_params(trials: Sequence[Trial], *, varied: bool) -> TrialParams:
    """The parameters of several trials, on the host."""
    return TrialParams(
        seed=np.array([trial.seed for trial in trials], np.uint32),
        learning_rate=np.array([trial.learning_rate for trial in trials], np.float32) if varied else None,
    )
