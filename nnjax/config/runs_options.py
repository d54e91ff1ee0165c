"""The config of `experiments.runs`.

RunsConfig(runs=("outputs",), where=("status=completed",), sort=("-test_accuracy",), columns=(), format="table", …)
"""

from dataclasses import dataclass
from typing import Literal

from nnjax.config.types import PositiveInt


@dataclass(frozen=True)
class RunsConfig:
    """`python -m experiments.runs status=completed 'test_accuracy>0.98' sort=-test_accuracy`.

    Attributes:
        runs: folders of runs or of sweeps, folders above them, or patterns.
        where: conditions that a run must meet, all of them: a fact or a setting, one of = != < <= > >= ~, and a value.
        sort: facts or settings to sort by; a minus before one turns its order around.
        columns: facts or settings to show; a plus before one shows it besides the usual ones. Empty: the usual ones.
        format: `table` for people; `json` has every fact, and `csv` the columns.
        limit: how many runs are shown at most; `auto` is 50 in a table, and all else. A number also limits what is changed: the
            first runs in the order of `sort`.
        tag: words that the chosen runs are given; a minus before a word takes it away.
        note: a line that the chosen runs are given; an empty one takes their notes away.
        remove: what of the chosen runs is listed, and then moved to the trash: their checkpoints, or the whole runs; `trash`
            deletes what is there.
        yes: do what `remove` says without asking.
    """

    runs: tuple[str, ...]
    where: tuple[str, ...]
    sort: tuple[str, ...]
    columns: tuple[str, ...]
    format: Literal["table", "json", "csv"]
    limit: Literal["auto", "all"] | PositiveInt
    tag: tuple[str, ...]
    note: str | None
    remove: Literal["checkpoints", "runs", "trash"] | None
    yes: bool
