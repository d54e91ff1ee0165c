"""A process that does one command and is over: it looks for garbage less often, and ends at once.

begin_process("experiments.train")
complain("seeed=3: unknown key; did you mean seed?")
end_process(2, "experiments.train")
"""

import atexit
import gc
import io
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

from nnjax.cli.startup import open_streams


def begin_process(module: str) -> None:
    """Has Python look for reference cycles less often.

    Imports and compilation make hundreds of thousands of objects that stay: looking through them took a default training 0.5
    of its 6 seconds. In a process of others nothing changes.
    """
    open_streams()
    # A terminal that cannot show a letter must not end a command either.
    sys.stdout, sys.stderr = _lasting(sys.stdout, "replace"), _lasting(sys.stderr, "backslashreplace")
    if _is_own(module):
        gc.set_threshold(20_000, 10, 10)


def complain(text: object) -> None:
    """Prints to standard error; where that is closed or full, nobody can be told."""
    with suppress(AttributeError, OSError, ValueError):
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


class LastingStream(io.TextIOWrapper):
    """Standard output or error that stops to show anything where it cannot be written to any longer.

    A training must not end because the terminal is gone, a pipe's reader has seen enough, or the disk of a console's log is
    full: its own log and results lie elsewhere. What comes after the first failure goes to the null device.

    Attributes:
        fault: the first failure; None as long as all went well.
    """

    fault: OSError | None = None

    def write(self, text: str, /) -> int:
        """Writes, as long as that works."""
        with self._tolerant():
            super().write(text)
        return len(text)

    def flush(self) -> None:
        """Flushes, as long as that works."""
        with self._tolerant():
            super().flush()

    @contextmanager
    def _tolerant(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if self.fault is not None:
                raise
            self.fault = error
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self.fileno())
            os.close(null)


def unread(code: int, what: str) -> int:
    """The exit code of a command that only shows something: 1 where it could not be written, as of other programs.

    A reader that has seen enough (``--help | head``) is content.
    """
    sys.stdout.flush()
    fault = getattr(sys.stdout, "fault", None)
    if code or fault is None or isinstance(fault, BrokenPipeError):
        return code
    complain(f"{what}: cannot be written to standard output: {fault.strerror}")
    return 1


def _lasting(stream: Any, errors: str) -> Any:
    """A standard stream of this process that lasts; another one, as a test's or a notebook's, as it is."""
    if type(stream) is not io.TextIOWrapper or stream not in (sys.__stdout__, sys.__stderr__):
        return stream
    encoding, by_line, through = stream.encoding, stream.line_buffering, stream.write_through
    return LastingStream(stream.detach(), encoding, errors, line_buffering=by_line, write_through=through)


def end_process(code: int, module: str) -> NoReturn:
    """Ends the process with an exit code.

    As `python -m MODULE` nothing else is waited for: Python would free every object one by one, which takes it half a second
    after a training. What is registered to be done at the end is done, and threads are waited for. In a process of others,
    such as a test's, a profiler's or a debugger's, this is `sys.exit`.
    """
    if not _is_own(module):
        sys.exit(code)
    with suppress(KeyboardInterrupt):  # the exit code stays
        # What Python does first itself; it has no public name for either.
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):  # there is none, nobody reads it, it is closed
            stream.flush()
    os._exit(code)


def _is_own(module: str) -> bool:
    """Whether this process was started for the module alone, as `python -m MODULE`."""
    return sys.orig_argv[1:3] == ["-m", module] and not sys.flags.inspect
