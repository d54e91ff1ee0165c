"""A verb that leaves no folder of its own, such as one that lists what other verbs left.

if schema in FOLDERLESS:
    return run_without_folder(task, config)      # the exit code
"""

from collections.abc import Callable
from pathlib import Path

from nnjax.cli.process import complain, unread
from nnjax.config.paths import outside_fault
from nnjax.config.runs_options import RunsConfig

FOLDERLESS = (RunsConfig,)
"""The schemas of such verbs."""


def run_without_folder(task: Callable[..., object], config: object) -> int:
    """Calls a verb's task with its config and no folder; returns the exit code.

    Raises:
        UserError: as the task does.
    """
    try:
        task(config, None)
    except OSError as problem:
        if (fault := outside_fault(problem, Path.cwd())) is None:
            raise
        complain(fault)
        return 1
    return unread(0, "the list")
