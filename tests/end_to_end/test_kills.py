"""SIGKILL at seeded random moments of a whole run, from its first import to its summary, and the same command again.

NNJAX_TRIALS=15 pytest -m slow tests/end_to_end/test_kills.py -s       # so many runs of each kind; prints the moments
"""

import os
import random
import subprocess
import sys
import time

import pytest
from commands import ROOT, assert_same_run, environment, start, summary_of

pytestmark = pytest.mark.slow

TRIALS = int(os.environ.get("NNJAX_TRIALS", "1"))
MOST_KILLS = 4  # then the run may end
SHORT = [
    "data.limit_train=400",
    "training.global_batch_size=16",
    "training.duration=12epochs",
    "training.checkpoint_every=1epochs",
    "training.keep=2",
    "report.figures=false",
]
CNN = ["model=cnn", "model.blocks=[{features: 8, batch_norm: true}]", "model.dense=[16]"]
CASES = {
    "FNN": ["model=fnn", "model.hidden=[32]"],
    "CNN": CNN,
    "trials": [*CNN, "training.seeds=3"],
    "best": ["model=fnn", "model.hidden=[32]", "data.validation=0.2", "training.test=best", "training.stop.patience=9"],
}


@pytest.fixture(scope="module", params=CASES)
def undisturbed(request, tmp_path_factory):
    """The overrides of a kind of run, the folder of one that was left alone, and the seconds that it took."""
    overrides, run_dir = [*SHORT, *CASES[request.param]], tmp_path_factory.mktemp("undisturbed") / "run"
    start("train", *overrides, "debug.max_steps=2", f"hydra.run.dir={run_dir.with_name('first')}")  # compiles
    began = time.monotonic()
    start("train", *overrides, f"hydra.run.dir={run_dir}")
    return overrides, run_dir, time.monotonic() - began


@pytest.mark.parametrize("trial", range(TRIALS))
def test_a_run_that_is_killed_again_and_again_is_the_same_run(undisturbed, tmp_path, trial):
    overrides, whole, seconds = undisturbed
    chance, run_dir, moments = random.Random(f"{overrides} {trial}"), tmp_path / "run", []
    command = [sys.executable, "-m", "experiments.train", *overrides, "resume=auto", f"hydra.run.dir={run_dir}"]
    for _ in range(MOST_KILLS):
        with subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL) as process:
            moments.append(chance.uniform(0, seconds))
            try:
                assert process.wait(moments[-1]) == 0
                break
            except subprocess.TimeoutExpired:
                process.kill()
    print(f"killed after {', '.join(f'{moment:.2f}' for moment in moments)} of {seconds:.2f} s")
    start("train", *overrides, "resume=auto", f"hydra.run.dir={run_dir}")
    assert_same_run(whole, run_dir)
    one, other = summary_of(whole), summary_of(run_dir)
    for key in ("status", "steps", "test", "tested_step", "test_examples", "trials"):
        assert one.get(key) == other.get(key), key
