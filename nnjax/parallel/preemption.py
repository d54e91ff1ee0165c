"""Requests to stop: SIGTERM from a scheduler, Ctrl-C from a user.

    with StopSignal() as stop:
        while not stop.requested: ...

The first signal only raises a flag, so that the loop can save its state; a second Ctrl-C ends the program at once.
"""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopSignal:
    """A flag that SIGTERM or SIGINT raises, while the context is open.

    Attributes:
        requested: name of the first signal, such as "SIGTERM"; None before it.
    """

    def __init__(self) -> None:
        self.requested: str | None = None
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        # Python delivers signals to the main thread only, and lets only that one set handlers.
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._handle) for number in _SIGNALS}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.requested = signal.Signals(number).name
