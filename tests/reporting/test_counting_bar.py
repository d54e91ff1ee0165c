"""Signs of work show on a terminal, are removed at the end, and are not written to a pipe."""

import io

import pytest

from nnjax.reporting.console import RunConsole
from nnjax.reporting.counting_bar import counting, waiting


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(params=[Terminal, io.StringIO], ids=["terminal", "pipe"])
def stream(request, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "OMPI_COMM_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    return request.param()


def test_the_time_of_a_long_computation(stream):
    with RunConsole(None, file=stream) as console, waiting(console, "simulating"):
        pass
    assert ("simulating" in stream.getvalue()) == stream.isatty()


@pytest.mark.parametrize("count", [5, 30])
def test_many_are_counted(stream, count):
    with RunConsole(None, file=stream) as console, counting(console, count) as advance:
        for _ in range(count):
            advance()
    assert (f"{count}/{count}" in stream.getvalue()) == (stream.isatty() and count > 20)
