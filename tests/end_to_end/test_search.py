"""A search as a command: it is killed, gone on with, joined while it runs, and stopped by a signal."""

import csv
import random
import signal
import subprocess
import sys
import time

import pytest
from commands import ROOT, environment, run, start, summary_of

RATE = "optimizer.learning_rate"
SPACE = f"search.space=[{{key: {RATE}, low: 1e-3, high: 0.1, log: true}},{{key: model.dropout, low: 0, high: 0.5}}]"
SMALL = ["model=fnn", "model.hidden=[16]", "data.limit_train=400", "training.duration=8epochs", "report.figures=false", SPACE]


def rows_of(folder):
    with (folder / "search.csv").open() as file:
        return list(csv.DictReader(file))


def tried(folder, *names):
    rows = [row for row in rows_of(folder) if row["status"] != "interrupted"]
    return [tuple(row[name] for name in (names or (RATE, "model.dropout", "status", "error"))) for row in rows]


@pytest.mark.slow
def test_a_search_and_what_it_found(tmp_path):
    folder = tmp_path / "search"
    printed = run("search", *SMALL, "search.trials=3", f"hydra.run.dir={folder}").stdout
    assert "3 trials: 3 completed" in printed
    assert f"experiments.train --config-dir {folder}/found experiment=best" in printed
    run(
        "train",
        "--config-dir",
        str(folder / "found"),
        "experiment=best",
        "debug.max_steps=2",
        f"hydra.run.dir={tmp_path / 'run'}",
    )
    rate = float(min(rows_of(folder), key=lambda row: float(row["error"]))[RATE])
    assert f"learning_rate: {rate}" in (tmp_path / "run/config.yaml").read_text()
    printed = run("search", f"resume={folder}", "search.trials=4").stdout
    assert "4 trials: 4 completed" in printed
    workers = list((folder / "workers").iterdir())
    assert [row["worker"] for row in rows_of(folder)] == [".", ".", ".", f"workers/{workers[0].name}"]
    assert summary_of(folder)["status"] == "completed"


@pytest.mark.slow
def test_what_a_resume_may_not_change_is_named(tmp_path):
    folder = tmp_path / "search"
    run("search", *SMALL, "search.trials=1", f"hydra.run.dir={folder}")
    told = run("search", f"resume={folder}", "search.sampler=random", check=2).stderr
    assert told.startswith("search.sampler=random: a resumed run stays the experiment it was; it may change search.trials, ")
    assert ": no such folder" in run("search", f"resume={tmp_path / 'none'}", check=2).stderr
    run("train", "model=fnn", "debug=fast", f"hydra.run.dir={tmp_path / 'run'}")
    told = run("search", f"resume={tmp_path / 'run'}", check=2).stderr
    assert told.startswith("resume=")
    assert "holds a run, and no search (set on the command line)" in told
    assert not (tmp_path / "run/workers").exists()


def test_a_range_that_does_not_go_with_the_experiment_leaves_no_folder(tmp_path):
    space = "search.space=[{key: training.global_batch_size, low: 32, high: 5000}]"
    told = run("search", *SMALL[:-1], space, f"hydra.run.dir={tmp_path / 'search'}", check=2).stderr
    assert told.startswith("search.space.0: training.global_batch_size=5000 does not go with the experiment: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_sweep_of_searches_is_not_resumed(tmp_path):
    sweep = tmp_path / "sweep"
    short = ("training.duration=1epoch", "search.trials=1", "search.seed=1,2")
    run("search", "-m", *SMALL[:3], *SMALL[4:], *short, f"hydra.sweep.dir={sweep}")
    told = run("search", f"resume={sweep}", check=2).stderr
    assert "is a sweep, not a run; name the folder of one of its jobs" in told
    told = run("search", "-m", f"resume={sweep}", check=2).stderr
    assert "a run is resumed by itself; leave out -m (set on the command line)" in told


def test_an_experiment_of_a_search_is_not_train_s():
    told = run("train", "experiment=search_mnist_fnn", check=2).stderr
    assert told.startswith("search=mnist_fnn: is a group of another verb (set in conf/experiment/search_mnist_fnn.yaml:")


def begun(*arguments):
    command = [sys.executable, "-W", "error", "-m", "experiments.search", *arguments]
    return subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(process, text):
    """Reads lines up to one that holds a text."""
    while text not in (line := process.stdout.readline()):
        assert line, process.stderr.read()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_stops_a_search_which_then_goes_on(tmp_path, name):
    folder = tmp_path / "search"
    process = begun(*SMALL, "search.trials=200", f"hydra.run.dir={folder}")
    wait_for(process, "trial   2")
    process.send_signal(getattr(signal, name))
    _, told = process.communicate(timeout=60)
    assert process.returncode == 75
    assert told.startswith(f"{'Ctrl-C' if name == 'SIGINT' else name}: stopped; what was found is in {folder}; go on with: ")
    assert len(told.splitlines()) == 1
    assert (folder / "found/experiment/best.yaml").exists()
    start("search", f"resume={folder}", "search.trials=6")
    assert len(tried(folder)) >= 6


@pytest.mark.slow
def test_a_search_that_is_killed_again_and_again_tries_what_one_alone_does(tmp_path):
    overrides = [*SMALL, "search.trials=12", "search.startup=4"]
    start("search", *overrides, f"hydra.run.dir={tmp_path / 'whole'}")
    chance, folder, kills = random.Random(1), tmp_path / "killed", 0
    process = begun(*overrides, f"hydra.run.dir={folder}")
    wait_for(process, "trial   0")
    while process.poll() is None and kills < 6:
        time.sleep(chance.uniform(0, 2))
        process.kill()
        process.communicate()
        kills += 1
        process = begun(f"resume={folder}")
        if chance.random() < 0.7:
            wait_for(process, "trial ")
    _, told = process.communicate(timeout=300)
    assert process.returncode == 0, told
    assert tried(folder) == tried(tmp_path / "whole")
    assert summary_of(folder)["best"]["settings"] == summary_of(tmp_path / "whole")["best"]["settings"]


@pytest.mark.slow
def test_a_second_process_joins_while_the_first_runs(tmp_path):
    folder = tmp_path / "search"
    first = begun(*SMALL, "search.trials=40", "search.sampler=random", "search.pruner=none", f"hydra.run.dir={folder}")
    wait_for(first, "trial   0")
    second = begun(f"resume={folder}")
    for process in (first, second):
        _, told = process.communicate(timeout=600)
        assert process.returncode == 0, told
    rows = rows_of(folder)
    assert len(rows) == 40
    assert len(set(tried(folder, RATE))) == 40
    assert len({row["worker"] for row in rows}) == 2
    assert {row["status"] for row in rows} == {"completed"}
