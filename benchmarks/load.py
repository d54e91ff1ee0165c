"""Starts servers of `benchmarks.served`, and puts load on them with wrk and `benchmarks.open_loop`.

with Server("nnjax", model, batch=64, threads=2, settings=settings) as server:
    wrk(server.port, picture, clients=8, seconds=2.0)          # {"rate": 1500.0, "p50": 0.005, "p99": 0.011, "failed": 0}
    open_loop(server.port, picture, rate=7500.0, seconds=60.0, settings=settings)
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Self

from benchmarks.turns import ROOT, Settings, WorkerError

_SCRIPT = """
local file = io.open("PICTURE", "rb")
wrk.method, wrk.body = "POST", file:read("*a")
wrk.headers["Content-Type"] = "image/png"
file:close()
done = function(summary, latency, requests)
  local failed = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write
  io.write(string.format('\\n{"requests": %d, "rate": %f, "p50": %f, "p99": %f, "failed": %d}\\n', summary.requests,
    summary.requests / summary.duration * 1e6, latency:percentile(50) / 1e6, latency:percentile(99) / 1e6,
    failed + summary.errors.timeout))
end
"""
_PATIENCE = 600.0  # seconds for all requests of `send`


def missing() -> str | None:
    """What has to be installed first; None for nothing."""
    return None if shutil.which("wrk") else "wrk, a load generator: apt install wrk"


class Server:
    """A server's process, ready.

    Args:
        name: nnjax or torch.
        model: an exported model.
        batch: the most examples of a batch.
        threads: of PyTorch.
        settings: the process's environment.
    """

    def __init__(self, name: str, model: Path, batch: int, threads: int, settings: Settings) -> None:
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 – closed with the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.served", name, str(model), str(batch), str(threads)],
            cwd=ROOT,
            env=settings.environment(),
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        assert self._process.stdout is not None
        address = re.match(r"http://127\.0\.0\.1:(\d+)/", self._process.stdout.readline())
        ready = self._process.stdout.readline()
        if address is None or "ready" not in ready:
            self._errors.seek(0)
            said = self._errors.read().strip().splitlines() or ["ended without a word"]
            self.close()
            raise WorkerError(said[-1][:300])
        self.port = int(address[1])

    @property
    def memory(self) -> float:
        """MiB of memory in use by the process."""
        return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self._process.pid}/status").read_text())[1]) / 1024  # type: ignore[index]

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def close(self) -> int:
        """Ends the process by SIGTERM; returns its exit code."""
        self._process.terminate()
        try:
            self._process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
        self._errors.close()
        return self._process.returncode

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def wrk(port: int, picture: Path, clients: int, seconds: float) -> dict[str, Any]:
    """Sends pictures over so many connections, each as soon as the last one is answered.

    Returns:
        `requests`, `rate` a second, `p50` and `p99` in seconds, `failed`: requests without an answer of status 200.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_SCRIPT.replace("PICTURE", str(picture)))
        script.flush()
        command = ["wrk", "-t1", f"-c{clients}", f"-d{max(1, round(seconds))}s", "--timeout", "30s", "-s", script.name]
        done = subprocess.run([*command, f"http://127.0.0.1:{port}/predict"], capture_output=True, text=True)
    if done.returncode:
        raise WorkerError((done.stderr or done.stdout).strip().splitlines()[-1])
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def open_loop(port: int, picture: Path, rate: float, seconds: float, settings: Settings) -> dict[str, Any]:
    """Sends requests at a rate that does not depend on the answers; see `benchmarks.open_loop`."""
    command = [sys.executable, "-m", "benchmarks.open_loop", *map(str, (port, picture, rate, seconds))]
    done = subprocess.run(command, cwd=ROOT, env=settings.environment(), capture_output=True, text=True)
    if done.returncode:
        raise WorkerError((done.stderr.strip().splitlines() or ["ended without a word"])[-1])
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def send(server: Server, picture: Path, requests: int) -> float:
    """Sends about so many requests; returns the server's memory in MiB afterwards.

    Raises:
        WorkerError: if they take ten minutes.
    """
    sent, start = 0, time.monotonic()
    while sent < requests:
        if time.monotonic() > start + _PATIENCE:
            raise WorkerError(f"the server answered {sent} of {requests} requests in {_PATIENCE:.0f} s")
        sent += wrk(server.port, picture, 8, 1.0 if requests <= 1000 else 5.0)["requests"]
    return server.memory
