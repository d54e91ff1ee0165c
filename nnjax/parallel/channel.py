"""The line between the processes of a job: small exchanges, broadcasts, and who is gone. Plain sockets, beside JAX's own.

    hub = Hub(count=2, silence=60, ended=...)               # in process 0
    member = Member("node-0", hub.port, rank=1, count=2, silence=60, ended=..., seconds=300)
    hub.exchange({"step": 3}); member.exchange({"step": 3})     # [{"step": 3}, {"step": 3}] in both
    hub.broadcast(b"…"); member.broadcast()                     # b"…" in both

Process 0 is the hub: the others send to it, and it answers all. JAX's collectives cannot serve here: where a process is gone,
they hang, or end the others with a foreign stack. A process that was killed is noticed at once, as its connection ends; one
that is frozen or cut off, after `silence` seconds without a sign of life, which a thread of each process gives. These seconds
are counted in looks: a process that was stopped itself, as a suspended job is, finds nobody missing afterwards.

Messages are JSON with a payload of bytes: nothing in them can run code. The hub waits at the address that JAX's own service
takes over afterwards, so that it can say which process did not come; XLA would abort instead.
"""

import json
import queue
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

_LOOKS = 20  # in `silence` seconds
_RETRY = 0.1  # seconds
_HELLO = 5.0  # seconds for a connected process to say who it is
_LARGEST_HEAD = 2**24
_SIZES = struct.Struct("!IQ")

Ended = Callable[[int, Mapping[str, Any]], None]
"""Called in a thread, at most once for each peer: with its rank, and what it said: {} if it is gone without a word, {"silent":
seconds}, or {"code": …, "message": …} if it ended with an error or because of a signal."""


class Line:
    """One connection to a peer.

    Args:
        connection: to the peer.
        rank: of the peer.
        silence: seconds without a sign of life after which it counts as gone.
        ended: see `Ended`.
    """

    def __init__(self, connection: socket.socket, rank: int, silence: float, ended: Ended) -> None:
        self.rank = rank
        self.inbox: queue.SimpleQueue[tuple[dict[str, Any], bytes]] = queue.SimpleQueue()
        self.is_over = False  # nothing more is expected of the peer
        self.closed = threading.Event()
        self._connection, self._silence, self._ended = connection, silence, ended
        self._sending = threading.Lock()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def begin(self) -> None:
        """Starts the threads that receive, and that give signs of life."""
        for run in (self._receive, self._live):
            threading.Thread(target=run, name=f"line-{self.rank}", daemon=True).start()

    def send(self, head: Mapping[str, Any], payload: bytes | memoryview = b"") -> None:
        """Sends a message; one that cannot arrive is dropped: the receiving thread notices why.

        A peer that takes nothing any more blocks this call; `ended` is called meanwhile.
        """
        text = json.dumps(head).encode()
        with self._sending, suppress(OSError):
            self._connection.sendall(_SIZES.pack(len(text), len(payload)) + text)
            if payload:
                self._connection.sendall(payload)

    def close(self) -> None:
        """Ends the connection; the peer takes that as the end of this process, unless it was told before."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def _live(self) -> None:
        beat = threading.Event()
        while not self.is_over and not beat.wait(self._silence / _LOOKS * 2):
            self.send({"kind": "alive"})

    def _receive(self) -> None:
        try:
            while True:
                head, payload = receive(self._connection, self._silence)
                if head["kind"] == "end":
                    self.is_over = True
                    self._ended(self.rank, head)
                elif head["kind"] != "alive":
                    self.inbox.put((head, payload))
        except TimeoutError:
            self._lost({"silent": self._silence})
        except (OSError, ValueError, KeyError, TypeError):
            self._lost({})
        finally:
            self._connection.close()
            self.closed.set()

    def _lost(self, said: Mapping[str, Any]) -> None:
        if not self.is_over:
            self.is_over = True
            self._ended(self.rank, said)


class Hub:
    """The end of the line in process 0.

    Args:
        count: how many processes there are.
        silence: see `Line`.
        ended: see `Ended`.
        port: where the others connect; 0 takes a free one.

    Attributes:
        port: the one taken, on all of the machine's addresses.

    Raises:
        OSError: if another program has the port.
    """

    def __init__(self, count: int, silence: float, ended: Ended, port: int = 0) -> None:
        self._count, self._silence, self._ended = count, silence, ended
        self._server = _server(port)
        self.port: int = self._server.getsockname()[1]
        self.lines: dict[int, Line] = {}

    def accept(self, seconds: float) -> list[int]:
        """Waits for the others, and closes the port; returns the ranks that did not come."""
        until = time.monotonic() + seconds
        while len(self.lines) < self._count - 1 and (left := until - time.monotonic()) > 0:
            self._server.settimeout(left)
            try:
                connection, _ = self._server.accept()
            except TimeoutError:
                break
            with suppress(OSError, ValueError, KeyError, TypeError):  # a stranger
                head, _ = receive(connection, min(left, _HELLO))
                rank = int(head["rank"])
                if head["count"] == self._count and 0 < rank < self._count and rank not in self.lines:
                    self.lines[rank] = Line(connection, rank, self._silence, self._ended)
                    continue
            connection.close()
        self._server.close()
        for line in self.lines.values():
            line.begin()
        return [rank for rank in range(1, self._count) if rank not in self.lines]

    def exchange(self, own: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Everybody's value, by rank; all processes call it, equally often."""
        values = [dict(own), *(self.lines[rank].inbox.get()[0]["value"] for rank in sorted(self.lines))]
        self.tell({"kind": "values", "value": values})
        return values

    def broadcast(self, payload: bytes = b"") -> bytes:
        """Process 0's bytes; all processes call it."""
        self.tell({"kind": "bytes"}, payload)
        return payload

    def tell(self, head: Mapping[str, Any], payload: bytes = b"") -> None:
        """Sends a message to all others."""
        for line in self.lines.values():
            line.send(head, payload)


class Member:
    """The end of the line in every other process.

    Args:
        host: of process 0.
        port: of the hub.
        rank: of this process.
        count: how many there are.
        silence: see `Line`.
        ended: see `Ended`.
        seconds: in which the hub must be reached; its machine may come later than this one.

    Raises:
        OSError: if it is not.
    """

    def __init__(self, host: str, port: int, rank: int, count: int, silence: float, ended: Ended, seconds: float) -> None:
        connection = _reach(host, port, seconds)
        self.lines = {0: Line(connection, 0, silence, ended)}
        self.lines[0].send({"kind": "hello", "rank": rank, "count": count})
        self.lines[0].begin()

    def exchange(self, own: Mapping[str, Any]) -> list[dict[str, Any]]:
        """See `Hub.exchange`."""
        self.lines[0].send({"kind": "value", "value": dict(own)})
        values: list[dict[str, Any]] = self.lines[0].inbox.get()[0]["value"]
        return values

    def broadcast(self, payload: bytes = b"") -> bytes:
        """See `Hub.broadcast`; the argument is not used."""
        return self.lines[0].inbox.get()[1]

    def tell(self, head: Mapping[str, Any], payload: bytes = b"") -> None:
        """Sends a message to process 0."""
        self.lines[0].send(head, payload)


def receive(connection: socket.socket, silence: float) -> tuple[dict[str, Any], bytes]:
    """Waits for a message.

    Raises:
        TimeoutError: if nothing at all came for so many seconds, in which this process ran.
        OSError: if the connection ended.
        ValueError: if what came is no message.
    """
    head_size, size = _SIZES.unpack(_exactly(connection, _SIZES.size, silence))
    if head_size > _LARGEST_HEAD:
        raise ValueError("no message")
    head = json.loads(_exactly(connection, head_size, silence))
    if not isinstance(head, dict):
        raise ValueError("no message")
    return head, bytes(_exactly(connection, size, silence))


def _exactly(connection: socket.socket, size: int, silence: float) -> bytearray:
    data, looks = bytearray(), 0
    connection.settimeout(None)
    while len(data) < size:
        try:
            part = _some(connection, min(size - len(data), 2**20), silence / _LOOKS)
        except TimeoutError:
            looks += 1
            if looks >= _LOOKS:
                raise
            continue
        if not part:
            raise ConnectionResetError
        looks = 0
        data += part
    return data


def _some(connection: socket.socket, size: int, seconds: float) -> bytes:
    """Up to so many bytes, waiting at most so many seconds; the timeout of the socket, which also counts for sending, stays."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    if not poll.poll(seconds * 1000):
        raise TimeoutError
    return connection.recv(size)


def _reach(host: str, port: int, seconds: float) -> socket.socket:
    """Connects, and tries again until the time is over."""
    until = time.monotonic() + seconds
    while True:
        try:
            return socket.create_connection((host, port), max(until - time.monotonic(), _RETRY))
        except OSError:  # nobody listens yet, or the name of a machine that does not run yet
            if time.monotonic() > until:
                raise
            time.sleep(_RETRY)


def _server(port: int) -> socket.socket:
    """A listening socket, for both versions of IP where the machine has both."""
    if socket.has_dualstack_ipv6():
        with suppress(OSError):
            return socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1024)
    return socket.create_server(("", port), backlog=1024)
