"""Listens on a port until a signal, and drains: accepted requests get their answers.

with bound(settings) as sock:
    models = {"digits": read_model(path)}              # the port is ours while the models are loaded
    serve(models, settings, sock)

The first SIGTERM or Ctrl-C refuses new requests with 503, waits for the accepted ones, at most `settings.drain` seconds, and
returns; a second one ends the process at once.
"""

import errno
import gc
import ipaddress
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NoReturn

import uvicorn

from nnjax.config import leaving
from nnjax.config.errors import ConfigError, UserError
from nnjax.config.serve_options import TOKEN_VARIABLE, ServerSettings
from nnjax.serving.model import Model
from nnjax.serving.server.connection import connection_class
from nnjax.serving.server.own_hosts import own_hosts
from nnjax.serving.server.request_log import RequestLog
from nnjax.serving.server.server_app import ServerApp, make_app

_KEEP_ALIVE = 75  # seconds that a connection may be idle between requests: longer than a load balancer's 60
_BACKLOG = 2048
_ACCEPTED_AT_ONCE = 16  # connections, in one turn of the event loop
_SIGNALLED = 128  # plus the signal: the exit code of a process that it ended


@contextmanager
def bound(settings: ServerSettings) -> Iterator[socket.socket]:
    """Takes the address, and listens to nobody yet.

    Raises:
        ConfigError: if the host is no address of this machine, or the port is taken.
    """
    key = f"host={settings.host}"
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"{key}: no address of this machine: {getattr(error, 'strerror', None) or error}") from None
    family, kind, protocol, _, address = found[0]
    with socket.socket(family, kind, protocol) as sock:
        reused = os.name == "posix"  # an address that has connections of a server before; elsewhere, the word means more
        try:
            if reused:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(address)
            if reused:  # until this socket listens, another one of the same option could take its address
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise ConfigError(f"port={settings.port}: is in use; write another one, or port=0 for a free one") from None
            if error.errno == errno.EACCES:
                raise ConfigError(f"port={settings.port}: ports below 1024 are for root; write another one") from None
            raise ConfigError(f"{key}: no address of this machine: {error.strerror}") from None
        yield sock


def token_of(settings: ServerSettings, environment: Mapping[str, str] = os.environ) -> str | None:
    """The token that requests must bring, from `token_file` or the environment; None for no authentication.

    Raises:
        ConfigError: if the file cannot be read, or the token cannot stand in a header.
    """
    if settings.token_file is not None:
        place = f"token_file={settings.token_file}"
        try:
            token = Path(settings.token_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{place}: cannot be read: {getattr(error, 'strerror', None) or 'no text'}") from None
    elif TOKEN_VARIABLE in environment:
        place, token = f"${TOKEN_VARIABLE}", environment[TOKEN_VARIABLE].strip()
    else:
        return None
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigError(f"{place}: must hold a token: ASCII letters, digits and signs, without spaces")
    return token


def _say(line: str) -> None:
    print(line, flush=True)  # so that a log or a pipe has it while the server runs


def serve(
    models: Mapping[str, Model], settings: ServerSettings, sock: socket.socket, say: Callable[[str], None] = _say
) -> None:
    """Serves until SIGTERM or Ctrl-C; call it in the main thread.

    Where accepted requests are not answered in time after the signal, the process ends here, with exit code 1.

    Args:
        models: by name.
        settings: see there.
        sock: of `bound`.
        say: called with lines about the start and the end.

    Raises:
        ConfigError: for a token that cannot be used.
        UserError: if a model cannot be compiled or run.
    """
    token = token_of(settings)
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # it would write a line for each damaged form
    log = RequestLog(sys.stderr, quiet=not settings.log)
    host, port = sock.getsockname()[:2]
    app = make_app(models, settings, token, log, say, own_hosts(host, token, settings.hosts))
    shown = f"[{host}]" if ":" in host else host
    say(f"http://{shown}:{port}/ serves {', '.join(models)}; its API is described at /docs; Ctrl-C stops it")
    if warning := exposure(host, token):
        say(warning)
    server = Server(app, settings, say)
    if not leaving.has_begun():
        leaving.begin()
    leaving.receive(server.stop)
    if os.name == "posix":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # for the next server; see `bound`
    try:
        server.run(sockets=[sock])
    finally:
        leaving.receive(None)
        log.close()
        gc.unfreeze()
    if app.state.failure is not None:
        failure = app.state.failure
        raise UserError(f"a model cannot be started: {str(failure) or type(failure).__name__}") from failure
    if lost := app.state.lost:  # the worker's thread is still at them, and cannot be ended otherwise
        leaving.end(1, f"stopped; {lost} accepted request{'' if lost == 1 else 's'} without an answer")
    say("stopped; all accepted requests are answered")


def exposure(host: str, token: str | None) -> str | None:
    """A warning for an address that others reach without a token; None where there is nothing to warn of."""
    if ipaddress.ip_address(host.partition("%")[0]).is_loopback or token is not None:
        return None
    others = f"whoever reaches this address can use the models: set {TOKEN_VARIABLE} or token_file"
    return f"warning: host={host} without authentication: {others}"


class Server(uvicorn.Server):
    """Uvicorn with our limits and our end.

    Args:
        app: the app.
        settings: its limits.
        say: called with lines about the end.
    """

    def __init__(self, app: ServerApp, settings: ServerSettings, say: Callable[[str], None]) -> None:
        self._app, self._drain, self._say = app, settings.drain, say
        self._stopped: float | None = None
        super().__init__(
            uvicorn.Config(
                app,
                http=connection_class(settings, app),
                ws="none",
                lifespan="on",
                log_config=None,
                log_level="critical",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE,
                timeout_graceful_shutdown=1,
                backlog=_BACKLOG,
            )
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals to `nnjax.config.leaving`."""
        yield

    def run(self, sockets: list[socket.socket]) -> None:  # type: ignore[override]
        """Serves until `stop`.

        uvloop accepts one connection of a socket in each turn of its loop, and under load turns are long: of several hundred
        that come at once the last would wait for ten seconds and more. Copies of a socket accept one each.
        """
        with ExitStack() as copies:
            several = _ACCEPTED_AT_ONCE if os.name == "posix" else 1
            super().run([sock if not n else copies.enter_context(sock.dup()) for sock in sockets for n in range(several)])

    def stop(self, name: str) -> None:
        """Begins to drain; a second call ends the process. Safe in a signal handler.

        Args:
            name: of the signal.
        """
        if self._stopped is not None:
            _end(name)
        self._stopped = time.monotonic()
        self._app.state.phase = "draining"

    async def on_tick(self, counter: int) -> bool:
        """Whether to end: after a failed start, or drained."""
        state = self._app.state
        if state.failure is not None:
            return True
        if self._stopped is not None and counter:
            waited = time.monotonic() - self._stopped
            return not state.requests or waited > self._drain
        return await super().on_tick(counter)


def _end(name: str) -> NoReturn:
    leaving.end(_SIGNALLED + signal.Signals[name], f"{leaving.shown_name(name)}: a second signal; stopped without draining")
