"""What the README promises of the shipped configs, measured again. Slow."""

import os
from pathlib import Path

import pytest
from commands import ROOT, start, summary_of

pytestmark = pytest.mark.slow
TFDS = Path(os.environ.get("TFDS_DATA_DIR") or ROOT.parent / "shared" / "data" / "tfds")


def accuracy(tmp_path, *arguments):
    start("train", *arguments, "report.figures=false", f"hydra.run.dir={tmp_path / 'run'}", TFDS_DATA_DIR=str(TFDS))
    return summary_of(tmp_path / "run")["test"]["accuracy"]


@pytest.mark.parametrize("seed", [0, 1, 2, 3, 4])
def test_the_default_experiment(seed, tmp_path):
    assert accuracy(tmp_path, f"seed={seed}") >= 0.98


@pytest.mark.parametrize(("experiment", "least"), [("mnist_fnn", 0.983), ("mnist_cnn", 0.993), ("mnist_99", 0.988)])
def test_mnist(experiment, least, tmp_path):
    if not (TFDS / "mnist" / "3.0.1").is_dir():
        pytest.skip(f"needs the real MNIST in {TFDS}; python -m experiments.prepare data=mnist fetches it")
    assert accuracy(tmp_path, f"experiment={experiment}", "seed=0") >= least
