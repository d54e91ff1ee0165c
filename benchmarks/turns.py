"""Processes that take turns: one works while the others wait, blocked on their stdin.

with Worker("torch", folder, settings) as worker:
    worker.ask("run", seconds=2.0)["result"]            # (steps, seconds)
rounds = take_turns(workers, rounds=5, seconds=2.0)     # {"torch": [(steps, seconds), …], …}
"""

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from benchmarks.machine import LoadMeter

ROOT = Path(__file__).resolve().parents[1]
# Variables of a person's shell for these libraries would change the speed of some contestants.
_FORGOTTEN = ("JAX_", "XLA_", "KERAS_", "TORCH", "OMP_", "MKL_", "NNJAX_", "TF_")


class WorkerError(Exception):
    """A contestant failed; the message is the end of its output."""


@dataclass(frozen=True)
class Settings:
    """The settings of every process.

    Attributes:
        cores: number of threads of each contestant.
        cache: folder of the compilation caches, which may be empty.
    """

    cores: int
    cache: Path

    def environment(self) -> dict[str, str]:
        """Returns the environment of a contestant's process."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(_FORGOTTEN)}
        cores, cache = str(self.cores), str(self.cache)
        return kept | {
            "JAX_PLATFORMS": "cpu",
            "CUDA_VISIBLE_DEVICES": "",
            "OMP_NUM_THREADS": cores,
            "MKL_NUM_THREADS": cores,
            # All contestants that compile keep everything in their caches.
            "JAX_COMPILATION_CACHE_DIR": f"{cache}/jax",
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
            "TORCHINDUCTOR_CACHE_DIR": f"{cache}/inductor",
            "NNJAX_CACHE": f"{cache}/nnjax",
        }


class Worker:
    """A contestant's process.

    Args:
        name: the contestant's name.
        folder: with the inputs.
        settings: cores and cache.
        options: for the contestant; with ``first_step=False`` it does not begin with one step.
        patience: the most seconds that an answer may take.
    """

    def __init__(self, name: str, folder: Path, settings: Settings, patience: float = 600.0, **options: Any) -> None:
        self._patience = patience
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 – closed with the process
        command = [sys.executable, "-m", "benchmarks.worker", name, str(folder), json.dumps(options)]
        self.started = time.monotonic()
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=settings.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            bufsize=1,
        )
        self._answers: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        try:
            self.ready = self._answer()
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def seconds_to_first_step(self) -> float:
        """From the start of the process to the end of its first step."""
        return float(self.ready["first_step"]) - self.started

    def ask(self, what: str, **arguments: Any) -> dict[str, Any]:
        """Sends a request to the worker, and waits for the answer.

        Raises:
            WorkerError: if it fails, or takes longer than `patience`.
        """
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # then no answer comes, which is reported
            print(json.dumps({"do": what, **arguments}), file=self._process.stdin, flush=True)
        return self._answer()

    def close(self) -> None:
        """Ends the process."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put("")

    def _answer(self) -> dict[str, Any]:
        try:
            line = self._answers.get(timeout=self._patience)
        except queue.Empty:
            raise WorkerError(f"no answer in {self._patience:g} s") from None
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
        self._errors.seek(0)
        said = [text.strip() for text in self._errors.read().splitlines() if text.strip()]
        errors = [text for text in said if "Error" in text.split(":")[0]]  # libraries print advice after the error
        raise WorkerError((errors or said or ["ended without a word"])[-1][:300])


def take_turns(
    workers: Mapping[str, Worker], rounds: int, seconds: float, meter: LoadMeter
) -> tuple[dict[str, list[tuple[int, float]]], dict[str, str]]:
    """Runs each worker in each round, one at a time, after a round that does not count.

    Args:
        workers: the contestants.
        rounds: number of rounds that count.
        seconds: length of a turn.
        meter: measures the load by other processes.

    Returns:
        Steps and seconds of each worker's turns; and the reasons of those that failed.
    """
    turns: dict[str, list[tuple[int, float]]] = {name: [] for name in workers}
    failed: dict[str, str] = {}
    pids = [worker.pid for worker in workers.values()]
    for number in range(rounds + 1):
        for name, worker in workers.items():
            if name in failed:
                continue
            try:
                with meter.watch(pids):
                    steps, took = worker.ask("run", seconds=seconds)["result"]
            except WorkerError as error:
                failed[name] = str(error)
                continue
            if number:
                turns[name].append((steps, took))
    return {name: done for name, done in turns.items() if name not in failed}, failed
