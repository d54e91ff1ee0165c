"""A tracker in a process of its own, seen from the training: calls return at once, whatever the tracker does.

tracker = SeparateTracker("wandb", TRACKERS["wandb"], run_dir / "trackers.log")
tracker.start(run, config)
tracker.log(60, {"train/loss": 0.35})
tracker.finish("completed", summary)
tracker.wait(60.0)         # true once all is written
"""

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nnjax.tracking.tracker import Scalar, TrackedRun

_MOST_WAITING = 20_000  # calls; a tracker that is behind by more has stopped writing


class TrackerStoppedError(Exception):
    """A tracker's process that failed, or takes no more calls."""


class SeparateTracker:
    """Sends the calls to `nnjax.tracking.tracker_process`.

    `log`, `figure`, `checkpoint` and `finish` raise `TrackerStoppedError` once the process has failed.

    Args:
        name: of the tracker.
        target: its class, as MODULE:CLASS.
        log: the file for whatever the library prints.

    Attributes:
        place: what `Tracker.start` returned; empty until the process has said so.
        failure: why the process stopped; empty while it works.
    """

    def __init__(self, name: str, target: str, log: Path) -> None:
        self._name, self._target, self._log = name, target, log
        self._calls: queue.SimpleQueue[str | None] = queue.SimpleQueue()  # a signal's handler may put into it
        self._process: subprocess.Popen[bytes] | None = None
        self._scratch = ""
        self._threads: list[threading.Thread] = []
        self._done = threading.Event()
        self._ended = threading.Event()
        self.place = ""
        self.failure = ""

    def start(self, run: TrackedRun, config: Mapping[str, Scalar]) -> str:
        """Starts the process; returns the empty text, since the place is not known yet."""
        paths = [str(Path(__file__).parents[2]), *(path for path in sys.path if path)]
        program = (
            "import sys; sys.path[:] = sys.argv[3:]; from nnjax.tracking.tracker_process import main; main(*sys.argv[1:3])"
        )
        self._scratch = tempfile.mkdtemp(prefix=f"nnjax-{self._name}-")  # libraries leave files there
        environment = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **os.environ, "TMPDIR": self._scratch}
        try:
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-c", program, self._target, self._scratch, *paths],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=environment,
                    start_new_session=True,
                )
        except OSError:
            shutil.rmtree(self._scratch, ignore_errors=True)
            raise
        for function in (self._write, self._read):
            thread = threading.Thread(target=function, args=(self._process,), name=f"tracker {self._name}", daemon=True)
            thread.start()
            self._threads.append(thread)
        self._send(
            "start", {key: str(value) if isinstance(value, Path) else value for key, value in asdict(run).items()}, config
        )
        return ""

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Sends numbers."""
        self._send("log", step, metrics)

    def figure(self, path: Path) -> None:
        """Sends a picture's path."""
        self._send("figure", str(path))

    def checkpoint(self, folder: Path, copy: bool) -> None:
        """Sends the folder's path."""
        self._send("checkpoint", str(folder), copy)

    def finish(self, status: str, summary: Mapping[str, Scalar]) -> None:
        """Sends the end; `wait` waits for it."""
        self._send("finish", status, summary)
        self._calls.put(None)

    def ends_within(self, seconds: float) -> bool:
        """Whether the process ends in at most so many seconds."""
        return self._ended.wait(seconds)

    def wait(self, seconds: float, late: str = "it did not finish in time") -> bool:
        """Waits until all is written, at most so long; returns whether it is. The process is ended in any case.

        Args:
            seconds: at most so many.
            late: the failure if they do not suffice.
        """
        if self._process is None:
            return False
        until = time.monotonic() + seconds
        if not self._ended.wait(seconds):
            self.failure = self.failure or late
        try:
            self._process.wait(max(until - time.monotonic(), 0.0) + 1.0 if self._ended.is_set() else 0.0)
        except subprocess.TimeoutExpired:
            self.kill()
        for thread in self._threads:
            thread.join(1.0)
        shutil.rmtree(self._scratch, ignore_errors=True)  # of a process that crashed
        return self._done.is_set()

    def hand_over(self, seconds: float) -> None:
        """Waits at most so long until the process has all calls; it goes on by itself when this one ends."""
        until = time.monotonic() + seconds
        while not self._calls.empty() and not self._ended.is_set() and time.monotonic() < until:
            time.sleep(0.01)

    def kill(self) -> None:
        """Ends the process at once, and those that it started, such as W&B's service, unless they left its group."""
        if self._process is not None:
            if self._process.poll() is None:  # else its number may be another's
                with suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(1.0)
            shutil.rmtree(self._scratch, ignore_errors=True)

    def _send(self, *call: Any) -> None:
        if self.failure:
            raise TrackerStoppedError(self.failure)
        if self._calls.qsize() >= _MOST_WAITING:
            self.failure = f"it is {_MOST_WAITING:,} calls behind"
            self.kill()
            raise TrackerStoppedError(self.failure)
        self._calls.put(json.dumps(call))

    def _write(self, process: "subprocess.Popen[bytes]") -> None:
        """Passes the calls on; in a thread."""
        assert process.stdin is not None
        with suppress(OSError, ValueError):  # the process is gone, and `_read` notes why
            while (line := self._calls.get()) is not None:
                process.stdin.write(line.encode() + b"\n")
                process.stdin.flush()
        with suppress(OSError, ValueError):
            process.stdin.close()

    def _read(self, process: "subprocess.Popen[bytes]") -> None:
        """Notes the answers; in a thread."""
        assert process.stdout is not None
        with process.stdout as answers:
            for line in answers:
                with suppress(ValueError):
                    answer = json.loads(line)
                    self.place = answer.get("place", self.place)
                    self.failure = self.failure or answer.get("failed", "")
                    if answer.get("done"):
                        self._done.set()
        if not self._done.is_set() and not self.failure:
            self.failure = f"its process ended ({_ending(process)})"
        self._ended.set()
        self._calls.put(None)


def _ending(process: "subprocess.Popen[bytes]") -> str:
    """How a process ended, which has closed its output."""
    try:
        code = process.wait(1.0)
    except subprocess.TimeoutExpired:
        return "it closed its output"
    return f"signal {-code}" if code < 0 else f"exit code {code}"
