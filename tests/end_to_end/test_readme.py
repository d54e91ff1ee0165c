"""The README's commands do what they say, as they stand there."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from archives import prepare_made
from commands import ROOT, code_blocks, environment

README = (ROOT / "README.md").read_text()
LINES = [line.split("#")[0].strip() for block in code_blocks(README, "bash") for line in block.splitlines()]
COMMANDS = list(dict.fromkeys(line for line in LINES if line))
# make train and make test are what .ci/run calls; the others fetch something from a network, or build this very environment.
ELSEWHERE = ("make ", "pip install", "git clone", "cd ", "python -m experiments.prepare data=mnist")


@pytest.fixture(scope="module")
def made_mnist(tmp_path_factory):
    """A small MNIST, and a run to go on with."""
    return prepare_made("mnist", tmp_path_factory.mktemp("mnist"), num_train=300, num_test=100)


def test_the_readme_shows_its_two_commands():
    assert "make train" in COMMANDS
    assert "make test" in COMMANDS


def test_the_targets_that_it_names_exist():
    targets = {shlex.split(line)[1] for line in COMMANDS if line.startswith("make ")}
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert all(f"make {target} " in listed for target in targets), listed


@pytest.mark.parametrize("command", [line for line in COMMANDS if not line.startswith(ELSEWHERE)])
def test_command(command, made_mnist):
    words = shlex.split(command)
    assert words[:2] == ["python", "-m"], f"what is {command!r}, and who tests it?"
    if "experiment=cifar" in command or "experiment=mnist_cnn" in command:
        words = [word for word in words if word != "-m" or words.index(word) == 1] + ["--explain", "training"]
        words = [word for word in words if not word.startswith("seed=")]
    run_dir = next((word for word in words if "outputs/" in word), None)
    if run_dir is not None:
        words[words.index(run_dir)] = f"{run_dir.split('=')[0]}={newest_run()}"
    env = environment(TFDS_DATA_DIR=str(made_mnist), PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    result = subprocess.run(words, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr


def newest_run():
    """A finished run of the README's own, for the commands that speak of an earlier one."""
    runs = (ROOT / "outputs" / "train").glob("*/*/summary.json")
    return max(runs, key=lambda path: path.stat().st_mtime).parent
