"""A connection of uvicorn with the bounds that it lacks: on time, on the size of a request's head, and on their number.

uvicorn.Config(app, http=connection_class(settings, app))

Without them, a client that sends nothing, or a byte a minute, holds a connection for ever; and a head that never ends fills
the memory. While the queue is full, requests are refused here, in a tenth of the time that the app would take: otherwise a
server that is asked five times as much as it can answer would spend its time on refusals.
"""

import asyncio
from collections.abc import Sized
from typing import Any, Protocol

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from nnjax.config.serve_options import ServerSettings
from nnjax.serving.server.gate import Headers, whole_response
from nnjax.serving.server.request_error import RequestError

_LARGEST_HEAD = 2**15  # bytes, also of a body's trailers; a browser's head has 1 to 4 thousand
_LONGEST_PIPELINE = 16  # requests behind the one that is answered
_LARGEST_OUTPUT = 2**16  # bytes of refusals that the client has not read


class Refusing(Protocol):
    """An app that may be too busy."""

    def refusal(self, client: Any, url: bytes, headers: Headers) -> bytes | None:
        """The response that refuses a request for an answer now, counted and logged; None if the app shall be asked."""
        ...

    def turned_away(self, client: Any, error: RequestError) -> None:
        """Counts and logs a connection that is closed without a request that could be answered."""
        ...


def connection_class(settings: ServerSettings, app: Refusing) -> type[HttpToolsProtocol]:
    """Returns a protocol for these settings; `uvicorn.Config` takes a class without arguments of ours."""

    class Connection(_Connection):
        seconds, most, refusing = settings.timeout, settings.connections, app

    return Connection


class _Flow(FlowControl):
    """Reads nothing while requests wait; uvicorn reads on whenever one is answered or asks for its body."""

    def __init__(self, transport: Any, pipeline: Sized) -> None:
        super().__init__(transport)
        self._waiting = pipeline

    def resume_reading(self) -> None:
        if not self._waiting:
            super().resume_reading()


class _Connection(HttpToolsProtocol):
    seconds: float
    most: int
    refusing: Refusing

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head = 0  # bytes since the last head's or body's
        self._skipping = False  # the body of a request that was refused here
        self._skipped = False  # all of it
        self._for_head: asyncio.TimerHandle | None = None
        self._for_reader: asyncio.TimerHandle | None = None

    @property
    def _idle(self) -> bool:
        """Whether the client's next word must be a request's head."""
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.flow = _Flow(transport, self.pipeline)
        if len(self.connections) > self.most:
            self._refuse(503, f"more than {self.most} connections are open", retry_after=1)
            return
        self._for_head = self.loop.call_later(self.seconds, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop("_for_head")
        self._stop("_for_reader")
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self._head += len(data)
        self._skipped = False
        super().data_received(data)
        if self.transport is None or self.transport.is_closing():
            return
        if self._head > _LARGEST_HEAD:
            self._refuse(431, f"the request's head has more than {_LARGEST_HEAD} bytes")
        elif not self._idle or self._skipped:
            self._stop("_for_head")
            if self._idle:
                self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)
        elif self._for_head is None:
            self._for_head = self.loop.call_later(self.seconds, self._too_slow)

    def on_headers_complete(self) -> None:
        self._head = 0
        if self.transport.is_closing():  # the rest of what was received before
            return
        posts = self.parser.get_method() == b"POST"
        if posts and self.parser.should_upgrade():  # the parser gives no body of such a request
            self._refuse(400, "Upgrade: this server has HTTP/1.1 alone; ask without this header, as curl --http1.1 does")
            return
        asks = posts and self.url.startswith((b"/predict", b"/models/"))
        if asks and self._idle and self.parser.should_keep_alive():
            refused = self.refusing.refusal(self.client, self.url, self.headers)
            if refused is not None:
                self._skipping = True
                self.transport.write(refused)
                if self.transport.get_write_buffer_size() > _LARGEST_OUTPUT:
                    self.transport.abort()
                return
        super().on_headers_complete()
        if len(self.pipeline) > _LONGEST_PIPELINE:
            self._refuse(429, f"more than {_LONGEST_PIPELINE} requests wait on one connection", retry_after=1)

    def on_body(self, body: bytes) -> None:
        self._head = 0
        if not self._skipping:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._head = 0
        if self._skipping:
            self._skipping, self._skipped = False, True
        else:
            super().on_message_complete()

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

    def _refuse(self, status: int, reason: str, retry_after: int | None = None) -> None:
        """Closes, and says why unless that would be taken for the answer to a request."""
        error = RequestError(status, reason, retry_after=retry_after, close=True)
        self.refusing.turned_away(self.client, error)
        if not self.pipeline and (self._idle or (self.cycle.more_body and not self.cycle.response_started)):
            self.transport.write(whole_response(error))
        self.transport.close()

    def _stop(self, timer: str) -> None:
        handle: asyncio.TimerHandle | None = getattr(self, timer)
        if handle is not None:
            handle.cancel()
            setattr(self, timer, None)
