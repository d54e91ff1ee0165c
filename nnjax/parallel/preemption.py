"""Requests to stop: SIGTERM from a scheduler, Ctrl-C from a user, SIGHUP from a terminal that closes.

    with StopSignal() as stop:
        ...                                    # compiling: a signal still ends a command at once
        stop.begin()
        while not stop.requested: ...

From `begin` on, the first signal only raises a flag, so that the loop can save its state; a second Ctrl-C ends the program at
once. In a program that is no command of ours, such as a notebook, the flag is raised from the start, and the second Ctrl-C
raises KeyboardInterrupt.
"""

import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any, Protocol, Self

from nnjax.config import leaving

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class SecondsOf(Protocol):
    """A clock of a run."""

    def read(self, phase: str) -> float:
        """Seconds of a phase so far."""


class StopSignal:
    """A flag that a signal raises, while the context is open.

    Attributes:
        requested: name of the first signal, such as "SIGTERM"; None before it.
    """

    PATIENCE = 0.5  # seconds in which an evaluation may still come to its end

    def __init__(self) -> None:
        self.requested: str | None = None
        self._previous: dict[signal.Signals, Any] = {}
        self._open = False
        self._since: float | None = None

    @property
    def is_overdue(self) -> bool:
        """Whether a request is so old that an evaluation should be given up for it."""
        if self.requested is None:
            return False
        self._since = self._since or time.monotonic()
        return time.monotonic() - self._since > self.PATIENCE

    def agree(self, num_steps: int, clock: SecondsOf, mark: str = "") -> int:
        """How many steps the next call does. Several processes get the same number and the same flag from here on.

        Args:
            num_steps: as this process would do.
            clock: of the run.
            mark: of the numbers so far, which must be the same in all processes.
        """
        return num_steps

    def train_seconds(self, clock: SecondsOf) -> float:
        """Seconds of training, for `training.stop.max_seconds`."""
        return clock.read("train")

    def begin(self) -> None:
        """From here on there is something to save; does nothing outside of the context."""
        if self._open and leaving.has_begun():
            leaving.receive(self._raise_flag)

    def end(self) -> None:
        """Everything is saved: from here on a signal ends a command at once again, unless one is ending it already."""
        if self._open and leaving.has_begun():
            leaving.receive(None if self.requested is None else lambda name: None)

    def __enter__(self) -> Self:
        # Python delivers signals to the main thread only, and lets only that one set handlers.
        self._open = threading.current_thread() is threading.main_thread()
        if self._open and not leaving.has_begun():
            self._previous = {number: signal.signal(number, self._handle) for number in _SIGNALS}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.end()
        self._open = False
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _raise_flag(self, name: str) -> None:
        self.requested = self.requested or name
        self._since = self._since or time.monotonic()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self._raise_flag(signal.Signals(number).name)
