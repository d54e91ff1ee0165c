"""The line between processes: here between threads, over real sockets."""

import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from nnjax.parallel import channel
from nnjax.parallel.channel import Hub, Member


@pytest.fixture
def team(request):
    """A hub and its members, by rank, and what each was told about the end of the others."""
    count, silence = getattr(request, "param", (3, 20.0))
    told = {rank: [] for rank in range(count)}

    def ended(rank):
        return lambda peer, said: told[rank].append((peer, dict(said)))

    hub = Hub(count, silence, ended(0))
    ends = {0: hub}

    def join(rank):
        ends[rank] = Member("localhost", hub.port, rank, count, silence, ended(rank), seconds=10)

    threads = [threading.Thread(target=join, args=(rank,)) for rank in range(1, count)]
    for thread in threads:
        thread.start()
    assert hub.accept(10) == []
    for thread in threads:
        thread.join()
    yield ends, told
    lines = [line for end in ends.values() for line in end.lines.values()]
    for line in lines:
        line.is_over = True
        line.close()
    assert all(line.closed.wait(10) for line in lines)


def in_all(ends, call):
    """Calls a function in all processes at once; returns the results by rank."""
    results = {}
    threads = [threading.Thread(target=lambda rank=rank: results.update({rank: call(rank)})) for rank in ends]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    return results


def until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_everybody_gets_every_value_in_the_order_of_ranks(team):
    ends, _ = team
    for number in range(3):
        values = [{"rank": rank, "number": number} for rank in range(3)]
        assert in_all(ends, lambda rank, values=values: ends[rank].exchange(values[rank])) == dict.fromkeys(ends, values)


def test_bytes_of_process_0_arrive_whole(team):
    ends, _ = team
    content = bytes(range(256)) * 50_000
    got = in_all(ends, lambda rank: ends[rank].broadcast(content if rank == 0 else b""))
    assert all(part == content for part in got.values())


def test_a_process_that_is_gone_is_named_at_once(team):
    ends, told = team
    ends[1].lines[0].close()
    until(lambda: told[0])
    assert told[0] == [(1, {})]
    assert told[2] == []


def test_the_others_notice_that_process_0_is_gone(team):
    ends, told = team
    for line in ends[0].lines.values():
        line.close()
    until(lambda: told[1] and told[2])
    assert told[1] == told[2] == [(0, {})]


@pytest.mark.parametrize("team", [(2, 1.0)], indirect=True)
def test_a_process_that_says_nothing_counts_as_gone(team, monkeypatch):
    ends, told = team
    monkeypatch.setattr(ends[1].lines[0], "send", lambda head, payload=b"": None)
    until(lambda: told[0])
    assert told[0] == [(1, {"silent": 1.0})]


@pytest.mark.parametrize("team", [(2, 1.0)], indirect=True)
def test_signs_of_life_keep_an_idle_line_open(team):
    ends, told = team
    time.sleep(2.5)
    assert told == {0: [], 1: []}
    assert in_all(ends, lambda rank: ends[rank].exchange({})) == {0: [{}, {}], 1: [{}, {}]}


def test_an_error_arrives_with_its_code(team):
    ends, told = team
    ends[2].tell({"kind": "end", "code": 3, "message": "no data"})
    until(lambda: told[0])
    assert told[0] == [(2, {"kind": "end", "code": 3, "message": "no data"})]


def test_processes_that_do_not_come_are_named_and_strangers_are_none():
    hub = Hub(4, 5.0, lambda peer, said: None)
    with (
        socket.create_connection(("localhost", hub.port)) as stranger,
        socket.create_connection(("localhost", hub.port)) as wrong,
        socket.create_connection(("localhost", hub.port)) as second,
    ):
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n" * 10)
        wrong.sendall(b"\0\0\0\x0e" + bytes(8) + b'{"kind": 1000}')
        second.sendall(hello(b'{"kind": "hello", "rank": 2, "count": 4, "token": ""}'))
        assert hub.accept(3) == [1, 3]
        hub.lines[2].is_over = True
    assert hub.lines[2].closed.wait(10)


def hello(head, size=0):
    return len(head).to_bytes(4, "big") + size.to_bytes(8, "big") + head


@pytest.mark.parametrize(
    "sent",
    [
        hello(b'{"rank": Infinity, "count": 2, "token": "secret"}'),
        hello(b'{"rank": ' + b"[" * 1900 + b"1" + b"]" * 1900 + b"}"),
        hello(b'{"rank": 1, "count": 2, "token": "secret"}', size=2**40),
        hello(b'{"rank": 1, "count": 2, "token": "guess"}'),
        hello(b'{"rank": 1, "count": 2}'),
        hello(b'{"rank": true, "count": 2, "token": "secret"}'),
        hello(b'{"rank": 1, "count": ' + b"9" * 4000 + b', "token": "secret"}'),
        (2**23).to_bytes(4, "big") + bytes(8) + b" " * 8000,
        b"",
    ],
    ids=["infinite", "nested", "large", "other token", "no token", "no number", "digits", "long", "silent"],
)
def test_a_stranger_takes_no_place_and_no_time(sent):
    hub = Hub(2, 20.0, lambda peer, said: None, token="secret")
    with socket.create_connection(("localhost", hub.port)) as stranger:
        stranger.sendall(sent)
        if not sent:
            stranger.close()
        with ThreadPoolExecutor() as pool:
            member = pool.submit(Member, "localhost", hub.port, 1, 2, 20.0, lambda peer, said: None, 10, "secret")
            assert hub.accept(20) == []
            values = pool.submit(member.result().exchange, {"from": 1})
            assert hub.exchange({"from": 0}) == values.result() == [{"from": 0}, {"from": 1}]
    assert not {"secret", "guess"} & {*re.findall(r"\w+", hub.refusal)}
    for line in (hub.lines[1], member.result().lines[0]):
        line.is_over = True
        line.close()


@pytest.mark.parametrize(
    ("rank", "count", "token", "why"),
    [
        (2, 3, "guess", "process 0 has another NNJAX_TOKEN"),
        (2, 4, "sécret", "process 0 is one of 3 (NNJAX_PROCESSES, or what the engine says)"),
        (1, 3, "sécret", "another one came as process 1 before (NNJAX_RANK, or what the engine says)"),
    ],
    ids=["token", "count", "rank"],
)
def test_a_process_that_was_started_otherwise_is_told_so(rank, count, token, why):
    told = []
    hub = Hub(3, 20.0, lambda peer, said: None, token="sécret")
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(hub.accept, 20)
        first = Member("localhost", hub.port, 1, 3, 20.0, lambda peer, said: None, 10, "sécret")
        until(lambda: 1 in hub.lines)
        other = Member("localhost", hub.port, rank, count, 20.0, lambda peer, said: told.append(said), 10, token)
        until(lambda: told)
        second = Member("localhost", hub.port, 2, 3, 20.0, lambda peer, said: None, 10, "sécret")
        assert waiting.result() == []
    message = f"process {rank} of {count} was turned away: {why}"
    assert told == [{"kind": "end", "code": 1, "message": message, "is_refusal": True}]
    assert hub.refusal == message
    for line in (*hub.lines.values(), *(member.lines[0] for member in (first, other, second))):
        line.is_over = True
        line.close()


def test_a_stranger_who_sends_byte_by_byte_does_not_hold_up_the_end_of_the_wait(monkeypatch):
    monkeypatch.setattr(channel, "HELLO_SECONDS", 0.5)
    hub, over = Hub(2, 20.0, lambda peer, said: None), threading.Event()

    def drip():
        with socket.create_connection(("localhost", hub.port)) as stranger, suppress(OSError):
            while not over.wait(0.1):
                stranger.sendall(b"\0")

    threads = [threading.Thread(target=drip) for _ in range(2)]
    for thread in threads:
        thread.start()
    waited = threading.Thread(target=hub.accept, args=(1.0,))
    waited.start()
    waited.join(20)
    assert not waited.is_alive()
    over.set()
    for thread in threads:
        thread.join()


def test_a_loopback_address_is_for_this_machine_only():
    hub = Hub(1, 5.0, lambda peer, said: None, host="127.0.0.1")
    assert hub._server.getsockname()[0] == "127.0.0.1"
    assert hub.accept(1) == []


def test_those_who_came_early_get_signs_of_life_while_the_hub_waits():
    told = []
    hub = Hub(3, 1.0, lambda peer, said: told.append(said))
    early = Member("localhost", hub.port, 1, 3, 1.0, lambda peer, said: told.append(said), 10)
    assert hub.accept(3) == [2]
    assert told == []
    for line in (early.lines[0], hub.lines[1]):
        line.is_over = True
        line.close()


def test_nobody_listening_is_an_error_after_the_time():
    with socket.create_server(("localhost", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(OSError, match="refused"):
        Member("localhost", port, 1, 2, 5.0, lambda peer, said: None, seconds=0.3)
