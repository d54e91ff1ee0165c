"""The callbacks of a training: what a progress bar, a metrics file or a test is called with.

class Printer:
    def trained(self, step, metrics, examples_per_second): ...
    def evaluated(self, step, train, validation): print(step, train["loss"])
    def weights(self, step, values): ...
"""

from collections.abc import Mapping
from typing import Protocol

from nnjax.training.training_progress import Numbers


class Callback(Protocol):
    """Methods that training calls with plain Python numbers; with several trials, with lists of them."""

    def trained(self, step: int, metrics: Mapping[str, Numbers], examples_per_second: float) -> None:
        """Called after a compiled call; metrics are means over its examples, and the speed counts those of all trials."""

    def evaluated(self, step: int, train: Mapping[str, Numbers], validation: Mapping[str, Numbers] | None) -> None:
        """Called after an evaluation; `train` are means since the one before."""

    def weights(self, step: int, values: Mapping[str, float]) -> None:
        """Called with every weight after `step` steps, by name; for a single small network only."""
