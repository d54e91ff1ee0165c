"""Lines on stderr that never hold a server up: a thread of its own writes them.

log = RequestLog(sys.stderr)
log.line("POST /predict 200 3.1 ms")
log.close()
"""

import threading
import time
from collections import deque
from typing import TextIO

_MOST = 10_000  # lines that wait; a reader that stalls loses the oldest ones
_PAUSE = 0.1  # seconds between writes
_AT_END = 1.0  # seconds that a stalled reader gets at the end


class RequestLog:
    """Writes lines with the time, in order.

    Args:
        stream: where to.
        quiet: writes nothing.
    """

    def __init__(self, stream: TextIO, *, quiet: bool = False) -> None:
        self._stream, self._quiet = stream, quiet
        self._lines: deque[str] = deque(maxlen=_MOST)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._write, name="nnjax-log", daemon=True)
        if not quiet:
            self._thread.start()

    def line(self, text: str) -> None:
        """Adds a line; control characters in it are escaped, so that a client makes no lines of its own."""
        if not self._quiet:
            safe = text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
            self._lines.append(f"{time.strftime('%Y-%m-%dT%H:%M:%S')} {safe}\n")

    def close(self) -> None:
        """Writes the rest."""
        self._ended.set()
        if not self._quiet:
            self._thread.join(_AT_END)

    def _write(self) -> None:
        ended = False
        while not ended:
            ended = self._ended.wait(_PAUSE)
            text = "".join(self._lines.popleft() for _ in range(len(self._lines)))
            if text:
                try:
                    self._stream.write(text)
                    self._stream.flush()
                except (OSError, ValueError):  # the reader is gone
                    return
