"""Clients that are slow, silent, too many or no clients at all."""

import resource
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import pytest
from serving_thread import running, square, wait_for

from nnjax.config.serve_options import ServerSettings


def said(sock):
    """All that the server sends until it closes the connection, be it before it has read all."""
    text = b""
    with suppress(ConnectionError):
        while part := sock.recv(65536):
            text += part
    return text.decode()


def opened(served):
    return socket.create_connection(("127.0.0.1", served.port), timeout=20)


def closed_in_time(served, *parts):
    """Sends parts, and returns what the server says, which must close the connection."""
    with opened(served) as sock:
        with suppress(ConnectionError):  # closed before the last part
            for part in parts:
                sock.sendall(part)
                time.sleep(0.02)
        return said(sock)


def send_until_closed(sock, part):
    """Sends it again and again, until the server closes the connection; not for ever."""
    limit = time.monotonic() + 8
    with suppress(ConnectionError):
        while time.monotonic() < limit:
            sock.sendall(part)
            time.sleep(0.002)
        pytest.fail("all was read")


def connections(served):
    return len(served.server.server_state.connections)


HEAD = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"


@pytest.mark.parametrize(
    "parts",
    [
        (),
        (b"GE",),
        (b"GET / HTTP/1.1\r\nhost: x\r\n", b"a: b\r\n"),
        (b"\r\n",),
    ],
    ids=["nothing", "a part of a line", "no end of the head", "an empty line"],
)
def test_a_head_that_does_not_come_is_given_up(models, parts):
    with running(models, ServerSettings(timeout=1.0)) as served:
        answer = closed_in_time(served, *parts)
        assert answer.startswith("HTTP/1.1 408 ")
        assert '{"error": "no request arrived within 1 s"}' in answer
        assert served.labels(square(0)) == ["top left"]


def test_a_body_that_does_not_come_is_given_up(models):
    with running(models, ServerSettings(timeout=1.0)) as served:
        answer = closed_in_time(served, HEAD + b"content-length: 100\r\n\r\n", b"{", b"}")
        assert answer.startswith("HTTP/1.1 408 ")
        assert "the body did not arrive within 1 s" in answer
        assert (served.app.state.examples, served.app.state.buffered) == (0, 0)


def test_a_second_head_that_does_not_come_is_given_up(models):
    with running(models, ServerSettings(timeout=1.0)) as served:
        answer = closed_in_time(served, b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n", b"GET /hea")
        assert [line for line in answer.splitlines() if line.startswith("HTTP/1.1")][1].startswith("HTTP/1.1 408 ")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)), 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"SSH-2.0-OpenSSH_9.2\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + b"a: " + b"b" * 40_000, 431),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 10_000, 431),
        (b"GET /" + b"a" * 40_000, 431),
        (HEAD + b"content-length: -1\r\n\r\n", 400),
        (HEAD + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ],
    ids=["TLS", "version", "SSH", "long header", "many headers", "long path", "negative length", "smuggling"],
)
def test_what_is_no_request_is_refused_as_json(models, sent, status):
    with running(models) as served:
        answer = closed_in_time(served, sent)
        assert answer.startswith(f"HTTP/1.1 {status} ")
        assert '{"error": ' in answer
        assert served.labels(square(0)) == ["top left"]


def test_a_body_behind_an_upgrade_is_not_taken_for_an_empty_one(models):
    """As curl --http2 and Java's client send it; httptools drops the body."""
    body = b'{"inputs": ' + str(square(1).tolist()).encode() + b"}"
    upgrade = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n"
    with running(models) as served:
        answer = closed_in_time(served, HEAD + upgrade + b"content-length: %d\r\n\r\n" % len(body) + body)
        assert answer.startswith("HTTP/1.1 400 ")
        assert '{"error": "Upgrade: this server has HTTP/1.1 alone; ' in answer
        assert served.ask("GET", "/health", headers={"connection": "Upgrade", "upgrade": "h2c"})[0] == 200


def test_more_connections_than_allowed_are_refused(models):
    with running(models, ServerSettings(connections=3)) as served:
        open_ones = [opened(served) for _ in range(3)]
        wait_for(lambda: connections(served) == 3)
        with opened(served) as sock:
            answer = said(sock)
        assert answer.startswith("HTTP/1.1 503 ")
        assert "more than 3 connections are open" in answer
        for sock in open_ones:
            sock.close()
        wait_for(lambda: not connections(served))
        assert 'path="none",status="503"} 1.0' in served.ask("GET", "/metrics")[2].decode()
        assert served.labels(square(0)) == ["top left"]


@pytest.fixture
def many_files():
    """Room for both ends of a thousand connections, where a shell leaves a process 1024 files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096 if hard == resource.RLIM_INFINITY else min(hard, 4096), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_files")
def test_a_thousand_silent_connections_do_not_keep_others_out(models):
    with running(models, ServerSettings(connections=1100)) as served:
        silent = [opened(served) for _ in range(1000)]
        try:
            assert served.labels(square(3)) == ["bottom right"]
        finally:
            for sock in silent:
                sock.close()


def test_a_client_that_leaves_before_its_answer_costs_nobody_else(models):
    body = b'{"inputs": ' + str(square(1).tolist()).encode() + b"}"
    with running(models) as served:
        for _ in range(50):
            with opened(served) as sock:
                sock.sendall(HEAD + b"content-length: %d\r\n\r\n" % len(body) + body)
        with opened(served) as sock:  # in the middle of its body
            sock.sendall(HEAD + b"content-length: 1000\r\n\r\n" + body)
        assert served.labels(square(1)) == ["top right"]
        wait_for(lambda: not served.app.state.examples and not served.app.state.buffered)


def test_pipelined_requests_are_answered_in_order(models):
    with running(models) as served:
        requests = b"".join(
            b"GET " + path + b" HTTP/1.1\r\nhost: x\r\n\r\n" for path in (b"/health", b"/nothing", b"/ready", b"/health")
        )
        with opened(served) as sock:
            sock.sendall(requests[:-2] + b"connection: close\r\n\r\n")
            answer = said(sock)
    assert [line.split()[1] for line in answer.splitlines() if line.startswith("HTTP/1.1")] == ["200", "404", "200", "200"]


def test_many_requests_behind_one_are_given_up_and_take_no_memory(models, tmp_path):
    log = (tmp_path / "log").open("w+")
    requests = b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n" * 4000
    with running(models, log=log) as served:
        with opened(served) as sock, suppress(ConnectionError):
            sock.sendall(requests)
            assert said(sock).count("HTTP/1.1 200") <= 17
        assert served.labels(square(0)) == ["top left"]
        assert 'path="none",status="429"} 1.0' in served.ask("GET", "/metrics")[2].decode()
    log.seek(0)
    assert " - - 429 0.0 ms: more than 16 requests wait on one connection\n" in log.read()


def test_nothing_is_read_from_a_client_that_has_requests_waiting(models, network):
    held = threading.Event()
    with running(models, ServerSettings(queue=100)) as served:
        network.hook = lambda inputs: held.wait(10)
        body = b'{"inputs": ' + str(square(1).tolist()).encode() + b"}"
        slow = HEAD + b"content-length: %d\r\n\r\n" % len(body) + body
        with opened(served) as sock:
            sock.sendall(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n" + 2 * slow)
            assert b" 200 " in sock.recv(4096)
            (connection,) = served.server.server_state.connections
            wait_for(lambda: len(connection.pipeline) == 1)  # the first of the slow ones is computed
            sock.sendall(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n" * 9 + b"GET /ready HTTP/1.1\r\nconnection: close\r\n\r\n")
            time.sleep(0.1)
            assert len(connection.pipeline) == 1
            held.set()
            assert said(sock).count("HTTP/1.1 200 ") == 12  # all in the end


@pytest.mark.parametrize("rest", [b"x: y\r\n", b"y"], ids=["many", "one without an end"])
def test_trailers_are_bounded(models, rest):
    with running(models) as served:
        with opened(served) as sock:
            sock.sendall(HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nx: ")
            send_until_closed(sock, rest * 2000)
        assert served.labels(square(0)) == ["top left"]


def test_a_head_behind_a_request_is_bounded(models, network):
    held = threading.Event()
    with running(models) as served:
        network.hook = lambda inputs: held.wait(10)
        body = b'{"inputs": ' + str(square(1).tolist()).encode() + b"}"
        with opened(served) as sock:
            sock.sendall(HEAD + b"content-length: %d\r\n\r\n" % len(body) + body)
            wait_for(lambda: served.app.state.examples)
            sock.sendall(b"GET /")
            send_until_closed(sock, b"a" * 4000)
        held.set()
        assert served.labels(square(0)) == ["top left"]


def test_refusals_that_nobody_reads_end_the_connection(models, network):
    held, body = threading.Event(), b"{}"
    with running(models, ServerSettings(queue=1)) as served, ThreadPoolExecutor(1) as pool:
        network.hook = lambda inputs: held.wait(10)
        asked = pool.submit(served.labels, square(0))
        wait_for(lambda: served.app.state.examples)
        with opened(served) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            with suppress(ConnectionError):
                for _ in range(1000):
                    sock.sendall((HEAD + b"content-length: 2\r\n\r\n" + body) * 1000)
                pytest.fail("a million refusals were written")
        held.set()
        assert asked.result() == ["top left"]


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_above_the_bound_is_refused_while_it_streams(models, chunked):
    most = 4096
    with running(models, ServerSettings(body=most)) as served:
        with opened(served) as sock:
            if chunked:
                sock.sendall(HEAD + b"transfer-encoding: chunked\r\n\r\n")
                for _ in range(5):
                    sock.sendall(b"400\r\n" + b" " * 1024 + b"\r\n")
            else:
                sock.sendall(HEAD + b"content-length: 100000000000\r\n\r\n")
            answer = ""
            while "\r\n\r\n{" not in answer:  # while the body is not at its end
                part = sock.recv(65536).decode()
                assert part, answer
                answer += part
        assert answer.startswith("HTTP/1.1 413 ")
        assert f"the body has more than {most} bytes" in answer
        assert served.app.state.buffered == 0


def test_after_a_refused_body_the_same_connection_serves(models):
    with running(models, ServerSettings(body=4096)) as served:
        connection = served.connect()
        connection.request("POST", "/predict", b" " * 100_000, {"content-type": "application/json"})
        response = connection.getresponse()
        assert (response.status, response.read()[:9]) == (413, b'{"error":')
        connection.request("GET", "/health")
        assert connection.getresponse().status == 200
        connection.close()


def test_connections_that_come_at_once_do_not_wait_for_as_many_turns(models):
    turns = 0

    def hold():
        held.set()
        assert go.wait(20)  # the loop accepts nobody meanwhile
        turn()

    def turn():
        nonlocal turns
        turns += 1
        if len(served.server.server_state.connections) < 200:
            loop.call_soon(turn)
        else:
            accepted.set()

    with running(models) as served, ExitStack() as waiting:
        loop = served.server.servers[0].get_loop()
        held, go, accepted = threading.Event(), threading.Event(), threading.Event()
        loop.call_soon_threadsafe(hold)
        assert held.wait(20)
        for _ in range(200):
            waiting.enter_context(opened(served))
        go.set()
        assert accepted.wait(20)
    assert turns < 100
