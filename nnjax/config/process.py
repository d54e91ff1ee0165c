"""A process that does one command and is over: it looks for garbage less often, and ends at once.

begin_process("experiments.train")
complain("seeed=3: unknown key; did you mean seed?")
end_process(flush(2), "experiments.train")
"""

import atexit
import gc
import os
import sys
import threading
from contextlib import suppress
from typing import NoReturn

from nnjax.config.startup import open_streams, take_over


def begin_process(module: str) -> None:
    """Has Python look for reference cycles less often.

    Imports and compilation make hundreds of thousands of objects that stay: looking through them took a default training 0.5
    of its 6 seconds. In a process of others nothing changes.
    """
    take_over()
    open_streams()
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a terminal that cannot show a letter must not end a command
    if _is_own(module):
        gc.set_threshold(20_000, 10, 10)


def complain(text: object) -> None:
    """Prints to standard error; where that is closed or full, nobody can be told."""
    with suppress(AttributeError, OSError, ValueError):
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


def flush(code: int) -> int:
    """Writes out what was printed, and returns the exit code: another one where a command that succeeded could not be read.

    A reader that has seen enough (``--help | head``) is content; a disk that is full is an error, as to other programs.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _abandon()
    except (OSError, ValueError) as error:
        _abandon()
        if code == 0:
            complain(f"standard output: {error.strerror if isinstance(error, OSError) else error}")
            return 1
    return code


def _abandon() -> None:
    """Lets what is left of standard output go nowhere, so that Python does not complain of it at its end."""
    with suppress(AttributeError, OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
