"""Where a run's wall time went, over all of its sessions: goodput, and the rest by cause.

goodput({"import": 1.0, "compile": 1.5, "train": 6.0, "eval": 0.5, "total": 10.0})
# {"goodput": 0.6, "start_up": 2.0, "compilation": 1.5, …}

Goodput is the share of the wall time in which training steps ran that count; see "ML productivity goodput" of Google Cloud.
"""

import json
import math
from collections.abc import Mapping
from contextlib import suppress

_CAUSES = {
    "compilation": ("compile",),
    "data": ("data",),
    "evaluation": ("eval",),
    "checkpoints": ("checkpoint",),
    "figures": ("figures",),
    "lost": ("lost", "replay"),
}
"""The phases of a run's clock behind each cause; the rest of the wall time, imports included, is start-up."""


def goodput(seconds: Mapping[str, float], communication: float | None = None) -> dict[str, float | None]:
    """Splits a run's wall time.

    Args:
        seconds: by phase, as in `summary.json`, with the wall time of all sessions as `total`; "lost" is the time of steps that
            were trained again after a restart, "replay" that of the repetition of a step that diverged.
        communication: seconds for which training steps of the last session waited for an exchange between processes; None if it
            was not measured.

    Returns:
        `goodput`, from 0 to 1: time in training steps, without communication, over wall time. All others are seconds and add
        up to the wall time: steps, communication (None if it was not measured; it then counts as steps), compilation, data,
        evaluation, checkpoints, figures, lost, and start_up.
    """
    total, train = seconds["total"], seconds.get("train", 0.0)
    communication = None if communication is None else min(communication, train)
    steps = train - (communication or 0.0)
    causes = {cause: sum(seconds.get(phase, 0.0) for phase in phases) for cause, phases in _CAUSES.items()}
    start_up = max(total - train - sum(causes.values()), 0.0)
    split = {"steps": steps, "communication": communication, **causes, "start_up": start_up}
    return {"goodput": steps / total if total > 0 else 0.0, **split}


def lost_seconds(records: bytes, step: int, seconds: float) -> float:
    """The time of a killed session between the checkpoint that is resumed from and the last record that it wrote.

    Args:
        records: the content of `metrics.jsonl`, before the records after the checkpoint go; damaged lines are passed over.
        step: of the checkpoint.
        seconds: that the checkpoint accounts for.
    """
    last = seconds
    for line in records.splitlines():
        with suppress(ValueError, KeyError, TypeError, RecursionError):
            record = json.loads(line)
            if record["step"] > step:
                last = max(last, found) if math.isfinite(found := float(record["seconds"])) else last
    return last - seconds
