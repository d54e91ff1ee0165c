"""Prepares a command's process before its imports: signals that end it in one line, and standard streams that exist.

begin()          # by experiments/__init__.py

Imports next to nothing, so that it runs as early as possible.
"""

import time

from nnjax.config import leaving
from nnjax.config.streams import open_streams

began_at: float | None = None
"""When `begin` was called, in seconds since 1970; None in a process that is no command's."""


def begin() -> None:
    """Makes SIGTERM, Ctrl-C and SIGHUP end the process in one line, and opens the standard streams that are closed.

    See `nnjax.config.leaving`, which also says how a training receives them.
    """
    global began_at
    began_at = time.time()
    open_streams()  # first: the pipe of the signals must not take a closed stream's number
    leaving.begin()
