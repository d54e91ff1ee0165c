"""A server's process: signals, ports, tokens."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from serving_thread import square, wait_for

from nnjax.config.errors import ConfigError
from nnjax.config.serve_options import ServerSettings
from nnjax.serving.server.listening import bound, exposure, token_of

BODY = json.dumps({"inputs": square(3).tolist()})


class Process:
    """A server's process, ready."""

    def __init__(self, seconds=0.0, port=0, drain=20.0):
        command = [sys.executable, "-m", "serving_process", *map(str, (port, seconds, drain))]
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join((str(Path(__file__).parent), str(Path(__file__).parents[3])))},
        )

    def wait(self):
        """Until it is ready."""
        line = self.process.stdout.readline()
        self.port = int(re.match(r"http://127\.0\.0\.1:(\d+)/ serves squares; ", line)[1])
        assert self.process.stdout.readline().startswith("squares: ready for batches of 1 and 2 in ")
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

    def end(self):
        """Exit code, the rest of stdout, and stderr."""
        output, errors = self.process.stdout.read(), self.process.stderr.read()
        return self.process.wait(20), output, errors

    def close(self):
        self.process.wait(20)
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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_loses_nobody(started, number):
    server = started(seconds=0.3)
    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(server.ask) for _ in range(6)]
        time.sleep(0.4)  # some are answered, some are computed, some wait
        server.process.send_signal(number)
        time.sleep(0.1)
        late = server.ask()
        probe = server.ask("GET", "/ready")
        answers = [future.result() for future in asked]
    assert [status for status, _ in answers] == [200] * 6
    assert {answer["answers"][0]["label"] for _, answer in answers} == {"bottom right"}
    assert late == probe == (503, {"error": "the server is stopping"})
    code, output, errors = server.end()
    assert (code, output) == (0, "stopped; all accepted requests are answered\n")
    assert errors.count(" POST /predict 200 ") == 6


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_second_signal_ends_at_once(started, number, code):
    server = started(seconds=30)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(server.ask)
        time.sleep(0.2)
        server.process.send_signal(number)
        time.sleep(0.2)
        assert server.process.poll() is None
        server.process.send_signal(number)
        assert server.process.wait(5) == code
        assert isinstance(asked.exception(), (http.client.RemoteDisconnected, ConnectionError))


def test_a_drain_ends_where_a_request_takes_too_long(started):
    server = started(seconds=30, drain=0.2)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(server.ask)
        time.sleep(0.2)
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
