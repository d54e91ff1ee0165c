"""Sweeps with hydra/launcher=joblib: each job has its share of the cores, and requests to stop reach every worker."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from commands import ROOT, environment, start, summary_of

SHORT = ("model=cnn", "training.duration=2epochs", "report.figures=false", "report.tensorboard=false")
LONG = ("model=fnn", "training.duration=100000epochs", "schedule=constant", "report.figures=false", "report.tensorboard=false")
pytestmark = pytest.mark.slow


def test_each_job_has_its_share_of_the_cores(tmp_path):
    values = ["optimizer=sgd", "optimizer.learning_rate=1e-3,1e30,1e-2"]  # the second one diverges, and the others stay
    sweep = ["-m", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", *values, f"hydra.sweep.dir={tmp_path}"]
    printed = start("train", *SHORT, *sweep, check=4).stdout
    outcomes = [json.loads(path.read_text()) for path in tmp_path.glob("*/.hydra/outcome.json")]
    assert sorted(outcome["exit_code"] for outcome in outcomes) == [0, 0, 4]
    results = [summary_of(path.parent) for path in tmp_path.glob("*/summary.json")]
    cores = min(len(os.sched_getaffinity(0)) // 2, 8)
    assert {result["num_devices"] for result in results} == {max(cores, 1)}
    assert "3 jobs, their folders" in printed
    assert not (tmp_path / ".workers").exists()


@pytest.fixture
def sweep(tmp_path):
    """A sweep of four long jobs, two of which train."""
    command = [sys.executable, "-m", "experiments.train", "-m", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", *LONG]
    with (tmp_path / "printed").open("w") as printed:
        process = subprocess.Popen(
            [*command, "seed=range(4)", f"hydra.sweep.dir={tmp_path / 'sweep'}"],
            cwd=ROOT,
            env=environment(),
            stdout=printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait(lambda: len([path for path in tmp_path.glob("sweep/*/metrics.jsonl") if path.read_text().count("\n") > 2]) == 2)
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_to_stop_saves_every_running_job(number, sweep, tmp_path):
    sweep.send_signal(number)
    assert sweep.wait(60) == 75
    printed = (tmp_path / "printed").read_text()
    assert "Traceback" not in printed
    assert printed.count("waiting for the running jobs to save") == 1, printed
    assert len(saved(tmp_path)) == 2, printed
    outcomes = [json.loads(path.read_text()) for path in tmp_path.glob("sweep/*/.hydra/outcome.json")]
    assert sorted(outcome["error"] == "not started" for outcome in outcomes) == [False, False, True, True]


def test_jobs_end_with_the_sweep_s_process(sweep, tmp_path):
    sweep.kill()
    wait(lambda: len(saved(tmp_path)) == 2)


def test_a_killed_worker_ends_the_sweep_in_one_line(sweep, tmp_path):
    workers = subprocess.run(["pgrep", "-s", str(sweep.pid), "-f", "LokyProcess"], capture_output=True, text=True, check=True)
    os.kill(int(workers.stdout.split()[0]), signal.SIGKILL)
    assert sweep.wait(60) == 1
    printed = (tmp_path / "printed").read_text()
    assert printed.count("a worker process of the sweep was killed") == 1
    assert "Traceback" not in printed


def saved(folder):
    """The runs of a sweep whose outcome is that they were preempted and saved."""
    outcomes = [json.loads(path.read_text()) for path in folder.glob("sweep/*/.hydra/outcome.json")]
    return [outcome for outcome in outcomes if outcome["exit_code"] == 75 and "is saved" in (outcome["error"] or "")]


def wait(condition):
    end = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.2)
