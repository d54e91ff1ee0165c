"""The settings that change none of a run's numbers: the hash of a config leaves them out, and so does a comparison of runs.

WITHOUT_EFFECT                                                                  # with any value
inactive_keys({"training.planned": "5epochs", "training.duration": "5epochs"})  # with the values that they have here
"""

from collections.abc import Mapping
from typing import Any

WITHOUT_EFFECT = (
    "resume",
    "rerun",
    "report",
    "data.directory",
    "data.placement",
    "debug.stall_limit",
    "debug.watchdog",
    "parallel.memory_limit",
)
"""The keys that do not change a run's numbers."""


def inactive_keys(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """The keys whose options are off with the values they have: a plan of the duration itself, no restarts, no classes.

    Args:
        settings: plain values by dotted key.
    """
    changes_nothing = {
        "training.planned": settings.get("training.planned") in (None, settings.get("training.duration")),
        "schedule.restarts": not settings.get("schedule.restarts"),
        "data.classes": settings.get("data.classes") is None,
    }
    return tuple(key for key, is_so in changes_nothing.items() if is_so)
