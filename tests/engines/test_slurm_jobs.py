"""The job file of docs/clusters.md on a Slurm of two nodes: started, requeued, preempted, out of time, cancelled."""

import json
import shutil
import sys
import time
from pathlib import Path

import pytest
from clusters_page import files
from conftest import ROOT

pytestmark = pytest.mark.engines
ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL")
LONG = ("model=fnn", "training.duration=100000epochs", "schedule=constant", "report.figures=false", "report.tensorboard=false")


class Job:
    """A submitted job file, in a folder like a checkout."""

    def __init__(self, cluster, environment, folder, *arguments, options=()):
        self.cluster, self.folder = cluster, folder
        (folder / ".venv").symlink_to(Path(sys.prefix))
        (folder / "train.sbatch").write_text(files()["train.sbatch"])
        done = cluster.call(
            "sbatch", "--parsable", *options, "train.sbatch", *arguments, cwd=folder, env=environment | cluster.environment
        )
        assert done.returncode == 0, done.stderr
        self.number = done.stdout.strip()
        self.run = folder / "outputs" / "slurm" / self.number

    def records(self):
        path = self.run / "metrics.jsonl"
        return path.read_text().splitlines() if path.exists() else []

    def wait_for_records(self, more_than=0):
        end = time.monotonic() + 90
        while len(self.records()) <= more_than:
            state = self.cluster.state(self.number)["JobState"]
            assert state not in ENDED, (state, self.log())
            assert time.monotonic() < end, (state, self.log())
            time.sleep(0.2)

    def wait(self, *states):
        return self.cluster.wait(self.number, *states, timeout=90)

    def start_again(self):
        """Slurm lets a requeued job wait for two minutes; the test, only until the job's first script has certainly ended."""
        found = self.wait("PENDING", *ENDED)
        assert found["JobState"] == "PENDING", (found["ExitCode"], self.log()[-3000:])
        time.sleep(5)
        self.cluster.call("scontrol", "update", f"JobId={self.number}", "StartTime=now")
        found = self.wait("RUNNING", *ENDED)
        assert (found["JobState"], found["Restarts"]) == ("RUNNING", "1"), (found["ExitCode"], self.log()[-3000:])

    def log(self):
        return "".join(path.read_text(errors="replace") for path in self.folder.glob("*.log"))


@pytest.fixture
def submit(cluster, environment, tmp_path):
    jobs = []

    def submit(*arguments, options=()):
        jobs.append(Job(cluster, {**environment, "PYTHONPATH": str(ROOT)}, tmp_path, *arguments, options=options))
        return jobs[-1]

    yield submit
    for job in jobs:
        cluster.call("scancel", job.number)
        job.wait(*ENDED)
    shutil.rmtree(tmp_path, ignore_errors=True)


def test_it_trains(submit):
    job = submit("model=fnn", "data=digits", "training.duration=2epochs", "report.figures=false")
    assert job.wait(*ENDED)["ExitCode"] == "0:0", job.log()
    summary = json.loads((job.run / "summary.json").read_text())
    assert (summary["status"], summary["num_processes"]) == ("completed", 2)


def test_a_requeued_job_resumes(submit, cluster):
    job = submit(*LONG)
    job.wait_for_records(3)
    cluster.call("scontrol", "requeue", job.number)
    job.start_again()
    assert job.log().count("which is saved") == 1, job.log()
    before = job.records()
    job.wait_for_records(len(before))
    assert job.records()[: len(before)] == before
    steps = [json.loads(line)["step"] for line in job.records()]
    assert steps == sorted(steps)
    cluster.call("scancel", job.number)
    assert job.wait(*ENDED)["JobState"] == "CANCELLED"
    time.sleep(1)
    assert cluster.state(job.number)["JobState"] == "CANCELLED", "a cancelled job must not be started again"
    sessions = json.loads((job.run / ".hydra" / "sessions.json").read_text())
    assert len(sessions) == 2


def test_a_preempted_job_resumes(submit, cluster):
    job = submit(*LONG, options=("--partition=all",))
    job.wait_for_records(3)
    urgent = cluster.call("srun", "--partition=urgent", "--nodes=2", "--exclusive", "true", timeout=90)
    assert urgent.returncode == 0, urgent.stderr
    job.start_again()
    job.wait_for_records(len(job.records()))


def test_a_job_out_of_time_is_started_again(submit):
    """Slurm compares the times twice a minute, so the signal may come before a busy machine has made a step."""
    job = submit(*LONG, options=("--signal=TERM@25", "--time=1"))
    job.wait("RUNNING")
    job.start_again()
    assert "SIGTERM: stopped" in job.log(), job.log()


def test_a_wrong_config_is_not_started_again(submit):
    job = submit("training.epochs=5")
    assert job.wait(*ENDED)["ExitCode"] == "2:0", job.log()
    assert 1 <= job.log().count("training.epochs=5: unknown key") <= 2, job.log()  # by each machine
