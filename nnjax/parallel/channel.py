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
takes over afterwards, so that it can say which process did not come; XLA would abort instead. A stranger on its port is sent
away; where all have the same token, as under the launcher, nobody else can take a process's place. A process that was started
with another token or number of processes is told so, and named where the hub has waited in vain.
"""

import hmac
import queue
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from nnjax.config.errors import UserError
from nnjax.config.processes import COUNT, RANK, TOKEN
from nnjax.parallel.messages import HELLO_SECONDS, LOOKS, receive, receive_hello, send

_RETRY = 0.1  # seconds
_BEAT = 2.0  # seconds between signs of life, or less: the peer may be less patient
_MOST_PROCESSES = 2**20  # a stranger's number is not repeated
_BLOCKED = 1.0  # seconds after which a message counts as one that its receiver does not take

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

    Attributes:
        silence: as given; may be changed, and counts from the next message on.
    """

    def __init__(self, connection: socket.socket, rank: int, silence: float, ended: Ended) -> None:
        self.rank = rank
        self.inbox: queue.SimpleQueue[tuple[dict[str, Any], bytes]] = queue.SimpleQueue()
        self.is_over = False  # nothing more is expected of the peer
        self.closed = threading.Event()
        self._connection, self.silence, self._ended = connection, silence, ended
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
        with self._sending, suppress(OSError):
            send(self._connection, head, payload)

    def close(self) -> None:
        """Ends the connection; the peer takes that as the end of this process, unless it was told before."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def _live(self) -> None:
        while not self.is_over and not self.closed.wait(min(self.silence / LOOKS * 2, _BEAT)):
            self.send({"kind": "alive"})

    def _receive(self) -> None:
        try:
            while True:
                head, payload = receive(self._connection, self.silence)
                if head["kind"] == "end":
                    self.is_over = True
                    self._ended(self.rank, head)
                elif head["kind"] != "alive":
                    self.inbox.put((head, payload))
        except TimeoutError:
            self._lost({"silent": self.silence})
        except Exception:  # the connection ended, or what came is no message
            self._lost({})
        finally:
            self._connection.close()
            self.closed.set()

    def _lost(self, said: Mapping[str, Any]) -> None:
        if not self.is_over:
            self.is_over = True
            if self._sending.acquire(timeout=_BLOCKED):
                self._sending.release()
            else:  # a message that the peer does not take would keep this process from telling the others
                self.close()
            self._ended(self.rank, said)


class Hub:
    """The end of the line in process 0.

    Args:
        count: how many processes there are.
        silence: see `Line`.
        ended: see `Ended`.
        port: where the others connect; 0 takes a free one.
        host: where they reach this machine; at a loopback address, nobody else can.
        token: what they must know.

    Attributes:
        port: the one taken, on all of the machine's addresses, or on the loopback address.
        refusal: the line about the last process that was turned away; empty if there was none.

    Raises:
        OSError: if another program has the port.
    """

    def __init__(self, count: int, silence: float, ended: Ended, port: int = 0, *, host: str = "", token: str = "") -> None:
        self._count, self._silence, self._ended, self._token = count, silence, ended, token
        self._server = _server(host, port)
        self.port: int = self._server.getsockname()[1]
        self.lines: dict[int, Line] = {}
        self.refusal = ""

    def accept(self, seconds: float) -> list[int]:
        """Waits for the others, and closes the port; returns the ranks that did not come."""
        until = time.monotonic() + seconds
        while len(self.lines) < self._count - 1 and (left := until - time.monotonic()) > 0:
            self._server.settimeout(left)
            try:
                connection, _ = self._server.accept()
            except TimeoutError:
                break
            rank = self._rank_of(connection, time.monotonic() + min(left, HELLO_SECONDS))
            if rank is None:
                connection.close()
                continue
            self.lines[rank] = line = Line(connection, rank, self._silence, self._ended)
            line.begin()  # those who came early get signs of life
        self._server.close()
        return [rank for rank in range(1, self._count) if rank not in self.lines]

    def _rank_of(self, connection: socket.socket, until: float) -> int | None:
        """The rank that a connected process has; None for a stranger, and for a process that is turned away, and told why."""
        with suppress(Exception):  # whatever a stranger may send
            head = receive_hello(connection, until)
            rank, count = head["rank"], head["count"]
            if type(rank) is type(count) is int and 0 < rank < count <= _MOST_PROCESSES:
                if not (reason := self._against(rank, count, head["token"])):
                    return rank
                self.refusal = f"process {rank} of {count} was turned away: {reason}"
                # With code 1, after which launchers start a process again: it may be early, or left from before a restart.
                told = {"kind": "end", "code": UserError.exit_code, "message": self.refusal, "is_refusal": True}
                send(connection, told)
        return None

    def _against(self, rank: int, count: int, token: str) -> str:
        """Why a process has no place here; empty if it has."""
        theirs, own = (text.encode(errors="surrogatepass") for text in (token, self._token))
        if not hmac.compare_digest(theirs, own):
            return f"process 0 has another {TOKEN}"
        if count != self._count:
            return f"process 0 is one of {self._count} ({COUNT}, or what the engine says)"
        if rank in self.lines:
            return f"another one came as process {rank} before ({RANK}, or what the engine says)"
        return ""

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
        for line in list(self.lines.values()):  # another thread may add one
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
        token: the hub's.

    Raises:
        OSError: if it is not.
    """

    def __init__(
        self,
        host: str,
        port: int,
        rank: int,
        count: int,
        silence: float,
        ended: Ended,
        seconds: float,
        token: str = "",
    ) -> None:
        connection = _reach(host, port, seconds)
        self.lines = {0: Line(connection, 0, silence, ended)}
        self.lines[0].send({"kind": "hello", "rank": rank, "count": count, "token": token})
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


def _server(host: str, port: int) -> socket.socket:
    """A listening socket: at a loopback address, or else at all, for both versions of IP where the machine has both."""
    if host == "localhost" or host.startswith("127."):
        return socket.create_server((host, port), backlog=1024)
    if socket.has_dualstack_ipv6():
        with suppress(OSError):
            return socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1024)
    return socket.create_server(("", port), backlog=1024)
