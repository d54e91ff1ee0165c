"""Which steps of a long training or trace are recorded: each of the first hundred, then ever fewer, and the last.

sparse_steps(10_000)[:3]              # (1, 2, 3)
sparse_steps(10_000)[-3:]             # (9700, 9894, 10000)
recorded_steps("all", 10_000)         # range(1, 10001)
records_text(346, 10_000)             # "346 of 10,000 steps: each of …"

A step is in the list or not whatever the length of the training, the last one aside: so a training that is stopped and resumed,
or made longer, records the same steps.
"""

from collections.abc import Sequence
from typing import Literal

Records = Literal["sparse", "all"]

EACH_UNTIL = 100
"""Each step up to this one is recorded."""

_SHARE = 50  # after them, the next step comes a fiftieth of the steps done later: 35 for each doubling


def sparse_steps(total: int) -> tuple[int, ...]:
    """The recorded ones of the steps 1 to `total`, in order; their number grows with the logarithm of `total`."""
    steps = list(range(1, min(total, EACH_UNTIL) + 1))
    while steps and steps[-1] < total:
        steps.append(min(steps[-1] + steps[-1] // _SHARE, total))
    return tuple(steps)


def recorded_steps(records: Records, total: int) -> Sequence[int]:
    """The steps that `report.records` asks for."""
    return range(1, total + 1) if records == "all" else sparse_steps(total)


def records_text(recorded: int, total: int, what: str = "steps") -> str:
    """Says that records are sparse; for the console.

    Args:
        recorded: number of recorded steps.
        total: number of steps.
        what: their name.
    """
    rule = f"each of the first {EACH_UNTIL}, then ever fewer, and the last"
    return f"{recorded:,} of {total:,} {what}: {rule} (report.records=all records each)"
