"""Sweeps by submitit, on Slurm and on this machine, as docs/clusters.md has them."""

import json
import subprocess
import time

import pytest
from conftest import ROOT

pytestmark = pytest.mark.engines
TRAIN = ("python", "-m", "experiments.train", "-m")
SHORT = ("model=fnn", "training.duration=2epochs", "report.figures=false", "report.tensorboard=false")
LAUNCHERS = {
    "submitit_local": ("hydra/launcher=submitit_local", "hydra.launcher.timeout_min=240"),
    "submitit_slurm": ("hydra/launcher=submitit_slurm", "hydra.launcher.timeout_min=240", "hydra.launcher.cpus_per_task=4"),
}


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_sweep(launcher, in_slurm, tmp_path):
    command = [*TRAIN, *LAUNCHERS[launcher], *SHORT, "seed=0,1", f"hydra.sweep.dir={tmp_path / 'sweep'}"]
    done = subprocess.run(command, cwd=ROOT, env=in_slurm, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    results = [json.loads(path.read_text()) for path in tmp_path.glob("sweep/*/summary.json")]
    assert {(result["seed"], result["status"]) for result in results} == {(0, "completed"), (1, "completed")}
    assert "mean" in done.stdout  # the table of the whole sweep


def test_a_failed_job_leaves_the_others(in_slurm, tmp_path):
    values = "optimizer.learning_rate=1e-3,1e30"
    command = [*TRAIN, *LAUNCHERS["submitit_slurm"], *SHORT, values, "optimizer=sgd", f"hydra.sweep.dir={tmp_path / 'sweep'}"]
    done = subprocess.run(command, cwd=ROOT, env=in_slurm, capture_output=True, text=True, timeout=180)
    assert done.returncode == 4, done.stdout + done.stderr
    outcomes = [json.loads(path.read_text()) for path in tmp_path.glob("sweep/*/.hydra/outcome.json")]
    assert sorted(outcome["exit_code"] for outcome in outcomes) == [0, 4]


def test_a_requeued_job_resumes(cluster, in_slurm, tmp_path):
    sweep = tmp_path / "sweep"
    long = ("training.duration=100000epochs", "schedule=constant", "training.checkpoint_every=null", *SHORT[2:])
    command = [*TRAIN, *LAUNCHERS["submitit_slurm"], "model=fnn", *long, "seed=5", f"hydra.sweep.dir={sweep}"]
    process = subprocess.Popen(command, cwd=ROOT, env=in_slurm, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        wait(lambda: steps(sweep))
        job = cluster.call("squeue", "-h", "-r", "-o", "%A").stdout.split()[0]
        cluster.call("scontrol", "requeue", job)
        cluster.wait(job, "PENDING")
        saved = steps(sweep)
        cluster.call("scontrol", "update", f"JobId={job}", "StartTime=now")
        wait(lambda: len(steps(sweep)) > len(saved))
        assert steps(sweep)[: len(saved)] == saved
        assert saved[-1] > 0
        cluster.call("scancel", job)
        printed, _ = process.communicate(timeout=90)
    finally:
        cluster.call("scancel", "--user=root")
        if process.poll() is None:
            process.kill()
            process.wait()
    assert process.returncode == 75, printed
    assert "Traceback" not in printed


def steps(sweep):
    return [json.loads(line)["step"] for path in sweep.glob("*/metrics.jsonl") for line in path.read_text().splitlines()]


def wait(condition):
    end = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.2)
