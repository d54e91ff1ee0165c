import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from fake_trackers import calls_of

from nnjax.tracking.separate_tracker import SeparateTracker, TrackerStoppedError
from nnjax.tracking.tracker import TrackedRun

PATIENCE = 60.0  # never waited for where the code is right


@pytest.fixture(autouse=True)
def scratch(tmp_path_factory, monkeypatch):
    """The folder for temporary files is empty afterwards."""
    folder = tmp_path_factory.mktemp("scratch")
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


@pytest.fixture
def run(tmp_path):
    return TrackedRun("run", "sweep", "0123abcd", tmp_path, tmp_path / "fake", "nnjax", 4)


def started(kind, run):
    tracker = SeparateTracker("fake", f"fake_trackers:{kind}", run.folder / "trackers.log")
    tracker.start(run, {"model.name": "cnn", "stop": None})
    return tracker


def log_for_long(tracker, pause=0.01):
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        tracker.log(10, {"train/loss": 0.5})
        time.sleep(pause)


def test_all_calls_arrive_in_order(run, capfd):
    tracker = started("Recording", run)
    tracker.log(10, {"train/loss": 0.5, "train/accuracy": float("inf")})
    tracker.figure(run.folder / "curves.png")
    tracker.checkpoint(run.folder / "checkpoints", True)
    tracker.finish("completed", {"test.loss": 0.25})
    assert tracker.wait(PATIENCE)
    assert calls_of(run.store) == [
        ["start", "run", "sweep", "0123abcd", 4, {"model.name": "cnn", "stop": None}],
        ["log", 10, {"train/loss": 0.5, "train/accuracy": float("inf")}],
        ["figure", "curves.png"],
        ["checkpoint", "checkpoints", True],
        ["finish", "completed", {"test.loss": 0.25}],
    ]
    assert (tracker.place, tracker.failure) == (f"{run.store} (open it)", "")
    assert (run.folder / "trackers.log").read_text() == "a library greets\n"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("kind", "failure"),
    [
        ("Failing", "OSError: No space left on device"),
        ("Dying", "its process ended (exit code 7)"),
        ("Rude", "SystemExit: not logged in"),
        ("Missing", "AttributeError: module 'fake_trackers' has no attribute 'Missing'"),
    ],
)
def test_a_failure_is_known_and_ends_the_calls(run, kind, failure):
    tracker = started(kind, run)
    with pytest.raises(TrackerStoppedError) as stopped:
        log_for_long(tracker)
    assert str(stopped.value) == tracker.failure == failure
    assert not tracker.wait(PATIENCE)


def test_a_process_that_cannot_start_leaves_nothing(run):
    tracker = SeparateTracker("fake", "fake_trackers:Recording", run.folder / "missing" / "trackers.log")
    with pytest.raises(FileNotFoundError):
        tracker.start(run, {})
    assert not tracker.wait(PATIENCE)


def test_what_failed_closes_the_tracker_s_run(run):
    tracker = started("Failing", run)
    tracker.log(10, {})
    assert not tracker.wait(PATIENCE)
    assert calls_of(run.store)[-1] == ["finish", "killed", {}]


def test_calls_return_at_once_and_a_hanging_tracker_is_ended(run):
    tracker = started("Hanging", run)
    for step in range(3000):  # more than a pipe holds
        tracker.log(step, {"train/loss": 0.5})
    tracker.finish("completed", {})
    assert not tracker.wait(0.2)
    assert tracker._process.poll() == -signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_every_process_of_a_job_leaves_the_tracker_to_its_training(run, number):
    """Slurm, systemd and the end of a sweep send SIGTERM to each process; the training's last calls still have to arrive."""
    tracker = started("Recording", run)
    until = time.monotonic() + PATIENCE
    while not tracker.place and time.monotonic() < until:
        time.sleep(0.01)
    tracker._process.send_signal(number)
    tracker.log(10, {"train/loss": 0.5})
    tracker.finish("preempted", {})
    assert tracker.wait(PATIENCE), tracker.failure
    assert calls_of(run.store)[-2:] == [["log", 10, {"train/loss": 0.5}], ["finish", "preempted", {}]]


def test_what_a_hanging_tracker_started_ends_with_it(run):
    tracker = started("Serving", run)
    until = time.monotonic() + PATIENCE
    calls = run.store / "calls.jsonl"
    while time.monotonic() < until and not (calls.is_file() and calls.read_text().count("\n") == 2):
        time.sleep(0.01)
    service = psutil.Process(calls_of(run.store)[-1][1])
    assert not tracker.wait(0.1)
    with suppress(psutil.NoSuchProcess):
        while service.status() != psutil.STATUS_ZOMBIE and time.monotonic() < until:
            time.sleep(0.01)
    assert time.monotonic() < until


def test_a_tracker_that_is_far_behind_is_given_up(run, monkeypatch):
    monkeypatch.setattr("nnjax.tracking.separate_tracker._MOST_WAITING", 100)
    tracker = started("Hanging", run)
    with pytest.raises(TrackerStoppedError, match="it is 100 calls behind"):
        log_for_long(tracker, 0.0)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_training_that_is_killed_closes_the_tracker_s_run(run, number):
    """Ctrl-C in a terminal reaches the whole group of processes; the tracker is in another one."""
    program = f"""import sys, time
from pathlib import Path
from nnjax.tracking.separate_tracker import SeparateTracker
from nnjax.tracking.tracker import TrackedRun
folder = Path({str(run.folder)!r})
tracker = SeparateTracker("fake", "fake_trackers:Recording", folder / "trackers.log")
tracker.start(TrackedRun("run", None, "0123abcd", folder, folder / "fake", "nnjax"), {{}})
tracker.log(10, {{"train/loss": 0.5}})
while not tracker.place and not tracker.failure: time.sleep(0.01)
print("ready", flush=True)
time.sleep(600)"""
    paths = os.pathsep.join([str(Path(__file__).parents[2]), str(Path(__file__).parents[1])])
    command = [sys.executable, "-c", program]
    environment = {**os.environ, "PYTHONPATH": paths}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, start_new_session=True
    ) as training:
        assert training.stdout.readline() == b"ready\n"
        os.killpg(training.pid, number)
    until = time.monotonic() + PATIENCE
    while calls_of(run.store)[-1][0] != "finish" and time.monotonic() < until:
        time.sleep(0.01)
    assert calls_of(run.store)[-2:] == [["log", 10, {"train/loss": 0.5}], ["finish", "killed", {}]]
