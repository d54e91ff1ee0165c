"""What docs/benchmarks.md promises of the shipped configs, measured again with all optimisations, as users have them. Slow."""

import pytest
from commands import start, summary_of
from real_data import REAL_DATA

pytestmark = pytest.mark.slow


def accuracy(tmp_path, *arguments):
    # These trainings are long: in a hurry, they would take several times as long as their compilation saves.
    environment = {"TFDS_DATA_DIR": str(REAL_DATA), "XLA_FLAGS": ""}
    start("train", *arguments, "report.figures=false", f"hydra.run.dir={tmp_path / 'run'}", **environment)
    return summary_of(tmp_path / "run")["test"]["accuracy"]


@pytest.mark.parametrize("seed", [0, 1, 2, 3, 4])
def test_the_default_experiment(seed, tmp_path):
    assert accuracy(tmp_path, f"seed={seed}") >= 0.98


@pytest.mark.real_data
@pytest.mark.parametrize(("experiment", "least"), [("mnist_fnn", 0.983), ("mnist_cnn", 0.993), ("mnist_99", 0.988)])
def test_mnist(experiment, least, tmp_path):
    assert accuracy(tmp_path, f"experiment={experiment}", "seed=0") >= least
