"""The outermost part of the app: token, log line, metrics, and JSON for whatever goes wrong inside.

app = Gate(routes, token="…", proxies=None, log=log, count=metrics.request)
"""

import json
import secrets
import time
import traceback
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nnjax.serving.server.own_hosts import check_hosts
from nnjax.serving.server.request_error import RequestError
from nnjax.serving.server.request_log import RequestLog

OPEN_PATHS = ("/", "/health", "/ready", "/docs", "/openapi.json")
"""Paths that need no token: probes, and pages that hold nothing secret."""

NOTES = "nnjax.notes"
"""The key of a request's scope under which its path's template, model and examples stand, for log and metrics."""

FAILED = "the server failed at this request; its log has the reason"
_LONGEST_PATH = 120
_NO_SNIFFING = (b"x-content-type-options", b"nosniff")


def error_body(reason: str) -> bytes:
    """The JSON of an error."""
    return json.dumps({"error": reason}).encode() + b"\n"


def whole_response(error: RequestError) -> bytes:
    """A refusal as it goes over the wire, for requests that do not come to the app."""
    body = error_body(error.reason)
    fields = {"content-type": "application/json", "content-length": str(len(body)), **error.headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}\r\n{lines}\r\n".encode() + body


async def send_json(send: Send, status: int, body: bytes, headers: dict[str, str]) -> None:
    """Sends a whole response."""
    fields = {"content-type": "application/json", "content-length": str(len(body)), **headers}
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


Count = Callable[[str, int, float | None], None]
"""Called with a request's path template, status and seconds; None where it took no time."""

Headers = Sequence[tuple[bytes, bytes]]


class Gate:
    """See the module.

    Args:
        app: the routes.
        token: that requests must bring; None for no authentication.
        proxies: see `own_hosts`.
        log: of lines, one a request.
        count: called with each request.
    """

    def __init__(self, app: ASGIApp, token: str | None, proxies: frozenset[str] | None, log: RequestLog, count: Count) -> None:
        self._app, self._proxies, self._log, self._count = app, proxies, log, count
        self._token = None if token is None else token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, whatever happens."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = time.perf_counter(), 0
        notes: dict[str, Any] = {"path": "other"}
        scope[NOTES] = notes

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = list(message.get("headers", ()))
                if _NO_SNIFFING not in headers:  # a page's own has it already
                    message["headers"] = [*headers, _NO_SNIFFING]
            await send(message)

        try:
            check_hosts(scope["headers"], self._proxies)
            self._check_token(scope)
            await self._app(scope, receive, watched)
        except RequestError as refusal:
            notes["reason"] = refusal.reason
            await send_json(watched, refusal.status, error_body(refusal.reason), refusal.headers)
        except Exception:
            self._log_failure()
            if not status:
                await send_json(watched, 500, error_body(FAILED), {})
        finally:
            seconds = time.perf_counter() - start
            self._count(notes["path"], status, seconds)
            self._log.line(_line(scope, notes, status, seconds))

    def refused(self, scope: Scope, path: str, error: RequestError) -> None:
        """Counts and logs what was refused before it came here; `path` is a template's."""
        self._count(path, error.status, None)
        self._log.line(_line(scope, {"reason": error.reason}, error.status, 0.0))

    def _check_token(self, scope: Scope) -> None:
        if self._token is None or scope["path"] in OPEN_PATHS:
            return
        if not self.admits(scope["headers"]):
            raise RequestError(401, "needs the header Authorization: Bearer TOKEN, with the server's token")

    def admits(self, headers: Headers) -> bool:
        """Whether a request's headers bring the token, where one is wanted."""
        if self._token is None:
            return True
        scheme, _, given = next((value for name, value in headers if name == b"authorization"), b"").partition(b" ")
        return scheme.lower() == b"bearer" and secrets.compare_digest(given.strip(), self._token)

    def _log_failure(self) -> None:
        for line in traceback.format_exc().splitlines():
            self._log.line(line)


def _line(scope: Scope, notes: dict[str, Any], status: int, seconds: float) -> str:
    """`127.0.0.1 POST /predict 200 3.1 ms digits 1 example`; without the query, which may hold anything."""
    client = (scope.get("client") or ("-",))[0]
    path = scope["path"][:_LONGEST_PATH]
    reached = str(status) if status else "gone"
    line = f"{client} {scope['method']} {path} {reached} {1000 * seconds:.1f} ms"
    if "examples" in notes:
        line += f" {notes['model']} {notes['examples']} example{'' if notes['examples'] == 1 else 's'}"
    if status >= HTTPStatus.BAD_REQUEST and "reason" in notes:
        line += f": {notes['reason']}"
    return line
