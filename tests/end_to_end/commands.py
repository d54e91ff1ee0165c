"""Runs the real commands in a folder of the test's own: as a person does, or in the tests' process, which imports nothing anew.

printed = run("train", "model=fnn", "debug=fast", f"hydra.run.dir={tmp_path}").stdout
start("train", "model=fnn", f"hydra.run.dir={tmp_path}", JAX_ENABLE_X64="1")        # a process of its own
"""

import io
import json
import os
import re
import subprocess
import sys
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from importlib import import_module
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from compiling import xla_flags
from safetensors.numpy import load_file

from nnjax.cli import plugins
from nnjax.cli.hydra_internals import separate_state
from nnjax.config import registry

ROOT = Path(__file__).parents[2]


def environment(**more):
    """A person's environment, on the CPU, without what this session set; programs are compiled in a hurry, as here."""
    others = ("TFDS", "XLA", "JAX", "PYTHONUNBUFFERED")
    environ = {key: value for key, value in os.environ.items() if not key.startswith(others)}
    return environ | {"JAX_PLATFORMS": "cpu"} | xla_flags() | more


def run(verb, *arguments, check=0, cwd=ROOT, **env):
    """Runs a verb in the tests' process, expects an exit code, and returns what it printed.

    JAX and Python have read their variables of the environment already; for those, for signals, for the memory and for numbers
    that must be those of another process to the last bit, take `start`.

    Plugins that the command loaded are forgotten, as by a process that ends: later runs of this worker would note them.
    """
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with (
        _own_plugins(),
        mock.patch.dict(os.environ, environment(**env), clear=True),
        mock.patch.object(sys, "argv", [f"{verb}.py", *arguments]),
        chdir(cwd),
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.raises(SystemExit) as end,
    ):
        import_module(f"experiments.{verb}").main()
    said, complained = (stream.buffer.getvalue().decode() for stream in (out, err))
    return _checked(subprocess.CompletedProcess([verb, *arguments], end.value.code, said, complained), check)


@contextmanager
def _own_plugins():
    loaded, options = dict(plugins._loaded), set(registry._registered)
    try:
        with separate_state():  # what a plugin offers to Hydra
            yield
    finally:
        registry.forget([key for key in registry._registered if key not in options])
        plugins._loaded.clear()
        plugins._loaded.update(loaded)


def start(verb, *arguments, check=0, cwd=ROOT, python=sys.executable, **env):
    """Runs `python -m experiments.VERB` as a process of its own, expects an exit code, and returns what it printed."""
    command = [python, "-W", "error", "-m", f"experiments.{verb}", *arguments]
    result = subprocess.run(command, cwd=cwd, env=environment(**env), capture_output=True, text=True, timeout=1200)
    return _checked(result, check)


def _checked(result, code):
    assert result.returncode == code, f"exit code {result.returncode}\n{result.stdout}\n{result.stderr}"
    return result


def summary_of(run_dir):
    return json.loads((Path(run_dir) / "summary.json").read_text())


def metrics_of(run_dir):
    lines = (Path(run_dir) / "metrics.jsonl").read_text().splitlines()
    volatile = ("seconds", "examples_per_second")
    return [{key: value for key, value in json.loads(line).items() if key not in volatile} for line in lines]


def code_blocks(markdown, language):
    return re.findall(rf"^```{language}\n(.*?)^```", markdown, re.MULTILINE | re.DOTALL)


def last_state(run_dir):
    """The arrays of the newest checkpoint."""
    paths = (Path(run_dir) / "checkpoints").glob("*.safetensors")
    newest = max(paths, key=lambda path: int(path.name.partition("-")[0]))
    return {key: array for key, array in load_file(newest).items() if key.startswith(".")}


def assert_same_run(one, other, tolerance=0.0):
    """Asserts that two runs have the same records, and the same arrays in their last checkpoints."""
    first, second = metrics_of(one), metrics_of(other)
    assert [record["step"] for record in first] == [record["step"] for record in second]
    for left, right in zip(first, second, strict=True):
        assert left.keys() == right.keys()
        for key, value in left.items():
            if isinstance(value, str):
                assert value == right[key]
            else:
                np.testing.assert_allclose(np.float64(right[key]), np.float64(value), rtol=tolerance)
    arrays, others = last_state(one), last_state(other)
    assert arrays.keys() == others.keys()
    for key, array in arrays.items():
        np.testing.assert_allclose(others[key], array, rtol=tolerance, atol=tolerance)
