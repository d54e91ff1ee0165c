"""The config of `experiments.compare`.

CompareConfig(runs=("outputs/sweeps/…",), metric="auto", against="auto", rank=True, format="table")
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class CompareConfig:
    """`python -m experiments.compare A B …`.

    Attributes:
        runs: folders of runs or sweeps, or patterns such as `outputs/train/*/*_cnn_*`; runs that differ in their seed alone are
            taken together.
        metric: name of a result, such as `test_accuracy` or `validation_loss`; `auto` is the forecast's RMSE, else
            the accuracy, else the loss on the test split.
        against: `all` compares every pair, `first` or a letter each group with that one; `auto` is `all` for up to six groups.
        rank: whether groups are compared with each other; `false` shows them side by side, whatever they were tested on.
        format: `table` for people; the others print the text alone, to be piped.
    """

    runs: tuple[str, ...]
    metric: str
    against: str
    rank: bool
    format: Literal["table", "csv", "markdown", "latex", "json"]
