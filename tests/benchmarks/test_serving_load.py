"""The load on a server: a rate that does not wait for answers, and what is shown of the results."""

import asyncio
import threading
import time
from types import SimpleNamespace

import pytest
import uvloop

from benchmarks import load, open_loop, sections
from benchmarks.turns import WorkerError

RESULT = {
    "contestants": {
        "nnjax": {"turns": {"1": [{"rate": 200.0, "p50": 0.001, "p99": 0.002, "failed": 0}]}},
        "other": {"turns": {"1": [{"rate": 100.0, "p50": 0.003, "p99": 0.008, "failed": 2}]}},
        "broken": {"failed": "no | torch", "turns": {"1": []}},
    },
    "memory": {"few": 1000, "many": 100_000, "mib": [300.4, 301.6]},
    "overload": {
        "capacity": 1000.0,
        "rate": 5000.0,
        "seconds_long": 60.0,
        "statuses": {"200": 60_000, "429": 240_000},
        "unanswered": 0,
        "seconds": {"p50": 0.1, "p99": 0.2, "most": 0.3},
    },
}


class Slow(asyncio.Protocol):
    """Answers each request after a tenth of a second: every third one with 429."""

    asked = 0

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        assert data.startswith(b"POST /predict ")
        assert data.endswith(b"\r\n\r\npicture")
        Slow.asked += 1
        status = b"429 Too Many" if Slow.asked % 3 == 0 else b"200 OK"
        answer = b"HTTP/1.1 " + status + b"\r\ncontent-length: 2\r\n\r\n{}"
        asyncio.get_running_loop().call_later(0.1, self.transport.write, answer)


def test_the_rate_does_not_fall_with_the_answers(monkeypatch):
    monkeypatch.setattr(open_loop, "CONNECTIONS", 50)
    ports, ended = [], threading.Event()

    async def serve():
        server = await asyncio.get_running_loop().create_server(Slow, "127.0.0.1", 0)
        ports.append(server.sockets[0].getsockname()[1])
        while not ended.is_set():
            await asyncio.sleep(0.01)
        server.close()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    while not ports:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        result = uvloop.run(open_loop.send(ports[0], b"picture", rate=200.0, seconds=1.0))
    finally:
        ended.set()
        thread.join()
    assert 120 < result["sent"] < 300  # a client that waits for each answer would send ten
    assert result["statuses"] == {200: result["sent"] - result["sent"] // 3, 429: result["sent"] // 3}
    assert (result["unanswered"], result["closed"]) == (0, 0)
    assert result["seconds"]["p50"] > 0.1


def test_the_memory_after_too_few_requests_is_no_result(monkeypatch):
    monkeypatch.setattr(load, "wrk", lambda *_: {"requests": 1})
    monkeypatch.setattr(load, "_PATIENCE", -1.0)
    with pytest.raises(WorkerError, match=r"^the server answered 0 of 10 requests"):
        load.send(SimpleNamespace(port=0, memory=1.0), "picture", 10)


def test_the_table_names_every_contestant_and_the_ratios():
    text = sections.serving(RESULT)
    assert "| nnjax | 1 | 200 [200 .. 200] | 1 [1 .. 1] | 2 [2 .. 2] |  |  |" in text
    assert "| other | 1 | 100 [100 .. 100], 2 failed | 3 [3 .. 3] | 8 [8 .. 8] | 2 [2 .. 2] | 0.25 [0.25 .. 0.25] |" in text
    assert "| broken | no / torch | | | | | |" in text
    assert "Memory after 1000 requests: 300 MiB; after 100000: 302 MiB." in text
    assert "5 times what 64 clients reached; 60000 answered, 240000 refused with 429, 0 without an answer" in text
