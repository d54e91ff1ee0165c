"""Judges whether an input is like the training data.

typical = fit_typical(train.inputs)                    # from at most 5 000 of them
typical.judge(inputs)[0].warning                       # None, or why an answer should be doubted
Typical.from_arrays(typical.arrays())                  # float32 arrays, to save
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Judgement:
    """How far an input is from the training data.

    Attributes:
        score: the distance as a share of the threshold: above 1 is unlike the training data.
        threshold: the distance that about 1 in 500 training inputs pass.
        warning: in words; None for a usual input.
    """

    score: float
    threshold: float
    warning: str | None


@dataclass(frozen=True)
class Typical:
    """Statistics of the training inputs."""

    def judge(self, inputs: NDArray[Any], features: Sequence[str] = ()) -> Sequence[Judgement]:
        """Judges [n, ...] inputs, of the stored type, one by one; `features` are names for warnings."""
        raise NotImplementedError

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Returns the statistics as float32 arrays by name, below 300 kB."""
        raise NotImplementedError

    @staticmethod
    def from_arrays(arrays: Mapping[str, NDArray[Any]]) -> "Typical":
        """Makes one from its `arrays`.

        Raises:
            ValueError: if an array is missing, of another shape, or not finite.
        """
        raise NotImplementedError


def fit_typical(inputs: NDArray[Any]) -> Typical:
    """Fits the statistics to [n, ...] training inputs, of the stored type; of many, 5 000 are used, always the same."""
    raise NotImplementedError
