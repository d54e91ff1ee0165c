"""What does not fit in memory, as a person meets it."""

import subprocess
import sys

import pytest
from commands import ROOT, environment, run, start, summary_of

from nnjax.checks.memory_needs import RUNTIME, Machine, memory_needs
from nnjax.cli.compose import compose_train
from nnjax.data.dataset_spec import dataset_spec

GB = 10**9
LARGE = ["model=fnn", "model.hidden=[4000,2500]", "training.duration=20steps", "training.evaluate_every=10steps"]


def train_within(limit, *arguments):
    """`experiments.train` in a process that may have so many bytes of addresses."""
    limited = ["sh", "-c", f'ulimit -v {limit // 1024}; exec "$@"', "sh"]
    return subprocess.run(
        [*limited, sys.executable, "-W", "error", "-m", "experiments.train", *arguments],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=600,
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "fnn"
    start("train", *LARGE, "report.figures=false", f"hydra.run.dir={folder}")
    return folder


@pytest.mark.slow
def test_a_run_takes_what_was_counted_and_not_twice_as_much(finished):
    config = compose_train(LARGE)
    needs = memory_needs(config, dataset_spec(config.data), Machine("cpu", 1, RUNTIME))
    counted = max(need.total for need in needs) / 1e6
    assert counted < summary_of(finished)["peak_rss_mb"] < 2 * counted


def test_what_cannot_fit_makes_no_folder(tmp_path):
    refused = run("train", "model=fnn", "model.hidden=[2000000000]", f"hydra.run.dir={tmp_path / 'x'}", check=2)
    assert refused.stderr.startswith("model.hidden=[2000000000]: needs at least 6.4 TB to train, and ")
    assert refused.stdout == ""
    assert not (tmp_path / "x").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limit", "arguments", "key"),
    [
        (8 * GB, ["model=fnn", "model.hidden=[2000000000]"], "model.hidden=[2000000000]"),
        (8 * GB, ["data=synthetic", "data.num_train=100000000"], "data.num_train=100000000"),
        (
            6 * GB,
            [
                "model=fnn",
                "data=synthetic",
                "data.num_train=600000",
                "training.global_batch_size=500000",
                "model.hidden=[9000]",
            ],
            "training.global_batch_size=500000",
        ),
    ],
)
def test_memory_that_runs_out_ends_a_run_with_a_line_and_not_in_a_hang(tmp_path, limit, arguments, key):
    off = ["parallel.memory_limit=off", "training.duration=1epoch", f"hydra.run.dir={tmp_path / 'x'}"]
    done = train_within(limit, *arguments, *off)
    assert done.returncode == 1
    assert done.stderr.startswith(f"out of memory: {key}: takes the most of at least ")
    assert "Traceback" not in done.stderr
    assert summary_of(tmp_path / "x")["error"].startswith("out of memory: ")


@pytest.mark.slow
def test_the_limit_of_the_process_is_seen():
    done = train_within(6 * GB, "data=synthetic", "data.num_train=100000000", "training.duration=1epoch")
    assert done.returncode == 2
    assert "its limit (ulimit -v) leaves this process" in done.stderr.splitlines()[0]


@pytest.mark.slow
def test_an_evaluation_has_a_limit_of_its_own(finished, tmp_path):
    refused = run("evaluate", f"run={finished}", "memory_limit=220MB", f"hydra.run.dir={tmp_path / 'a'}", check=2)
    first = refused.stderr.splitlines()[0]
    assert first.startswith("model.hidden=[4000,2500]: needs at least ")
    assert "memory_limit allows 220MB; make it smaller, or try all the same with memory_limit=off" in first
    run("evaluate", f"run={finished}", "memory_limit=1GB", f"hydra.run.dir={tmp_path / 'b'}")


@pytest.mark.slow
def test_a_job_that_cannot_fit_stops_a_sweep_or_costs_that_job_alone(tmp_path):
    arguments = ["model=fnn", "model.hidden=[8],[2000000000]", "training.duration=20steps", "report.figures=false"]
    stopped = run("train", "-m", *arguments, f"hydra.sweep.dir={tmp_path / 'x'}", check=2)
    assert stopped.stderr.startswith("model.hidden=[2000000000]: needs at least")
    assert "in job 1 of 2: model=fnn model.hidden=[2000000000]" in stopped.stderr
    assert not (tmp_path / "x").exists()
    done = run("train", "-m", "--keep-going", *arguments, f"hydra.sweep.dir={tmp_path / 'x'}", check=2)
    assert "model.hidden=[2000000000]: needs at least" in done.stderr
    assert [summary_of(folder)["status"] for folder in sorted((tmp_path / "x").glob("0_*"))] == ["completed"]
