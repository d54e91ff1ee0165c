"""Sends requests at a rate that does not fall when the server is slow: `python -m benchmarks.open_loop PORT FILE RATE SECONDS`.

A load generator whose clients each wait for an answer slows down with the server, and so cannot overload it. Here requests
are due at random times (a Poisson process), and each one's time counts from the moment when it was due. Prints JSON: requests
by status, and the times of the accepted ones.
"""

import asyncio
import json
import random
import re
import sys
import time
from collections import Counter, deque
from pathlib import Path
from typing import Any

import uvloop

CONNECTIONS = 900
_PATIENCE = 30.0  # seconds for the last answers
_TICK = 0.002  # seconds between looks at what is due
_LENGTH = re.compile(rb"content-length: (\d+)")


class _Client(asyncio.Protocol):
    """One connection, with at most one request at a time."""

    def __init__(self, load: "_Load") -> None:
        self._load, self._due, self._text = load, 0.0, b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._load.free.append(self)
        self._load.clients.append(self)

    def send(self, due: float) -> None:
        self._due, self._text = due, b""
        self._transport.write(self._load.request)

    def data_received(self, data: bytes) -> None:
        self._text += data
        head, end, body = self._text.partition(b"\r\n\r\n")
        if end and len(body) >= int(_LENGTH.search(head)[1]):  # type: ignore[index]
            self._load.answered(int(head[9:12]), self._due)
            self._load.free.append(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.closed += 1

    def close(self) -> None:
        self._transport.close()


class _Load:
    def __init__(self, request: bytes) -> None:
        self.request = request
        self.free: deque[_Client] = deque()
        self.clients: list[_Client] = []
        self.statuses: Counter[int] = Counter()
        self.seconds: list[float] = []
        self.closed = self.sent = self.unsent = 0

    def answered(self, status: int, due: float) -> None:
        self.statuses[status] += 1
        if status == 200:
            self.seconds.append(time.perf_counter() - due)

    def ask(self, due: float) -> None:
        if self.free:
            self.sent += 1
            self.free.popleft().send(due)
        else:
            self.unsent += 1


async def send(port: int, body: bytes, rate: float, seconds: float) -> dict[str, object]:
    """Sends for some seconds, waits for the last answers, and returns what is printed."""
    head = f"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: image/png\r\ncontent-length: {len(body)}\r\n\r\n"
    load, loop, draw = _Load(head.encode() + body), asyncio.get_running_loop(), random.Random(0)
    for _ in range(CONNECTIONS):
        await loop.create_connection(lambda: _Client(load), "127.0.0.1", port)
    start = due = time.perf_counter()
    while due < start + seconds:
        now = time.perf_counter()
        while due <= now:
            load.ask(due)
            due += draw.expovariate(rate)
        await asyncio.sleep(_TICK)
    took = time.perf_counter() - start
    while sum(load.statuses.values()) < load.sent and time.perf_counter() < start + took + _PATIENCE:
        await asyncio.sleep(0.05)
    closed = load.closed
    for client in load.clients:
        client.close()
    times = sorted(load.seconds)
    return {
        "sent": load.sent,
        "unsent": load.unsent,  # every connection waited for an answer
        "rate": load.sent / took,
        "statuses": dict(load.statuses),
        "unanswered": load.sent - sum(load.statuses.values()),
        "closed": closed,
        "seconds": {name: times[min(len(times) - 1, int(share * len(times)))] for name, share in _SHARES.items()}
        if times
        else {},
    }


_SHARES = {"p50": 0.5, "p99": 0.99, "most": 1.0}


def main() -> None:
    """Sends, and prints."""
    port, file, rate, seconds = sys.argv[1:]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(send(int(port), Path(file).read_bytes(), float(rate), float(seconds)))))


if __name__ == "__main__":
    main()
