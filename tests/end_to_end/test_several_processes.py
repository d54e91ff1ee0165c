"""Trainings of several processes on one machine: the numbers of one process, one folder, and no hang when a process is gone.

NNJAX_TRIALS=20 pytest -m slow tests/end_to_end/test_several_processes.py -s      # so many faults of each kind; prints them
"""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from commands import ROOT, assert_same_run, environment, last_state, metrics_of, start, summary_of

pytestmark = pytest.mark.slow

TRIALS = int(os.environ.get("NNJAX_TRIALS", "1"))
COUNT = int(os.environ.get("NNJAX_TEST_PROCESSES", "2"))
SILENCE = 10.0  # a busy machine takes its time
SMALL = ["model=fnn", "model.hidden=[32]", "report.figures=false"]
LONG = [
    *SMALL,
    "schedule=constant",
    "data.validation=0.2",
    "training.duration=1500steps",
    "training.evaluate_every=100steps",
    "training.checkpoint_every=300steps",
    "training.keep=1",
    "training.test=best",
    f"parallel.processes={COUNT}",
    f"parallel.peer_timeout={SILENCE}",
]
CASES = {
    "one network, pmap": (2, [*SMALL, "parallel.devices=2", "training.duration=2epochs"]),
    "one network, shard_map": (2, [*SMALL, "parallel=shard_map", "parallel.devices=4", "training.duration=2epochs"]),
    "each a share of the optimizer's memory": (
        2,
        [*SMALL, "parallel.devices=4", "parallel.gradients=sharded", "parallel.bucket_bytes=2kB", "training.duration=2epochs"],
    ),
    "convolutions, the best of four": (
        4,
        ["model=cnn", "report.figures=false", "parallel.devices=4", "debug=fast", "data.validation=0.2", "training.test=best"],
    ),
    "trials on their own devices": (2, [*SMALL, "training.seeds=5", "parallel.devices=2", "training.duration=2epochs"]),
    "trials that share devices": (2, [*SMALL, "training.seeds=3", "parallel.devices=4", "training.duration=2epochs"]),
    "examples gathered on the host": (2, [*SMALL, "data.placement=host", "parallel.devices=2", "training.duration=2epochs"]),
}
FAULTS = {"killed": signal.SIGKILL, "frozen": signal.SIGSTOP, "told to stop": signal.SIGTERM, "launcher killed": signal.SIGKILL}
CODES = {"killed": 1, "frozen": 1, "told to stop": 75, "launcher killed": -signal.SIGKILL}


@pytest.mark.parametrize("case", CASES)
def test_several_processes_compute_what_one_does(tmp_path, case):
    count, config = CASES[case]
    alone, together = tmp_path / "alone", tmp_path / "together"
    start("train", *config, f"hydra.run.dir={alone}")
    start("train", *config, f"parallel.processes={count}", f"hydra.run.dir={together}")
    assert_same_run(alone, together, tolerance=1e-5)
    one, several = summary_of(alone), summary_of(together)
    assert (one["num_processes"], several["num_processes"]) == (1, count)
    for key in ("status", "num_devices", "test_examples", "tested_step", "steps", "data_hash"):
        assert one[key] == several[key], key
    assert sorted(path.name for path in together.glob("*.log")) == [f"rank-{rank}.log" for rank in range(1, count)] + [
        "train.log"
    ]


def test_a_run_goes_on_with_another_number_of_processes(tmp_path):
    config = [*SMALL, "schedule=constant", "parallel.devices=4", "training.checkpoint_every=1epochs"]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    start("train", *config, "training.duration=3epochs", f"hydra.run.dir={whole}")
    start("train", *config, "training.duration=1epochs", "parallel.processes=4", f"hydra.run.dir={parts}")
    start("train", f"resume={parts}", "training.duration=2epochs", "parallel.processes=2")
    start("train", f"resume={parts}", "training.duration=3epochs", "parallel.processes=1")
    trained = [record for record in metrics_of(parts) if record["split"] != "test"]
    for left, right in zip([record for record in metrics_of(whole) if record["split"] != "test"], trained, strict=True):
        np.testing.assert_allclose(right["loss"], left["loss"], rtol=1e-5)
    arrays = last_state(whole)
    for key, array in last_state(parts).items():
        np.testing.assert_allclose(array, arrays[key], rtol=1e-5, atol=1e-5)


PROGRAM = """
import json, sys
import jax
import nnjax
address, rank, *overrides = sys.argv[1:]
jax.config.update("jax_num_cpu_devices", 2 if address == "alone" else 1)
if address != "alone":
    jax.distributed.initialize(address, 2, int(rank))
summary = nnjax.fit(nnjax.compose(*overrides, "parallel.devices=2")).summary
print(json.dumps({key: summary[key] for key in ("num_processes", "steps", "test")}))
"""


def test_a_program_that_has_started_jaxs_runtime_itself_trains_with_its_processes():
    """As Ray's trainer does."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    words, pipe = [*SMALL, "training.duration=2epochs"], subprocess.PIPE
    programs = [
        subprocess.Popen([sys.executable, "-c", PROGRAM, *start, *words], cwd=ROOT, env=environment(), stdout=pipe, text=True)
        for start in ((address, "0"), (address, "1"), ("alone", "0"))
    ]
    said = [json.loads(program.communicate(timeout=300)[0].splitlines()[-1]) for program in programs]
    assert [program.returncode for program in programs] == [0, 0, 0]
    assert [answer["num_processes"] for answer in said] == [2, 2, 1]
    assert said[0] == said[1]
    assert said[0]["steps"] == said[2]["steps"]
    for key, value in said[2]["test"].items():
        np.testing.assert_allclose(said[0]["test"][key], value, rtol=1e-5)


def test_an_override_of_an_earlier_runs_option_is_known_to_all(tmp_path):
    """The others do not read the run's config, in which the optimizer is another one than by default."""
    config = [*SMALL, "optimizer=sgd", "training.duration=1epochs"]
    start("train", *config, f"hydra.run.dir={tmp_path / 'first'}")
    again = [f"rerun={tmp_path / 'first'}", "optimizer.momentum=0.9", "parallel.processes=2", "parallel.devices=2"]
    start("train", *again, f"hydra.run.dir={tmp_path / 'second'}")
    assert summary_of(tmp_path / "second")["num_processes"] == 2
    start("train", *config, "optimizer.momentum=0.9", f"hydra.run.dir={tmp_path / 'alone'}")
    assert_same_run(tmp_path / "alone", tmp_path / "second", tolerance=1e-5)
    complete = start("train", f"resume={tmp_path / 'second'}")
    assert "complete" in complete.stdout + complete.stderr


def test_a_mistake_is_told_once_and_leaves_nothing(tmp_path):
    run_dir = tmp_path / "run"
    wrong = start("train", *SMALL, "parallel.processes=3", "parallel.devices=3", f"hydra.run.dir={run_dir}", check=2)
    assert wrong.stderr.count("training.global_batch_size=64") == 1
    assert not run_dir.exists()
    late = start("train", *SMALL, "parallel.processes=3", f"hydra.run.dir={run_dir}", check=2)
    assert late.stderr.count("3 processes cannot share") == 1
    assert "Traceback" not in late.stderr


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("undisturbed") / "run"
    start("train", *LONG, f"hydra.run.dir={run_dir}")
    return run_dir


def processes_of(run_dir):
    """The processes of a run, by rank; its launcher as "launcher"."""
    found = {}
    for folder in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            if folder.name.isdigit() and os.fsencode(run_dir) in (folder / "cmdline").read_bytes():
                variables = (folder / "environ").read_bytes().split(b"\0")
                rank = next((int(text[11:]) for text in variables if text.startswith(b"NNJAX_RANK=")), "launcher")
                found[rank] = int(folder.name)
    return found


def ended(run_dir, seconds):
    """Whether no process of a run is left after so many seconds."""
    deadline = time.monotonic() + seconds
    while left := processes_of(run_dir):
        if time.monotonic() > deadline:
            for process in left.values():
                os.kill(process, signal.SIGKILL)
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize("trial", range(TRIALS))
@pytest.mark.parametrize("fault", FAULTS)
def test_nobody_hangs_when_a_process_is_gone_and_a_resume_is_exact(tmp_path, undisturbed, fault, trial):
    chance = random.Random(f"{fault} {trial}")
    run_dir, victim = tmp_path / "run", chance.randrange(COUNT)
    command = [sys.executable, "-m", "experiments.train", *LONG, f"hydra.run.dir={run_dir}"]
    job = subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 300
    while not ((run_dir / "metrics.jsonl").exists() and (run_dir / "metrics.jsonl").stat().st_size):
        assert job.poll() is None, job.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(chance.uniform(0, 3))
    found = processes_of(run_dir)
    if "launcher" not in found or job.poll() is not None:
        pytest.fail("the run was over before the fault: make it longer")
    os.kill(found["launcher" if fault == "launcher killed" else victim], FAULTS[fault])
    began = time.monotonic()
    _, said = job.communicate(timeout=120)
    assert ended(run_dir, 60), "a process was left"
    seconds = time.monotonic() - began
    print(f"{fault}, process {victim}: all ended after {seconds:.1f} s\n{said}")
    assert job.returncode == CODES[fault], said
    assert "Traceback" not in said
    assert "***" not in said  # XLA's stack
    if fault in ("killed", "frozen"):
        assert f"process {victim} of {COUNT}" in said
        assert "at step" in said
        assert "checkpoint" in said
    start("train", f"resume={run_dir}")
    assert_same_run(undisturbed, run_dir)
    for key in ("test", "tested_step"):
        assert summary_of(run_dir)[key] == summary_of(undisturbed)[key]


@pytest.mark.parametrize("trial", range(TRIALS))
def test_nobody_hangs_when_a_process_is_gone_before_the_first_step(tmp_path, trial):
    """While it starts, connects, compiles; the same command starts the run anew."""
    chance = random.Random(trial)
    run_dir, victim = tmp_path / "run", chance.randrange(COUNT)
    config = [*SMALL, f"parallel.processes={COUNT}", f"parallel.peer_timeout={SILENCE}", f"hydra.run.dir={run_dir}"]
    command = [sys.executable, "-m", "experiments.train", *config, "resume=auto"]
    job = subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while victim not in (found := processes_of(run_dir)):
        assert job.poll() is None, job.stderr.read()
    time.sleep(chance.uniform(0, 3))
    os.kill(found[victim], signal.SIGKILL)
    _, said = job.communicate(timeout=120)
    assert ended(run_dir, 60), "a process was left"
    assert job.returncode == 1, said
    assert f"process {victim} of {COUNT}" in said
    assert "Traceback" not in said
    start("train", *config, "resume=auto")
    assert summary_of(run_dir)["status"] == "completed"


@pytest.mark.parametrize("elastic", [False, True])
def test_a_supervised_job_starts_again_by_itself(tmp_path, undisturbed, elastic):
    run_dir = tmp_path / "run"
    keys = ["parallel.supervise=true", f"parallel.elastic={str(elastic).lower()}", f"hydra.run.dir={run_dir}"]
    command = [sys.executable, "-m", "experiments.train", *LONG, *keys]
    job = subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while not (run_dir / "metrics.jsonl").exists() or not (run_dir / "metrics.jsonl").stat().st_size:
        assert job.poll() is None, job.stderr.read()
        time.sleep(0.02)
    os.kill(processes_of(run_dir)[1], signal.SIGKILL)
    _, said = job.communicate(timeout=600)
    assert job.returncode == 0, said
    assert f"restart 1 of 3, with {COUNT - 1 if elastic else COUNT} process" in said
    assert_same_run(undisturbed, run_dir, tolerance=0.05 if elastic else 0.0)  # over 1500 steps, rounding grows
