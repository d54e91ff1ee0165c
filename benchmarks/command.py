"""Runs the project's own commands in processes, and times them from outside.

seconds, summary = train(session, "model=fnn", "training.seeds=64")
seconds = timed(session, ["-m", "experiments.train", "--help"])
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.common import Session
from benchmarks.turns import ROOT, WorkerError


def timed(run: Session, arguments: Sequence[str], expected: int = 0) -> float:
    """Returns the wall time in seconds of `python ARGUMENTS` in the project's folder.

    Raises:
        WorkerError: with the end of the command's output, if it ends with another exit code than expected.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("JAX_", "XLA_", "NNJAX_"))}
    environment |= {"JAX_PLATFORMS": "cpu", "NNJAX_CACHE": str(run.settings.cache)}
    start = time.perf_counter()
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode != expected:
        said = (done.stderr or done.stdout).strip().splitlines() or ["nothing said"]
        error = next((line for line in said if ": " in line), said[-1])
        raise WorkerError(f"ended with {done.returncode}: {error}"[:300])
    return seconds


def train(run: Session, *overrides: str) -> tuple[float, dict[str, Any]]:
    """Runs a training; returns its wall time in seconds and its summary, and removes its run directory."""
    folder = run.folder / "run"
    shutil.rmtree(folder, ignore_errors=True)
    seconds = timed(run, ["-m", "experiments.train", *overrides, f"hydra.run.dir='{folder}'"])
    summary: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    return seconds, summary
