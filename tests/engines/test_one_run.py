"""The command of docs/clusters.md as it stands, under Open MPI and Slurm: two processes are one run, and end together."""

import json
import subprocess
import sys
import time

import jax
import numpy as np
import pytest
from clusters_page import commands
from conftest import ROOT

import nnjax

pytestmark = pytest.mark.engines
TRAIN = ("python", "-m", "experiments.train")
SHORT = ("model=fnn", "data=digits", "training.duration=2epochs", "report.figures=false", "report.tensorboard=false")
LONG = ("model=fnn", "training.duration=100000epochs", "schedule=constant", "report.figures=false", "report.tensorboard=false")


@pytest.fixture(scope="module")
def alone(tmp_path_factory, environment):
    """The same training in one process with two devices."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    command = [sys.executable, *TRAIN[1:], *SHORT, "parallel.devices=2", f"hydra.run.dir={folder}"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
    return folder


def test_the_command_is_that_of_the_page():
    assert f"mpirun -np 2 {' '.join([*TRAIN, *SHORT[:2]])}" in commands()


def test_two_processes_are_one_run(engine, alone, tmp_path):
    done = engine.run(*TRAIN, *SHORT, f"hydra.run.dir={tmp_path / 'run'}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("│ status") == 1, done.stdout  # the first process alone prints
    summary, expected = (json.loads((folder / "summary.json").read_text()) for folder in (tmp_path / "run", alone))
    assert (summary["num_processes"], expected["num_processes"]) == (2, 1)
    assert summary["test_examples"] == expected["test_examples"]
    lines, lines_alone = (records(folder) for folder in (tmp_path / "run", alone))
    assert [line.keys() for line in lines] == [line.keys() for line in lines_alone]
    for line, line_alone in zip(lines, lines_alone, strict=True):
        for key, value in line_alone.items():
            tolerance = 2e-3 if key == "accuracy" else 1e-5  # rounding may turn a few examples
            assert line[key] == (pytest.approx(value, rel=1e-3, abs=tolerance) if isinstance(value, float) else value), (
                key,
                line,
            )
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    params, params_alone = (nnjax.load_run(folder).params for folder in (tmp_path / "run", alone))
    jax.tree.map(lambda one, other: np.testing.assert_allclose(one, other, rtol=2e-3, atol=2e-5), params, params_alone)


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["training.epochs=5"], 2, "training.epochs=5: unknown key"),
        (["data=series", "data.file=/nowhere/x.csv", "data.column=y", "model=rnn"], None, "/nowhere/x.csv"),
    ],
)
def test_an_error_is_printed_once_a_machine(engine, arguments, code, line, tmp_path):
    done = engine.run(*TRAIN, *arguments, f"hydra.run.dir={tmp_path / 'run'}")
    # A machine's first process speaks: whether the others find the same mistake is not known.
    assert 1 <= (done.stdout + done.stderr).count(line) <= engine.machines, done.stdout + done.stderr
    assert done.returncode == code if code else done.returncode in (2, 3)
    assert "Traceback" not in done.stderr


def test_a_killed_process_ends_the_job(engine, tmp_path):
    job, _ = begun(engine, tmp_path)
    try:
        engine.processes(str(tmp_path))[1].kill()
        since = time.monotonic()
        assert job.wait(90) != 0
        assert time.monotonic() - since < 75  # parallel.peer_timeout, and what the engine needs
        assert not engine.processes(str(tmp_path)), "a process is left"
    finally:
        ended(engine, job, tmp_path)


def test_a_request_to_stop_reaches_every_process(engine, tmp_path):
    job, output = begun(engine, tmp_path)
    try:
        engine.ask_to_stop(job)
        assert job.wait(60) == engine.stopped
        assert not engine.processes(str(tmp_path)), "a process is left"
    finally:
        ended(engine, job, tmp_path)
    printed = output.read_text()
    assert printed.count("which is saved") == 1, printed
    saved = int(printed.partition("after step ")[2].split(",")[0].replace(",", ""))
    assert saved > 0
    done = engine.run(*TRAIN, f"resume={tmp_path / 'run'}", f"training.duration={saved + 20}steps")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["steps"] == saved + 20


def begun(engine, tmp_path):
    """A long training that has begun: the engine's process, and the file of its output."""
    output = tmp_path / "output"
    job = engine.start(*TRAIN, *LONG, f"hydra.run.dir={tmp_path / 'run'}", output=output)
    end = time.monotonic() + 60
    while not records(tmp_path / "run"):
        assert job.poll() is None, output.read_text()
        assert time.monotonic() < end, output.read_text()
        time.sleep(0.1)
    return job, output


def ended(engine, job, tmp_path):
    for process in engine.processes(str(tmp_path)).values():
        process.kill()
    if job.poll() is None:
        job.kill()
        job.wait()


def records(run):
    path = run / "metrics.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    volatile = ("seconds", "examples_per_second")
    return [{key: value for key, value in json.loads(line).items() if key not in volatile} for line in lines]
