"""A run's `metrics.jsonl` as columns, by split.

    curves = read_curves(record)
    curves.splits["validation"]["loss"]      # (0.9, 0.5, 0.4), one for each record
    curves.splits["validation"]["step"]      # (100, 200, 300)

Of a run with several trials the file holds means, with NAME_std, NAME_low, NAME_high; a trial's own results are in its row of
`record.trials`, for the end of the training only.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from nnjax.records.record import RunRecord


@dataclass(frozen=True)
class Curves:
    """The records of a training, as columns.

    Attributes:
        splits: by split (train, validation, test) and column: step, epoch, seconds and each metric. All columns of a split are
            equally long, in the order of the steps; a number that is missing or not finite is NaN.
        problems: what is wrong with the file, a line each; whatever can be read is there all the same.
    """

    splits: Mapping[str, Mapping[str, tuple[float, ...]]]
    problems: tuple[str, ...] = ()


def read_curves(record: RunRecord) -> Curves:
    """Reads the curves of a run; empty if it has none."""
    raise NotImplementedError
