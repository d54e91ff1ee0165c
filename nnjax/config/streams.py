"""Standard streams that exist: a command may be started without them, as by ``>&-``.

open_streams()          # first of all, before a file is opened

Imports next to nothing, so that it runs as early as possible.
"""

import errno
import os
import sys

TYPE_CHECKING = False  # `typing` takes as long to import as all the rest; type checkers recognise the name
if TYPE_CHECKING:
    from typing import Any


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
