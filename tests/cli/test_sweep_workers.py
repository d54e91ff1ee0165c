"""Launchers on this machine: how many jobs at a time, with which GPUs, and what a job is told."""

import os
import pickle
import subprocess
import sys

import pytest
from hydra.types import RunMode

from nnjax.cli import sweep_workers
from nnjax.cli.compose import compose
from nnjax.cli.job import Job
from nnjax.cli.sweep_workers import explained, in_other_processes, launched, prints_here
from nnjax.cli.worker import SWEEP, Share
from nnjax.config.errors import ConfigError
from nnjax.config.schema import TrainConfig


@pytest.fixture
def gpus(monkeypatch):
    """Sets the GPUs that JAX could use here."""

    def gpus(names, platforms="cuda"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", names)
        monkeypatch.setenv("JAX_PLATFORMS", platforms)
        monkeypatch.setattr(sweep_workers, "find_spec", lambda name: name == "jax_cuda12_plugin")

    return gpus


def share(tmp_path, *overrides, jobs=8):
    """The share that a job is told, and the overrides for a sweeper."""
    composition = compose("train", [*overrides, "seed=0"], run_mode=RunMode.MULTIRUN)
    job = Job(TrainConfig, print)
    with launched(job, composition, jobs and range(jobs), tmp_path) as more:
        assert job.share is None or os.path.isdir(job.share.locks)  # noqa: PTH112
    assert list(tmp_path.iterdir()) == []
    assert more in ([], [f"hydra.launcher.n_jobs={composition.hydra.launcher.get('n_jobs')}"])
    return job.share, composition.hydra.launcher.get("n_jobs")


def test_jobs_one_after_another_get_no_share(tmp_path):
    assert share(tmp_path) == (None, None)
    assert share(tmp_path, "hydra/launcher=joblib", "hydra.launcher.n_jobs=1") == (None, 1)
    assert share(tmp_path, "hydra/launcher=joblib", "hydra.launcher.n_jobs=4", jobs=1) == (None, 1)


def test_joblib_starts_no_more_workers_than_there_are_jobs(tmp_path):
    found, n_jobs = share(tmp_path, "hydra/launcher=joblib", "hydra.launcher.n_jobs=4", jobs=3)
    assert (found.at_a_time, n_jobs, found.sweep, found.gpus) == (3, 3, SWEEP, ())
    found, n_jobs = share(tmp_path, "hydra/launcher=joblib", "hydra.launcher.n_jobs=4", "hydra.sweeper.max_batch_size=2")
    assert (found.at_a_time, n_jobs) == (2, 2)
    found, n_jobs = share(tmp_path, "hydra/launcher=joblib", "hydra.launcher.n_jobs=4", jobs=None)
    assert (found.at_a_time, n_jobs) == (4, 4)


def test_without_a_number_there_is_a_job_for_each_gpu(gpus, tmp_path):
    gpus("2,3,5")
    found, n_jobs = share(tmp_path, "hydra/launcher=joblib")
    assert (found.at_a_time, n_jobs, found.gpus) == (3, 3, ("2", "3", "5"))
    found, _ = share(tmp_path, "hydra/launcher=joblib", "hydra.launcher.n_jobs=6")
    assert (found.at_a_time, found.gpus) == (6, ("2", "3", "5"))


@pytest.mark.parametrize(
    ("names", "platforms", "platform"), [("", "", "auto"), ("-1", "", "auto"), ("0", "cpu", "auto"), ("0", "", "cpu")]
)
def test_gpus_that_the_jobs_do_not_use(names, platforms, platform, gpus, tmp_path):
    gpus(names, platforms)
    found, _ = share(tmp_path, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", f"parallel.platform={platform}")
    assert found.gpus == ()


def test_no_job_at_a_time_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"hydra.launcher.n_jobs=0: must be a number of jobs at a time"):
        share(tmp_path, "hydra/launcher=joblib", "hydra.launcher.n_jobs=0")


def test_a_killed_worker_is_one_line():
    error = type("TerminatedWorkerError", (Exception,), {})()
    assert "a worker process of the sweep was killed" in explained(error)
    assert explained(ValueError()) is None


@pytest.mark.parametrize(
    ("launcher", "shared", "elsewhere", "here"),
    [
        (["hydra/launcher=basic"], False, False, True),
        (["hydra/launcher=joblib"], True, True, True),
        (["hydra/launcher=joblib", "hydra.launcher.n_jobs=1"], False, False, True),
        (["hydra/launcher=submitit_local"], True, True, False),
        (["hydra/launcher=submitit_slurm"], True, True, False),
    ],
)
def test_where_jobs_run_and_print(launcher, shared, elsewhere, here):
    composition = compose("train", [*launcher, "seed=0"], run_mode=RunMode.MULTIRUN)
    job = Job(TrainConfig, print)
    job.share = Share(SWEEP, 2) if shared else None
    assert (in_other_processes(job, composition), prints_here(composition)) == (elsewhere, here)


def test_a_copy_of_a_job_in_another_process_leaves_the_terminal_alone():
    job = Job(TrainConfig, print)
    assert not job.elsewhere
    assert pickle.loads(pickle.dumps(job)).elsewhere


def test_a_worker_names_the_code_that_it_runs_itself(monkeypatch):
    """The files may have changed since the sweep began."""
    job = Job(TrainConfig, print)
    monkeypatch.setattr("nnjax.cli.job.code_version", lambda: "of the worker")
    assert pickle.loads(pickle.dumps(job)).code is None
    job.code = "of the sweep"
    assert pickle.loads(pickle.dumps(job)).code == "of the worker"


def test_a_run_s_trackers_get_no_signal_of_the_sweep(tmp_path):
    """Nor do processes that they start, such as W&B's service; the worker that started them does."""
    wait = "import subprocess, sys; print('ready', flush=True); sys.stdin.read()"
    tracker = f"# nnjax.tracking.tracker_process\nimport subprocess, sys; subprocess.run([sys.executable, '-c', {wait!r}])"
    worker = tmp_path / "worker.py"
    worker.write_text(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {tracker!r}])")
    others = {each.pid for each in sweep_workers._workers()}  # of other tests, such as a tracker of resources
    with subprocess.Popen([sys.executable, str(worker)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        found = {each.pid for each in sweep_workers._workers()} - others
        process.stdin.close()
    assert found == {process.pid}
