"""A disk that is full, and a run's folder that vanishes, in the middle of a training: one line, and what was written stays.

As root on Linux the disk is a small one in memory; elsewhere files have a largest size.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import time

import pytest
from commands import ROOT, environment, summary_of

pytestmark = pytest.mark.slow
LONG = [
    "model=fnn",
    "model.hidden=[8]",
    "data=synthetic",
    "data.validation=0",
    "data.num_train=256",
    "parallel.devices=1",
    "training.duration=100000epochs",
    "training.checkpoint_every=null",
    "report.figures=false",
    "report.tensorboard=off",
    "schedule=constant",
]


@pytest.fixture
def disk(tmp_path):
    """A folder in a file system of 4 MB, and what fills it; without a right to mount, None."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4M", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        yield None
        return
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder):
    number = os.open(folder / "filling", os.O_CREAT | os.O_WRONLY)
    try:
        while True:
            os.write(number, bytes(512))
    except OSError:
        os.close(number)


def started(run, *overrides, limit=None, **env):
    command = [sys.executable, "-m", "experiments.train", *LONG, *overrides, f"hydra.run.dir={run}"]
    if limit is not None:
        setting = f"import os, resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))"
        command = [sys.executable, "-c", f"{setting}; os.execv(sys.argv[1], sys.argv[1:])", *command]
    environ = environment(**env)
    return subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process, run, action=lambda: None):
    """Waits for the first records, does something, and returns what the process printed to standard error."""
    metrics = run / "metrics.jsonl"
    while process.poll() is None and not (metrics.exists() and metrics.stat().st_size > 1000):
        time.sleep(0.02)
    action()
    _, stderr = process.communicate(timeout=120)
    return stderr


def test_a_disk_that_fills_up_ends_the_run_in_one_line(disk, tmp_path):
    run = (disk or tmp_path) / "run"
    limit = resource.RLIM_INFINITY if disk else 20_000
    stderr = ended(started(run, limit=None if disk else limit), run, (lambda: fill(disk)) if disk else lambda: None)
    (line,) = stderr.splitlines()
    assert "metrics.jsonl: cannot be written: " in line
    assert "are needed" in line
    for text in (run / "metrics.jsonl").read_text().splitlines()[:-1]:
        json.loads(text)


def test_a_checkpoint_that_finds_no_room_leaves_the_one_before(disk, tmp_path):
    if disk is None:
        pytest.skip("needs the right to mount a file system")
    run = disk / "run"
    # Each takes 0.9 MB: the third or fourth finds no room.
    overrides = ["model.hidden=[256,256]", "training.checkpoint_every=2epochs", "training.evaluate_every=1000epochs"]
    (line,) = ended(started(run, *overrides, "training.keep=10"), run).splitlines()
    assert "checkpoints: cannot be written: No space left on device" in line
    assert "is intact" in line
    assert summary_of(run)["status"] == "failed"
    (disk / "room").mkdir()
    resumed = [
        sys.executable,
        "-m",
        "experiments.evaluate",
        f"run={run}",
        "checkpoint=last",
        f"hydra.run.dir={tmp_path / 'again'}",
    ]
    assert subprocess.run(resumed, cwd=ROOT, env=environment(), capture_output=True).returncode == 0


def test_an_old_summary_stays_where_no_new_one_can_be_written(disk, tmp_path):
    if disk is None:
        pytest.skip("needs the right to mount a file system")
    run = disk / "run"
    with started(run, "training.duration=2epochs") as process:
        process.communicate()
    before = (run / "summary.json").read_bytes()
    assert summary_of(run)["status"] == "completed"
    command = [sys.executable, "-m", "experiments.train", f"resume={run}", "training.duration=100000epochs"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        ended(process, run, lambda: fill(disk))
        assert process.returncode == 1
    assert (run / "summary.json").read_bytes() == before


@pytest.mark.parametrize("way", ["removed", "moved"])
def test_a_folder_that_vanishes_is_noticed_and_not_made_again(tmp_path, way):
    run = tmp_path / "run"

    def action():
        run.rename(tmp_path / "moved")
        if way == "removed":  # in one go: the run may be writing
            shutil.rmtree(tmp_path / "moved", ignore_errors=True)

    (line,) = ended(started(run), run, action).splitlines()
    assert "metrics.jsonl: is gone while the run writes to it" in line
    assert not run.exists()


def test_a_run_whose_first_checkpoint_finds_no_room_does_not_begin(disk):
    if disk is None:
        pytest.skip("needs the right to mount a file system")
    run = disk / "run"
    (line,) = ended(started(run, "model.hidden=[800,800]"), run).splitlines()
    assert "are free, and the first checkpoint needs 8." in line
    assert not (run / "checkpoints").exists()


def test_a_full_disk_behind_the_caches_fails_no_run(disk, tmp_path):
    if disk is None:
        pytest.skip("needs the right to mount a file system")
    with started(tmp_path / "run", "training.duration=2epochs", NNJAX_CACHE=str(disk / "cache")) as process:
        said, stderr = process.communicate()
    assert (process.returncode, stderr) == (0, "")
    assert said.count("continuing without a cache of compiled programs") == 1
