"""Whatever the environment says: the same numbers and figures, or an answer in a line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest
from commands import ROOT, environment, run, start, summary_of

TRAIN = ["data=digits", "model=fnn", "model.hidden=[8]", "training.duration=20steps", "training.evaluate_every=10steps"]
NEURON = ["inputs=[0.2,0.1,0.4]", "weights=[0.1,0.2,0.3]", "bias=0.6"]
# All at once what would change the numbers, or stop a training, if it were followed.
HOSTILE = {
    "JAX_ENABLE_X64": "1",
    "JAX_DEFAULT_PRNG_IMPL": "rbg",
    "JAX_THREEFRY_PARTITIONABLE": "0",
    "JAX_DISABLE_JIT": "1",
    "JAX_NUMPY_RANK_PROMOTION": "raise",
    "JAX_NUMPY_DTYPE_PROMOTION": "strict",
    "JAX_TRANSFER_GUARD": "disallow",
    "JAX_DEBUG_NANS": "1",
    "JAX_COMPILATION_CACHE_DIR": "/proc/nowhere",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "COLUMNS": "1",
    "TERM": "dumb",
    "PYTHONIOENCODING": "ascii",
    "HOME": "/proc/nowhere",
}


def results(folder):
    files = {path.name: path.read_bytes() for path in (folder / "figures").iterdir()}
    summary = summary_of(folder)
    return summary["test"], summary["train"], files


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained") / "run"
    start("train", *TRAIN, f"hydra.run.dir={folder}")
    return folder


@pytest.mark.slow
def test_a_run_is_what_its_config_says(trained, tmp_path):
    said = start("train", *TRAIN, f"hydra.run.dir={tmp_path / 'run'}", **HOSTILE)
    assert results(tmp_path / "run") == results(trained)
    assert "JAX_ENABLE_X64=1 is not followed" in said.stdout
    assert "continuing without a cache of compiled programs" in said.stdout
    assert said.stderr == ""


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["trace", "neuron", "evaluate"])
def test_so_are_the_other_verbs(trained, tmp_path, verb):
    arguments = {"trace": ["iterations=1"], "neuron": NEURON, "evaluate": [f"run={trained}"]}[verb]
    start(verb, *arguments, f"hydra.run.dir={tmp_path / 'usual'}")
    said = start(verb, *arguments, f"hydra.run.dir={tmp_path / 'hostile'}", **HOSTILE)
    assert said.stderr == ""
    name = "evaluation.json" if verb == "evaluate" else "summary.json"
    usual, hostile = (json.loads((tmp_path / folder / name).read_text()) for folder in ("usual", "hostile"))
    for key in ("test", "losses", "final_loss", "z", "activations"):
        assert usual.get(key) == hostile.get(key)


@pytest.mark.parametrize("verb", ["train", *(pytest.param(verb, marks=pytest.mark.slow) for verb in ("trace", "neuron"))])
@pytest.mark.parametrize(
    ("variable", "value", "line"),
    [
        ("JAX_PLATFORMS", "cuda", "JAX finds no such device here"),
        pytest.param("JAX_ENABLE_X64", "maybe", "JAX refuses this setting of the environment", marks=pytest.mark.slow),
        ("XLA_FLAGS", "--xla_nonsense", "XLA refuses this setting of the environment"),
    ],
)
def test_what_cannot_be_followed_is_answered_in_a_line(tmp_path, verb, variable, value, line):
    arguments = {"train": TRAIN, "trace": ["iterations=1"], "neuron": NEURON}[verb]
    said = start(verb, *arguments, f"hydra.run.dir={tmp_path / 'run'}", check=2, **{variable: value})
    assert said.stderr.startswith(f"{variable}={value}: {line}")
    assert "Traceback" not in said.stderr


@pytest.fixture
def debug_nans():
    """What JAX_DEBUG_NANS=1 does at the start of a process."""
    jax.config.update("jax_debug_nans", True)
    yield
    jax.config.update("jax_debug_nans", False)


@pytest.mark.slow
def test_a_number_that_jax_finds_ends_as_a_divergence(debug_nans, tmp_path):
    diverging = ["optimizer=sgd", "optimizer.learning_rate=1e30", "report.figures=false"]
    said = run("train", *TRAIN, *diverging, f"hydra.run.dir={tmp_path / 'run'}", check=4, JAX_DEBUG_NANS="1")
    assert said.stderr.startswith("JAX_DEBUG_NANS=1: JAX says: nan in jit")
    assert summary_of(tmp_path / "run")["status"] == "diverged"
    strict = [f"hydra.run.dir={tmp_path / 'strict'}", "debug=strict"]
    said = run("train", *TRAIN, *diverging, *strict, check=4, JAX_DEBUG_NANS="1")
    assert "is not finite in step" in said.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
@pytest.mark.parametrize(
    "streams",
    # each kind of stream is in tests/cli/test_process.py, too
    [">&- 2>&-", *(pytest.param(one, marks=pytest.mark.slow) for one in (">/dev/full", "2>/dev/full", "| head -1"))],
)
def test_a_training_does_not_hang_on_its_console(trained, tmp_path, streams):
    arguments = " ".join(f"'{word}'" for word in [*TRAIN, f"hydra.run.dir={tmp_path / 'run'}"])
    command = f"set -o pipefail; '{sys.executable}' -m experiments.train {arguments} {streams}"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, env=environment(), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert results(tmp_path / "run") == results(trained)
    assert "results" in (tmp_path / "run/train.log").read_text()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="names are bytes elsewhere")
def test_a_name_that_the_terminal_cannot_show_comes_back_from_the_shell(tmp_path):
    folder = tmp_path / "caf\u00e9 \u65e5"
    said = start("train", *TRAIN, "report.figures=false", f"hydra.run.dir={folder}", PYTHONIOENCODING="ascii", COLUMNS="200")
    (shown,) = (line.split("| ")[2].strip(" |") for line in said.stdout.splitlines() if "| results" in line)
    assert subprocess.run(["bash", "-c", f"test -d {shown}"]).returncode == 0
    odd = os.fsdecode(bytes(tmp_path) + b"/caf\xe9")
    said = run("train", *TRAIN, f"hydra.run.dir={odd}", check=2)
    assert said.stderr.startswith(f"hydra.run.dir=$'{tmp_path}/caf\\xe9': its letters are no utf-8")
    assert not Path(odd).exists()
