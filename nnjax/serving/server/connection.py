"""A connection of uvicorn with the bounds that it lacks: on time, on the size of a request's head, and on their number.

uvicorn.Config(app, http=connection_class(settings))

Without them, a client that sends nothing, or a byte a minute, holds a connection for ever; and a head that never ends fills
the memory.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from nnjax.config.serve_options import ServerSettings
from nnjax.serving.server.gate import error_body

_LARGEST_HEAD = 2**15  # bytes; a browser's has 1 to 4 thousand
_PHRASES = {400: "Bad Request", 408: "Request Timeout", 431: "Request Header Fields Too Large", 503: "Service Unavailable"}


def connection_class(settings: ServerSettings) -> type[HttpToolsProtocol]:
    """Returns a protocol for these settings; `uvicorn.Config` takes a class without arguments of ours."""

    class Connection(_Connection):
        seconds, most = settings.timeout, settings.connections

    return Connection


class _Connection(HttpToolsProtocol):
    seconds: float
    most: int

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head = 0  # bytes of the present head
        self._for_head: asyncio.TimerHandle | None = None
        self._for_reader: asyncio.TimerHandle | None = None

    @property
    def _idle(self) -> bool:
        """Whether the client's next word must be a request's head."""
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > self.most:
            self._refuse(503, f"more than {self.most} connections are open", "retry-after: 1\r\n")
            return
        self._for_head = self.loop.call_later(self.seconds, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop("_for_head")
        self._stop("_for_reader")
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self._idle:
            self._head += len(data)
        super().data_received(data)
        if self.transport is None or self.transport.is_closing():
            return
        if not self._idle:
            self._head = 0
            self._stop("_for_head")
        elif self._head > _LARGEST_HEAD and not self._is_discarding:
            self._refuse(431, f"the request's head has more than {_LARGEST_HEAD} bytes")
        elif self._for_head is None:
            self._for_head = self.loop.call_later(self.seconds, self._too_slow)

    @property
    def _is_discarding(self) -> bool:
        """Whether the rest of a body arrives whose request is answered already, such as with 413."""
        return self.cycle is not None and self.cycle.more_body

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stop("_for_reader")
        self._for_reader = self.loop.call_later(self.seconds, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop("_for_reader")

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "no HTTP request")

    def _too_slow(self) -> None:
        self._for_head = None
        if self._idle and not self.transport.is_closing():
            self._refuse(408, f"no request arrived within {self.seconds:g} s")

    def _refuse(self, status: int, reason: str, headers: str = "") -> None:
        """Answers outside of any request, and closes."""
        body = error_body(reason)
        head = f"HTTP/1.1 {status} {_PHRASES[status]}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        self.transport.write(f"{head}{headers}connection: close\r\n\r\n".encode() + body)
        self.transport.close()

    def _stop(self, timer: str) -> None:
        handle: asyncio.TimerHandle | None = getattr(self, timer)
        if handle is not None:
            handle.cancel()
            setattr(self, timer, None)
