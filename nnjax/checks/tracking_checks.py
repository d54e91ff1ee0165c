"""Checks the trackers of a run before it starts: their packages are installed, and their settings go together.

    list(tracking_problems(config.report))
    # [Problem("report.trackers", ["wandb"], "wandb is not installed; add it with pip install -e '.[wandb]'")]

A package is looked for, not imported: that takes seconds.
"""

import re
from collections.abc import Iterator
from importlib.util import find_spec
from typing import get_args

from nnjax.config.diagnostics import Problem
from nnjax.config.schema import Report
from nnjax.config.tracking_options import PACKAGES, TrackerName

_PROJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


def tracking_problems(report: Report) -> Iterator[Problem]:
    """Yields what prevents a run's trackers.

    Args:
        report: the group `report` of a config.
    """
    names, key = report.trackers, "report.trackers"
    for name in get_args(TrackerName):
        if names.count(name) > 1:
            yield Problem(key, list(names), f"names {name} twice; once is enough")
    if "tensorboard" in names and report.tensorboard == "off":
        yield Problem(key, list(names), "names tensorboard, and report.tensorboard=off leaves it out; change one of them")
    for name in dict.fromkeys(names):
        missing = [package for package in PACKAGES[name] if find_spec(package) is None]
        if missing:
            lacks = f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed"
            yield Problem(key, list(names), f"{lacks}; add {name} with pip install -e '.[{name}]', or leave it out")
    if not _PROJECT.fullmatch(report.tracking.project):
        reason = "must begin with a letter or digit, and hold at most 100 letters, digits, dots, dashes and underscores"
        yield Problem("report.tracking.project", report.tracking.project, reason)
