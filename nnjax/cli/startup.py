"""The first instant of a command's process, before its imports: Ctrl-C without a traceback, and standard streams that exist.

begin()          # by experiments/__init__.py
take_over()      # before the first folder is made: from there on there is something to put away

Imports next to nothing, so that as little as possible comes before it.
"""

import errno
import os
import signal
import sys

TYPE_CHECKING = False  # `typing` takes as long to import as all the rest; a type checker goes by the name
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

INTERRUPTED = 128 + 2  # SIGINT
TERMINATED = 128 + 15  # SIGTERM


class TerminatedError(SystemExit):
    """SIGTERM came before the training, which has an answer of its own: what is open is closed, and the process ends."""

    def __init__(self) -> None:
        super().__init__(TERMINATED)

    def __str__(self) -> str:
        return "SIGTERM"


def begin() -> None:
    """Has Ctrl-C end the process at once, with exit code 130, and opens the standard streams that are closed.

    For the time of imports and of the config's composition: nothing is made yet, and an exception out of nowhere would meet
    libraries that are not prepared for it. A process that ignores Ctrl-C, as one in the background, still does.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)
    open_streams()


def take_over() -> None:
    """Has Ctrl-C raise KeyboardInterrupt again, and SIGTERM an exit, so that a folder with nothing in it is given back.

    Without `begin`, in another program's process, nothing changes.
    """
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, _terminate)


def open_streams() -> None:
    """Opens the null device for each standard stream that was closed (``>&-``), where Python has None for it.

    Else the next file that is opened would have its number, and whatever a library in C writes to standard error would land in
    a checkpoint.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            stream: Any = open(number, mode, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
            stream.fault = OSError(errno.EBADF, os.strerror(errno.EBADF))  # as a stream has it that fails later
            setattr(sys, name, stream)


def _leave(number: int, frame: "FrameType | None") -> None:
    os._exit(INTERRUPTED)


def _terminate(number: int, frame: "FrameType | None") -> None:
    raise TerminatedError
