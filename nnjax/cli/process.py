"""Tunes the garbage collector and exits fast in a one-command process; keeps standard output usable to the end.

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
from pathlib import Path
from typing import Any, NoReturn

from nnjax.config.errors import StorageError
from nnjax.config.invocation import is_own
from nnjax.config.leaving import receive
from nnjax.config.paths import shown_path
from nnjax.config.shell import STAND_INS
from nnjax.config.streams import open_streams


def begin_process(module: str) -> None:
    """Protects the standard streams against write errors, and makes Python's cycle collector run less often.

    Imports and compilation make hundreds of thousands of objects that stay; searching them took a default training 0.5 of its
    6 seconds. In another program's process the search stays unchanged.
    """
    open_streams()
    # A terminal that cannot show a letter must not end a command either.
    sys.stdout, sys.stderr = _lasting(sys.stdout, STAND_INS), _lasting(sys.stderr, "backslashreplace")
    if is_own(module):
        gc.set_threshold(20_000, 10, 10)


def complain(text: object) -> None:
    """Prints to standard error, if that can be written to."""
    with suppress(AttributeError, OSError, ValueError):
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


@contextmanager
def printing_to(path: Path) -> Iterator[None]:
    """Within this block, what the process and its libraries print goes to a file."""
    saved = [os.dup(number) for number in (1, 2)]
    try:
        with path.open("a") as file:
            _flush_streams()
            for number in (1, 2):
                os.dup2(file.fileno(), number)
            yield
    finally:
        _flush_streams()
        for number, copy in zip((1, 2), saved, strict=True):
            os.dup2(copy, number)
            os.close(copy)


def _flush_streams() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):
            stream.flush()


class LastingStream(io.TextIOWrapper):
    """Standard output or error that goes to the null device from its first failed write on.

    A training must not end because the terminal is gone, a pipe's reader has left, or the disk of a console's log is full:
    its own log and results lie elsewhere.

    Attributes:
        fault: the first failure; None as long as all went well.
    """

    fault: OSError | None = None

    def write(self, text: str, /) -> int:
        """Writes; after a failure, to the null device."""
        with self._tolerant():
            super().write(text)
        return len(text)

    def flush(self) -> None:
        """Flushes; after a failure, to the null device."""
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
    """Returns the exit code of a command that only prints: 1 if the output could not be written.

    A reader that leaves early (``--help | head``) is no failure.
    """
    fault = _output_fault()
    if code or fault is None:
        return code
    complain(f"{what}: cannot be written to standard output: {fault.strerror}")
    return 1


def check_printed(file: Path) -> None:
    """Checks that what was printed for another program could be written; a reader that leaves early is no failure.

    Args:
        file: that holds the same.

    Raises:
        StorageError: if it could not.
    """
    if (fault := _output_fault()) is not None:
        raise StorageError(f"standard output: cannot be written: {fault.strerror}; {shown_path(file)} holds the same")


def _output_fault() -> OSError | None:
    sys.stdout.flush()
    fault: OSError | None = getattr(sys.stdout, "fault", None)
    return None if isinstance(fault, BrokenPipeError) else fault


def _lasting(stream: Any, errors: str) -> Any:
    """A lasting form of a standard stream; a stream of a test or a notebook is returned as it is."""
    if type(stream) is not io.TextIOWrapper or stream not in (sys.__stdout__, sys.__stderr__):
        return stream
    encoding, by_line, through = stream.encoding, stream.line_buffering, stream.write_through
    return LastingStream(stream.detach(), encoding, errors, line_buffering=by_line, write_through=through)


def end_process(code: int, module: str) -> NoReturn:
    """Exits; a one-command process does so without freeing its objects one by one.

    Freeing took 0.9 s after a default training (medians of 10 pairs of processes: 7.6 s without it, 8.5 s with it; 6.7, 7.2 s
    of processor time). Guaranteed as at any exit of Python: non-daemon threads are joined, functions registered with `atexit`
    are called, and every open stream of the `io` module is flushed, whether or not its file was closed. Not guaranteed, as at
    any exit: `__del__` methods are not called, and buffers inside C libraries are not flushed.

    In another program's process, such as a test's, a profiler's or a debugger's, this is `sys.exit`.

    Args:
        code: the exit code.
        module: dotted name of the module that the process was started for.
    """
    if not is_own(module):
        sys.exit(code)
    receive(lambda name: None)
    with suppress(KeyboardInterrupt):  # the exit code stays
        # Python's own first steps of an exit; they have no public names.
        threading._shutdown()  # type: ignore[attr-defined]
        sys.unraisablehook = _without_full_disks
        atexit._run_exitfuncs()
    with suppress(KeyboardInterrupt):
        _flush_all()
    os._exit(code)


def _without_full_disks(fault: "sys.UnraisableHookArgs") -> None:
    """Leaves out the traceback of a library that writes its last lines to a full disk: the command said so already."""
    if not isinstance(fault.exc_value, OSError):
        sys.__unraisablehook__(fault)


def _flush_all() -> None:
    """Flushes every open stream; a file that cannot be written is named on standard error."""
    faults: dict[str, None] = {}
    kinds = (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom)
    for stream in [thing for thing in gc.get_objects() if issubclass(type(thing), kinds)]:
        try:
            stream.flush()
        except OSError as error:
            faults[f"{getattr(stream, 'name', stream)}: cannot be written: {error.strerror}"] = None
        except (ValueError, RuntimeError):
            pass  # closed, detached, or being written to by a daemon thread
    for fault in faults:  # a text file and the bytes below it have the same one
        complain(fault)
