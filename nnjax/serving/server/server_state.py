"""What a server is doing: starting, ready, draining or failed; and how much it has accepted.

state = ServerState(queue=256)
with state.accepted(examples=3):                       # RequestError 429 where the queue is full
    ...
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from nnjax.serving.server.request_error import RequestError

Phase = Literal["starting", "ready", "draining", "failed"]

_BUFFERED = 16  # bodies of the largest size that are held at once


class ServerState:
    """Of one event loop.

    Args:
        queue: the most examples that are accepted and not answered.
        body: the most bytes of a body.

    Attributes:
        phase: requests for answers are accepted in "ready" alone.
        failure: the reason of "failed".
        examples: accepted and not answered.
        requests: accepted and not answered.
        lost: accepted requests that were cancelled at the end.
        buffered: bytes of bodies in memory.
    """

    def __init__(self, queue: int, body: int) -> None:
        self.phase: Phase = "starting"
        self.failure: BaseException | None = None
        self.examples = self.requests = self.buffered = self.lost = 0
        self._queue, self._bytes = queue, _BUFFERED * body

    def check_ready(self) -> None:
        """Refuses with 503 unless the server is ready."""
        if self.phase == "draining":
            raise RequestError(503, "the server is stopping", retry_after=5, close=True)
        if self.phase != "ready":
            raise RequestError(503, "the server is starting: its models are being compiled", retry_after=1)

    @contextmanager
    def accepted(self) -> Iterator["Admission"]:
        """Accepts a request; it counts as one example until it says how many it has.

        Raises:
            RequestError: 429 if the queue is full.
        """
        admission = Admission(self)
        admission.grow(1)
        self.requests += 1
        try:
            yield admission
        except asyncio.CancelledError:
            self.lost += 1
            raise
        finally:
            self.requests -= 1
            admission.release()

    def hold(self, size: int) -> None:
        """Counts bytes of a body in memory.

        Raises:
            RequestError: 429 if all bodies together have too many.
        """
        self.buffered += size
        if self.buffered > self._bytes:
            raise RequestError(429, "the bodies of the present requests fill the server's memory", retry_after=1)

    @property
    def is_full(self) -> bool:
        """Whether the server is ready, and has no room for one more example."""
        return self.phase == "ready" and self.room() < 1

    def room(self) -> int:
        """Examples that can still be accepted."""
        return self._queue - self.examples


def queue_full() -> RequestError:
    """The refusal of a request for which the queue has no room."""
    return RequestError(429, "the queue is full", retry_after=1)


class Admission:
    """The examples and bytes of one accepted request."""

    def __init__(self, state: ServerState) -> None:
        self._state, self._examples, self._bytes = state, 0, 0

    def grow(self, examples: int) -> None:
        """Sets the number of the request's examples.

        Raises:
            RequestError: 429 if the queue has no room for them, except that a request alone always has room.
        """
        more = examples - self._examples
        if more > self._state.room() and self._state.examples > self._examples:
            raise queue_full()
        self._state.examples += more
        self._examples = examples

    def hold(self, size: int) -> None:
        """Counts bytes of the request's body; see `ServerState.hold`."""
        self._bytes += size
        self._state.hold(size)

    def release(self) -> None:
        """Gives all back."""
        self._state.examples -= self._examples
        self._state.buffered -= self._bytes
        self._examples = self._bytes = 0
