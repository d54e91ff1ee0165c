"""A sweep with each launcher: all jobs are checked first, a failure hides no other job, and a stopped sweep is resumed."""

import json
import shutil

import pytest
from commands import start

SHORT = ("model=fnn", "training.duration=2epochs", "report.figures=false", "report.tensorboard=off", "optimizer=sgd")
LAUNCHERS = {
    "basic": (),
    "joblib": ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2"),
    "submitit_local": ("hydra/launcher=submitit_local", "hydra.launcher.timeout_min=10"),
}
pytestmark = pytest.mark.slow


def outcomes(sweep):
    found = [json.loads(path.read_text()) for path in sweep.glob("*/.hydra/outcome.json")]
    return {outcome["number"]: outcome["exit_code"] for outcome in found}


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_sweep_is_checked_shown_and_resumed(launcher, tmp_path):
    sweep = tmp_path / "sweep"
    words = (*LAUNCHERS[launcher], *SHORT, "optimizer.learning_rate=1e-3,1e30,1e-2,3e-2")
    stopped = start("train", "-m", *words, "training.global_batch_size=64,5000", f"hydra.sweep.dir={sweep}", check=2)
    assert "no job was started" in stopped.stderr
    assert not sweep.exists()

    printed = start("train", "-m", *words, f"hydra.sweep.dir={sweep}", check=4).stdout
    assert "4 jobs checked; time one after another" in printed
    assert "all 4 in one program" in printed or "in one program" not in printed  # by how fast this machine starts
    assert "4 of 4 jobs ended: 3 completed, 1 diverged; best so far job" in printed
    assert "3 completed, 1 diverged; exit code 4" in printed
    assert outcomes(sweep) == {0: 0, 1: 4, 2: 0, 3: 0}
    before = {path: path.read_bytes() for path in sweep.glob("*/summary.json")}

    for name in ("2_*", "3_*"):  # as jobs that were killed, one of them before its first checkpoint
        (job,) = sweep.glob(name)
        (job / ".hydra/outcome.json").unlink()
    shutil.rmtree(job / "checkpoints")
    for name in ("summary.json", "metrics.jsonl"):
        (job / name).unlink()
    printed = start("train", "-m", f"resume={sweep}", check=4).stdout
    assert "2 of 4 jobs are finished, 1 go on from a checkpoint, 1 start from the beginning" in printed
    assert outcomes(sweep) == {0: 0, 1: 4, 2: 0, 3: 0}
    after = {path: path.read_bytes() for path in sweep.glob("*/summary.json")}
    kept = [path for path in before if not path.parent.name.startswith("3_")]
    assert after.keys() == before.keys()
    assert {path: after[path] for path in kept} == {path: before[path] for path in kept}
    new, old = (json.loads(found[job / "summary.json"])["test"] for found in (after, before))
    assert new == pytest.approx(old, rel=1e-5)
