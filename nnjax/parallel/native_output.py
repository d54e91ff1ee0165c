"""Keeps what XLA prints at the death of a peer off the terminal, and gives this process time to end in its own words.

    quiet_native_errors()          # from here on C++ code writes to a pipe, and Python to the terminal as before
    with discarded_output(): ...   # what C++ code prints to standard output in here is dropped

When process 0 is killed, XLA's client in every other process prints a page and aborts, 40 ms later; nothing in JAX's options
changes that, and its callback for it crashes (jaxlib 0.10.2). So the abort is delayed by some seconds, in which the process
says in one line what happened (see `nnjax.parallel.peers`).
"""

import ctypes
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from nnjax.config import leaving

_NOISE = re.compile(r"\[Gloo\] Rank \d+ is connected|coordination_service\.cc:\d+\] .*recoverable")
_LAST_WORDS = re.compile(r"^[EF]\d{4} .*(coordination_service\w*\.cc|coordination/\w+\.cc|client\.h):\d+\] ")
_done = threading.Event()


def quiet_native_errors() -> None:
    """Lets C++ code write to a pipe, from which a thread passes on everything but XLA's last words; does so once.

    Python's own errors go to the terminal as before. In another program's process nothing changes.
    """
    if _done.is_set() or not leaving.has_begun():
        return
    _done.set()
    _delay_aborts()
    sys.stderr.flush()
    terminal = os.dup(2)
    reader, writer = os.pipe()
    os.dup2(writer, 2)
    os.close(writer)
    leaving.errors_to(terminal)
    sys.stderr = open(terminal, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    threading.Thread(target=_pass_on, args=(reader, terminal), name="native-output", daemon=True).start()


@contextmanager
def discarded_output() -> Iterator[None]:
    """Drops what is written to standard output below Python while the context is open."""
    if not leaving.has_begun():
        yield
        return
    sys.stdout.flush()
    kept, null = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def _delay_aborts() -> None:
    """Makes C's `sleep` the handler of SIGABRT: it gets the signal's number, 6, as seconds; after it the process aborts."""
    if sys.platform == "win32" or signal.getsignal(signal.SIGABRT) is not signal.SIG_DFL:
        return
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
        libc.signal.restype = ctypes.c_void_p
        libc.signal(int(signal.SIGABRT), ctypes.cast(libc.sleep, ctypes.c_void_p))


def _pass_on(reader: int, terminal: int) -> None:
    with open(reader, "rb", buffering=0) as pipe:
        rest, is_last = b"", False
        while part := pipe.read(65536):
            *lines, rest = (rest + part).split(b"\n")
            for line in lines:
                text = line.decode(errors="replace")
                is_last = is_last or _LAST_WORDS.match(text) is not None
                if not is_last and not _NOISE.search(text):
                    with suppress(OSError):
                        os.write(terminal, line + b"\n")
