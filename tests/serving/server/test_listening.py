"""A server's process: signals, ports, tokens."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from serving_thread import square, wait_for
from time_limits import killed_after

from nnjax.config.errors import ConfigError
from nnjax.config.serve_options import ServerSettings
from nnjax.serving.server.listening import bound, exposure, token_of

BODY = json.dumps({"inputs": square(3).tolist()})


class Process:
    """A server's process, ready; with `held`, its batches wait for `release`."""

    def __init__(self, *, held=False, port=0, drain=60.0):
        command = [sys.executable, "-m", "serving_process", str(port), str(drain), *(["held"] if held else [])]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join((str(Path(__file__).parent), str(Path(__file__).parents[3])))},
        )

    def wait(self):
        """Until it is ready."""
        with killed_after(self.process):
            line, ready = (self.process.stdout.readline() for _ in range(2))
        address = re.match(r"http://127\.0\.0\.1:(\d+)/ serves squares; ", line)
        assert address, (line, self.process.stderr.read())
        self.port = int(address[1])
        assert ready.startswith("squares: ready for batches of 1 and 2 in ")
        wait_for(lambda: self.ask("GET", "/ready")[0] == 200)
        return self

    def ask(self, method="POST", path="/predict", body=BODY):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body if method == "POST" else None, {"content-type": "application/json"})
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def accepted(self):
        """How many examples are accepted and not answered."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", "/metrics")
            return float(re.search(rb"^nnjax_queue_examples (\S+)$", connection.getresponse().read(), re.MULTILINE)[1])
        finally:
            connection.close()

    def stop(self, number):
        """Sends the first signal, and waits until it has come."""
        self.process.send_signal(number)
        wait_for(lambda: self.ask("GET", "/ready")[0] == 503)

    def release(self):
        """Lets the batches go on."""
        self.process.stdin.close()

    def end(self):
        """Exit code, the rest of stdout, and stderr."""
        with killed_after(self.process):
            output, errors = self.process.stdout.read(), self.process.stderr.read()
        return self.process.wait(20), output, errors

    def close(self):
        self.process.wait(20)
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.stderr.close()


@pytest.fixture
def started():
    processes = []

    def start(*arguments, **options):
        processes.append(Process(*arguments, **options))
        return processes[-1].wait()

    yield start
    for process in processes:
        if process.process.returncode is None:
            process.process.kill()
        process.close()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_loses_nobody(started, number):
    server = started(held=True)
    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(server.ask) for _ in range(6)]
        wait_for(lambda: server.accepted() == 6)  # some are computed, some wait
        server.stop(number)
        late = server.ask()
        probe = server.ask("GET", "/ready")
        server.release()
        answers = [future.result() for future in asked]
    assert [status for status, _ in answers] == [200] * 6
    assert {answer["answers"][0]["label"] for _, answer in answers} == {"bottom right"}
    assert late == probe == (503, {"error": "the server is stopping"})
    code, output, errors = server.end()
    assert (code, output) == (0, "stopped; all accepted requests are answered\n")
    assert errors.count(" POST /predict 200 ") == 6


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_second_signal_ends_at_once(started, number, code):
    server = started(held=True)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(server.ask)
        wait_for(server.accepted)
        server.stop(number)
        assert server.process.poll() is None
        server.process.send_signal(number)
        assert server.process.wait(20) == code
        assert isinstance(asked.exception(), (http.client.RemoteDisconnected, ConnectionError))


def test_a_drain_ends_where_a_request_takes_too_long(started):
    server = started(held=True, drain=0.2)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(server.ask)
        wait_for(server.accepted)
        server.process.send_signal(signal.SIGTERM)
        code, output, errors = server.end()
    assert (code, output) == (1, "")
    assert errors.endswith("stopped; 1 accepted request without an answer\n")


def test_a_page_elsewhere_does_not_ask_a_server_of_this_machine(started):
    server = started()
    for headers, status in (({}, 200), ({"host": "evil.example"}, 403), ({"origin": "https://evil.example"}, 403)):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        connection.request("GET", "/models", headers=headers)
        assert connection.getresponse().status == status
        connection.close()


@pytest.mark.slow
def test_after_kill_9_it_starts_again_on_the_same_port(started):
    server = started()
    silent = socket.create_connection(("127.0.0.1", server.port))
    assert server.ask()[0] == 200
    server.process.kill()
    assert server.end()[0] == -signal.SIGKILL
    again = started(port=server.port)
    assert again.ask()[0] == 200
    silent.close()


def test_a_port_in_use_is_refused():
    with (
        socket.create_server(("127.0.0.1", 0)) as other,
        pytest.raises(ConfigError, match=rf"port={other.getsockname()[1]}: is in use; write another one, or port=0"),
        bound(ServerSettings(port=other.getsockname()[1])),
    ):
        pass


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid", "x" * 300, "", "a b"])
def test_a_host_that_is_no_address_here_is_refused(host):
    with pytest.raises(ConfigError, match=r"^host=.*no address of this machine"), bound(ServerSettings(host=host, port=0)):
        pass


def test_the_port_is_taken_before_anybody_is_listened_to():
    with bound(ServerSettings(port=0)) as sock, pytest.raises(ConnectionRefusedError):
        socket.create_connection(sock.getsockname())


def test_a_port_is_taken_once():
    with bound(ServerSettings(port=0)) as sock:
        port = sock.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"^port={port}: is in use"), bound(ServerSettings(port=port)):
            pass


def test_a_token_comes_from_a_file_or_the_environment(tmp_path):
    file = tmp_path / "token"
    file.write_text("from-a-file\n")
    assert token_of(ServerSettings(), {}) is None
    assert token_of(ServerSettings(), {"NNJAX_TOKEN": "from-there"}) == "from-there"
    assert token_of(ServerSettings(token_file=str(file)), {"NNJAX_TOKEN": "from-there"}) == "from-a-file"


@pytest.mark.parametrize("content", [b"", b" \n", b"two words", "tökén".encode(), b"\xff\xfe", b"a\x00b"])
def test_a_token_that_cannot_stand_in_a_header_is_refused(tmp_path, content):
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=r"^token_file=") as error:
        token_of(ServerSettings(token_file=str(file)), {})
    assert "two words" not in str(error.value)


def test_an_empty_variable_is_no_open_door():
    with pytest.raises(ConfigError, match=r"^\$NNJAX_TOKEN: must hold a token"):
        token_of(ServerSettings(), {"NNJAX_TOKEN": ""})


def test_a_missing_token_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"^token_file=.*: cannot be read: No such file or directory"):
        token_of(ServerSettings(token_file=str(tmp_path / "none")), {})


def test_only_an_address_that_others_reach_is_warned_of():
    for host in ("127.0.0.1", "127.8.8.8", "::1"):
        assert exposure(host, None) is None
    for host in ("0.0.0.0", "::", "192.0.2.1", "fe80::1%eth0"):
        assert "without authentication" in exposure(host, None)
        assert exposure(host, "token") is None
