"""Runs the real commands as a person would, in a folder of the test's own."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def environment(**more):
    """A person's environment, on the CPU, without what this session set."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("TFDS", "XLA", "JAX"))}
    return environ | {"JAX_PLATFORMS": "cpu"} | more


def run(verb, *arguments, check=0, cwd=ROOT, python=sys.executable, **env):
    """Runs `python -m experiments.VERB`, expects an exit code, and returns what it printed."""
    command = [python, "-W", "error", "-m", f"experiments.{verb}", *arguments]
    result = subprocess.run(command, cwd=cwd, env=environment(**env), capture_output=True, text=True, timeout=1200)
    assert result.returncode == check, f"exit code {result.returncode}\n{result.stdout}\n{result.stderr}"
    return result


def summary_of(run_dir):
    return json.loads((Path(run_dir) / "summary.json").read_text())


def metrics_of(run_dir):
    lines = (Path(run_dir) / "metrics.jsonl").read_text().splitlines()
    volatile = ("seconds", "examples_per_second")
    return [{key: value for key, value in json.loads(line).items() if key not in volatile} for line in lines]


def code_blocks(markdown, language):
    return re.findall(rf"^```{language}\n(.*?)^```", markdown, re.MULTILINE | re.DOTALL)
