"""How a signal ends a command: in one line, with nothing half-made, from the process's first instant.

begin()                                     # by nnjax.cli.startup, before all other imports
with on_leaving(lambda name: remove(folder)):
    ...                                     # SIGTERM or Ctrl-C: the function is called, and the process ends
receive(flag)                               # from here on a signal only calls flag("SIGTERM"), such as during a training
receive(None)

No exception is raised from a signal handler. Libraries do not expect one in the middle of a callback: some swallow it, and
XLA crashed on it. The process ends by `os._exit` instead, so everything that must not be left half-made is put away by the
functions of `on_leaving`, and files that must be whole are written under another name and renamed.

Python runs a handler only between two steps of the main thread's own code, and a compilation by XLA takes seconds. So a second
thread waits for the same signals, and acts where the main thread does not come to it. A second Ctrl-C ends the process at
once, wherever it is. Imports next to nothing, since it runs before all else.
"""

import _thread
import os
import signal
import sys
import time

TYPE_CHECKING = False  # `typing` takes as long to import as all the rest; type checkers recognise the name
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import NoReturn, Self

    Answer = tuple[str, int]
    Action = Callable[[str], Answer | None]

INTERRUPTED = 128 + 2  # SIGINT
PREEMPTED = 75

_GRACE = 0.25  # seconds in which the main thread may come to a signal
_AT_MOST = 1.0  # seconds in which the functions of `on_leaving` are done


class _Process:
    """What this process does at a signal.

    Attributes:
        begun: whether `begin` was called.
        receiver: called with the signal's name; None ends the process.
        actions: the functions of `on_leaving`, the newest last, each with whether its answer decides.
        came: whether the main thread has come to a signal.
        interrupts: how often it has come to Ctrl-C.
        leaver: the thread that ends the process.
        errors: the number of the stream for errors.
        last: the function of `at_end`.
        name: of the signal that ends the process.
    """

    def __init__(self) -> None:
        self.begun = False
        self.receiver: Callable[[str], object] | None = None
        self.actions: list[tuple[Action, bool]] = []
        self.came = False
        self.interrupts = 0
        self.leaver: int | None = None
        self.errors = 2
        self.last: Callable[[int, str, str | None], object] | None = None
        self.name: str | None = None
        self.lock = _thread.allocate_lock()


_process = _Process()


def begin() -> None:
    """Takes over SIGTERM, Ctrl-C and SIGHUP (a terminal that closes), each where the process does not ignore it already.

    A process in the background of a script still ignores Ctrl-C, and one under `nohup` SIGHUP.
    """
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    if hasattr(signal, "SIGHUP"):
        usual[signal.SIGHUP] = signal.SIG_DFL
    taken = [number for number, handler in usual.items() if signal.getsignal(number) is handler]
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    _thread.start_new_thread(_watch, (reader, frozenset(map(int, taken))))
    _process.begun = True
    for number in taken:
        signal.signal(number, handle)


def has_begun() -> bool:
    """Whether the signals of this process are a command's; not in a program that imports the package."""
    return _process.begun


def receive(receiver: "Callable[[str], object] | None") -> None:
    """Sets what is called with a signal's name from now on; None ends the process.

    The receiver must raise nothing. A second Ctrl-C is not passed to it.
    """
    _process.receiver = receiver


def at_end(function: "Callable[[int, str, str | None], object] | None") -> None:
    """Sets what is called when the process ends at once: with its exit code, its last line, and the signal or None.

    It must be short, and raise nothing.
    """
    _process.last = function


def errors_to(stream: int) -> None:
    """Sets the number of the stream that the last line goes to; 2 is standard error."""
    _process.errors = stream


class on_leaving:  # noqa: N801  (a context manager; contextlib takes longer to import than all of this)
    """While the context is open, a signal that ends the process calls a function first, the newest one first.

    Args:
        action: called with the signal's name, in either thread. It may answer with the message and the exit code of the
            process; the newest answer counts.
        decides: whether its answer counts before those of newer functions.
    """

    def __init__(self, action: "Action", *, decides: bool = False) -> None:
        self._action = action, decides

    def __enter__(self) -> "Self":
        _process.actions.append(self._action)
        return self

    def __exit__(
        self, kind: "type[BaseException] | None", error: BaseException | None, traceback: "TracebackType | None"
    ) -> None:
        _process.actions.remove(self._action)


def shown_name(name: str) -> str:
    """A signal's name in a message: Ctrl-C, SIGTERM, SIGHUP."""
    return "Ctrl-C" if name == "SIGINT" else name


def code_of(name: str) -> int:
    """The exit code of a process that a signal ended: 130 after Ctrl-C, else 75, which asks a cluster to start it again."""
    return INTERRUPTED if name == "SIGINT" else PREEMPTED


def handle(number: int, frame: object = None) -> None:
    """The handler of all signals, in the main thread."""
    process = _process
    process.came = True
    if number == signal.SIGINT:
        process.interrupts += 1
        if process.interrupts > 1:
            end(INTERRUPTED)
    if process.receiver is None:
        leave(signal.Signals(number).name)
    else:
        process.receiver(signal.Signals(number).name)


def leave(name: str, *, quietly: bool = False) -> None:
    """Ends the process, in at most a second: calls the functions of `on_leaving`, prints one line, unless `quietly`.

    Returns only inside of a function of `on_leaving` that another signal interrupted.
    """
    process = _process
    if process.leaver == _thread.get_ident():
        return
    if not process.lock.acquire(False):
        time.sleep(10 * _AT_MOST)  # another thread ends the process meanwhile; this one must do nothing more
    process.leaver = _thread.get_ident()
    process.name = name
    _thread.start_new_thread(_end_later, (name,))
    message, code, answered = f"{shown_name(name)}: stopped before anything was made", code_of(name), False
    for action, decides in reversed(process.actions):
        try:
            answer = action(name)
        except Exception:
            continue  # the others still have to be called
        if answer is not None and (decides or not answered):
            (message, code), answered = answer, True
    end(code, "" if quietly else message)


def end(code: int, message: str = "") -> "NoReturn":
    """Ends the process at once: no cleanup, no traceback; the terminal's cursor, which a progress bar hides, is shown."""
    last, _process.last = _process.last, None
    if last is not None:
        last(code, message, _process.name)
    try:
        if os.isatty(1):
            os.write(1, b"\x1b[?25h\n")
    except OSError:
        pass
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            continue  # closed, gone, or being written to by the code that the signal interrupted
    try:
        os.write(_process.errors, f"{message}\n".encode(errors="backslashreplace") if message else b"")
    finally:  # whether it could be written or not
        os._exit(code)


def _end_later(name: str) -> None:
    time.sleep(_AT_MOST)
    try:
        os.write(2, f"{shown_name(name)}: stopped; not all could be put away in time\n".encode())
    finally:
        os._exit(code_of(name))


def _watch(reader: int, taken: frozenset[int]) -> None:
    """Acts on the signals that the main thread does not come to; `reader` gets the number of each one."""
    process, interrupts = _process, 0
    while True:
        numbers = [number for number in os.read(reader, 64) if number in taken and callable(signal.getsignal(number))]
        if not numbers:
            continue
        interrupts += numbers.count(signal.SIGINT)
        time.sleep(_GRACE)
        if interrupts > 1:
            end(INTERRUPTED)
        if not process.came and process.receiver is None:
            leave(signal.Signals(numbers[0]).name)
