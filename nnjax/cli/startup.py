"""Prepares a command's process before its imports: Ctrl-C without a traceback, and standard streams that exist.

begin()          # by experiments/__init__.py
take_over()      # before the first folder is made: from here on an interrupted command has to clean up

Imports next to nothing, so that it runs as early as possible.
"""

import errno
import os
import signal
import sys

TYPE_CHECKING = False  # `typing` takes as long to import as all the rest; type checkers recognise the name
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

INTERRUPTED = 128 + 2  # SIGINT
TERMINATED = 128 + 15  # SIGTERM


class TerminatedError(SystemExit):
    """SIGTERM before the training, which handles it itself: open files are closed, and the process exits."""

    def __init__(self) -> None:
        super().__init__(TERMINATED)

    def __str__(self) -> str:
        return "SIGTERM"


def begin() -> None:
    """Makes Ctrl-C end the process at once, with exit code 130, and opens the standard streams that are closed.

    This holds during the imports and the composition of the config: nothing has been made yet, and libraries are not prepared
    for an exception in the middle of their import. A process that ignores Ctrl-C, such as one in the background, still does.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)
    open_streams()


def take_over() -> None:
    """Makes Ctrl-C raise KeyboardInterrupt again, and SIGTERM exit, so that an empty run folder is removed.

    Changes nothing in another program's process, where `begin` was not called.
    """
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, _terminate)


def open_streams() -> None:
    """Opens the null device for each standard stream that was closed (``>&-``), where Python has None for it.

    Otherwise the next file to be opened would get the stream's number, and a message that a C library writes to standard error
    would end up in a checkpoint.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            stream: Any = open(number, mode, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
            stream.fault = OSError(errno.EBADF, os.strerror(errno.EBADF))  # like a stream that fails later
            setattr(sys, name, stream)


def _leave(number: int, frame: "FrameType | None") -> None:
    os._exit(INTERRUPTED)


def _terminate(number: int, frame: "FrameType | None") -> None:
    raise TerminatedError
