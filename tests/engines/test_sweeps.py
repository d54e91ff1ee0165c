"""Sweeps on Slurm and on this machine by submitit, and joblib's shares and signals, as docs/clusters.md has them."""

import json
import signal
import subprocess
import time

import pytest
from conftest import ROOT

pytestmark = pytest.mark.engines
TRAIN = ("python", "-m", "experiments.train", "-m")
SHORT = ("model=fnn", "training.duration=2epochs", "report.figures=false", "report.tensorboard=false")
LONG = ("model=fnn", "training.duration=100000epochs", "schedule=constant", "report.figures=false", "report.tensorboard=false")
LAUNCHERS = {
    "joblib": ("hydra/launcher=joblib",),
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


@pytest.mark.parametrize("launcher", ["joblib", "submitit_slurm"])
def test_a_failed_job_leaves_the_others(launcher, in_slurm, tmp_path):
    values = "optimizer.learning_rate=1e-3,1e30"
    command = [*TRAIN, *LAUNCHERS[launcher], *SHORT, values, "optimizer=sgd", f"hydra.sweep.dir={tmp_path / 'sweep'}"]
    done = subprocess.run(command, cwd=ROOT, env=in_slurm, capture_output=True, text=True, timeout=180)
    assert done.returncode == 4, done.stdout + done.stderr
    outcomes = [json.loads(path.read_text()) for path in tmp_path.glob("sweep/*/.hydra/outcome.json")]
    assert sorted(outcome["exit_code"] for outcome in outcomes) == [0, 4]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_joblib_s_jobs_save(number, environment, tmp_path):
    sweep = tmp_path / "sweep"
    command = [*TRAIN, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", *LONG, "seed=range(4)", f"hydra.sweep.dir={sweep}"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    try:
        end = time.monotonic() + 90
        while len(list(sweep.glob("*/metrics.jsonl"))) < 2:
            assert process.poll() is None, process.stdout.read()
            assert time.monotonic() < end
            time.sleep(0.1)
        time.sleep(1)
        process.send_signal(number)
        printed, _ = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            process.kill()
    assert process.returncode == 75, printed
    assert "Traceback" not in printed
    assert printed.count("is saved; resume with") == 4, printed  # by the run, and by the sweep
    assert printed.count("not started") >= 2, printed
