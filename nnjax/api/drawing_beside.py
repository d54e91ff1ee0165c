"""Another process draws the figures and pages of a sweep's jobs while the next one trains: over half of a short job's time.

with drawing_beside(print):
    ...                                            # the jobs, one after another in this process
    if not handed_over(draw_run, run_dir, **results):
        draw_run(run_dir, **results)               # there is no such process: a single run, or it has ended

A call is pickled with its arguments, and made in order. What is not done when the process ends by itself is done here. If this
process is killed, the other one does what it has been sent, and ends, too. Where both are killed, as by a container's end,
`experiments.evaluate run=FOLDER` and `experiments.report run=FOLDER` draw what is missing. Ctrl-C does not reach the other one.
"""

import gc
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from nnjax.config.registry import registered

# Messages name the command as the person gave it, which the first argument tells.
_PROGRAM = "import sys; sys.path[:] = sys.argv[2:]; del sys.argv[0]; from nnjax.api.drawing_beside import main; main()"

_MOST_BYTES = 2**26  # of an array; a larger one is not copied to another process


@contextmanager
def drawing_beside(warn: Callable[[str], object]) -> Iterator[None]:
    """While the context is open, `handed_over` takes calls; on leaving, all of them are done.

    Args:
        warn: called, at the end, with each line that a call warned of.
    """
    if registered():  # a process of its own would have to load the options that a person added
        yield
        return
    global _open
    _open = beside = _Beside()
    try:
        yield
    except BaseException:  # such as at a signal: what was sent is done without this process
        _open = None
        beside.close()
        raise
    _open = None
    for line in beside.finish():
        warn(line)


def handed_over(function: Callable[..., object], run_dir: Path, **arguments: Any) -> bool:
    """Hands `function(run_dir, warn=…, **arguments)` over; returns whether that could be done.

    Args:
        function: at the top level of a module.
        run_dir: the run's folder, whose `train.log` gets the warnings.
        arguments: to be pickled; it is not done with large arrays.
    """
    is_large = any(getattr(value, "nbytes", 0) > _MOST_BYTES for value in arguments.values())
    return _open is not None and not is_large and _open.send(function, run_dir.absolute(), arguments)


def is_drawing_beside() -> bool:
    """Whether another process draws."""
    return _open is not None and not _open.is_lost


class _Beside:
    """The process, from its first call on.

    Attributes:
        calls: those that are not done, by number.
        warnings: lines.
        is_lost: whether the process takes no further calls.
    """

    def __init__(self) -> None:
        self.calls: dict[int, tuple[Callable[..., object], Path, dict[str, Any]]] = {}
        self.warnings: list[str] = []
        self.is_lost = False
        self._process: subprocess.Popen[bytes] | None = None
        self._reader = threading.Thread(target=self._read, name="drawing", daemon=True)
        self._sent = 0

    def send(self, function: Callable[..., object], run_dir: Path, arguments: dict[str, Any]) -> bool:
        """Sends a call; waits while the process is busy and the pipe to it is full."""
        if self.is_lost:
            return False
        number = self._sent
        try:
            call = pickle.dumps((number, function, run_dir, arguments))
            process = self._process or self._begin()
            assert process.stdin is not None
            self.calls[number] = function, run_dir, arguments
            process.stdin.write(call)
            process.stdin.flush()
        except Exception:  # the process is gone, or something cannot be pickled
            self.is_lost = True
            self.calls.pop(number, None)
            return False
        self._sent += 1
        return True

    def close(self) -> None:
        """Lets the process end once it has done all."""
        if self._process is not None:
            with suppress(OSError):
                self._process.stdin.close()  # type: ignore[union-attr]

    def finish(self) -> list[str]:
        """Waits for the process, does here what it has not done, and returns all warnings."""
        self.close()
        if self._process is not None:
            self._reader.join()
            self._process.wait()
        for function, run_dir, arguments in self.calls.values():
            self.warnings += _called(function, run_dir, arguments)
        return self.warnings

    def _begin(self) -> "subprocess.Popen[bytes]":
        paths = [str(Path(__file__).parents[2]), *(path for path in sys.path if path)]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, sys.argv[0], *paths],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # it may outlive the sweep, whose output must end
            process_group=0,  # and no session of its own, within which alone Linux would count its priority
        )
        self._reader.start()
        return self._process

    def _read(self) -> None:
        """Notes what is done; in a thread."""
        assert self._process is not None
        assert self._process.stdout is not None
        with self._process.stdout as answers:
            for line in answers:
                with suppress(ValueError, TypeError):  # such as what Python's start printed
                    number, warnings = json.loads(line)
                    self.calls.pop(number, None)
                    self.warnings += warnings


_open: _Beside | None = None


def _called(function: Callable[..., object], run_dir: Path, arguments: dict[str, Any]) -> list[str]:
    """Makes a call, if the run's folder is still there; returns its warnings, which the run's log gets, too."""
    from nnjax.reporting.console import RunConsole

    if not run_dir.is_dir():
        return []
    said: list[str] = []
    try:
        function(run_dir, warn=said.append, **arguments)
    except Exception as error:
        said.append(f"{function.__name__}: {type(error).__name__}: {str(error).partition(chr(10))[0]}")
    if said:
        with suppress(OSError), RunConsole(run_dir / "train.log", quiet=True) as console:
            for line in said:
                console.warn(line)
    return [f"{run_dir.name}: {line}" for line in said]


def main() -> None:
    """Makes the calls that come from standard input, until its end."""
    calls, answers = os.fdopen(os.dup(0), "rb"), os.dup(1)
    silence = os.open(os.devnull, os.O_RDONLY)
    os.dup2(silence, 0)  # the calls are not for a program that a library starts
    os.dup2(2, 1)  # and what it prints is no answer
    gc.set_threshold(50_000)  # looking for garbage takes a tenth of the time that matplotlib does
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # Slurm, for one, sends them to every process of a job
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(19)  # the next job trains meanwhile, and says how fast it was
    while (call := _next(calls)) is not None:
        number, *what = call
        said = _called(*what)
        with suppress(OSError):  # the sweep has ended
            os.write(answers, json.dumps([number, said]).encode() + b"\n")


def _next(calls: IO[bytes]) -> Any:
    """The next call; None at the end, where the end of the sweep cut it off, or where it cannot be read here."""
    try:
        return pickle.load(calls)
    except Exception:
        return None
