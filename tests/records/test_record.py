"""What is read of a run's folder: whole, unfinished, running, damaged, or none at all."""

import json
import os
import time
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

import pytest
from made_runs import CONFIG, age, write_run

import nnjax
from nnjax.cli.compose import compose_train
from nnjax.cli.runs import locked, write_config
from nnjax.config.parsing import to_mapping
from nnjax.records.record import read_record, settings_of
from nnjax.records.run_curves import read_curves
from nnjax.records.run_facts import facts_of


def _hold(folder, begun, end):
    with locked(Path(folder)):
        begun.set()
        end.wait(60)


@contextmanager
def locked_elsewhere(folder):
    """Another process works in a folder."""
    context = get_context("spawn")
    begun, end = context.Event(), context.Event()
    process = context.Process(target=_hold, args=(str(folder), begun, end))
    process.start()
    try:
        assert begun.wait(60)
        yield
    finally:
        end.set()
        process.join(60)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A training of three steps, as `experiments.train` leaves it."""
    options = ("data=textbook", "model=two_neuron", "training=textbook", "training.duration=3steps", "report.figures=false")
    folder = tmp_path_factory.mktemp("trained") / "run"
    nnjax.fit(nnjax.compose(*options, "training.evaluate_every=1steps", "parallel.devices=1", "seed=7"), folder)
    return folder


def test_a_real_run_is_read_as_it_was_written(trained):
    record = read_record(trained)
    summary = json.loads((trained / "summary.json").read_text())
    assert (record.status, record.problems, record.seeds, record.name) == ("completed", (), (7,), "run")
    assert record.folder == trained
    assert record.summary == summary
    assert record.data_hash == summary["data_hash"] is not None
    assert record.seconds == summary["seconds"]["total"]
    assert record.config["training"]["duration"] == "3steps"
    assert time.time() - 600 < record.started < time.time() + 1
    assert read_curves(record).splits["train"]["step"] == (1, 2, 3)
    facts = facts_of(record)
    assert facts["test_loss"] == summary["test"]["loss"]
    assert facts["training.duration"] == "3steps"
    assert (facts["model"], facts["seed"], facts["trials"]) == ("two_neuron", 7, 1)


def test_settings_are_those_of_the_config(tmp_path):
    record = read_record(write_run(tmp_path / "run"))
    assert record.config == json.loads(json.dumps(to_mapping(CONFIG)))
    assert settings_of(record)["optimizer.learning_rate"] == CONFIG.optimizer.learning_rate
    assert settings_of(record)["model.hidden"] == list(CONFIG.model.hidden)


def test_trials_have_their_seeds(tmp_path):
    config = compose_train(["training.seeds=2", "training.vary.learning_rate=[0.1,0.2]", "seed=5"])
    assert read_record(write_run(tmp_path / "a", config=config)).seeds == (5, 6, 5, 6)
    rows = [{"trial": 0, "seed": 8, "test_loss": 0.1}, {"trial": 1, "seed": 9, "test_loss": 0.2}]
    spread = {"test_loss": {"mean": 0.15, "std": 0.05}}
    record = read_record(write_run(tmp_path / "b", config=config, trials=rows, spread=spread))
    assert record.seeds == (8, 9)
    assert record.trials == tuple(rows)
    assert facts_of(record)["test_loss_std"] == 0.05


def test_a_run_of_an_earlier_version_has_its_copies_as_trials(tmp_path):
    record = read_record(write_run(tmp_path / "run", copies=[{"copy": 0, "seed": 3}, {"copy": 1, "seed": 4}]))
    assert (record.seeds, record.trials[1]) == ((3, 4), {"trial": 1, "seed": 4})


@pytest.mark.parametrize("status", ["completed", "stopped_early", "preempted", "diverged", "failed"])
def test_the_status_is_the_summarys(tmp_path, status):
    assert read_record(write_run(tmp_path / "run", status=status)).status == status


def test_a_run_without_a_summary_is_unfinished(tmp_path):
    record = read_record(write_run(tmp_path / "run", summary=False))
    assert (record.status, record.problems, record.seconds) == ("unfinished", (), None)


def test_a_session_that_was_killed_after_a_summary_leaves_the_run_unfinished(tmp_path):
    folder = write_run(tmp_path / "run", status="preempted")
    os.utime(folder / "config.yaml")
    assert read_record(folder).status == "preempted"  # nothing was done since
    (folder / "checkpoints" / "80-0123456789abcdef.safetensors").touch()
    assert read_record(folder).status == "unfinished"


def test_a_job_that_failed_before_it_trained_says_why(tmp_path):
    folder = write_run(tmp_path / "run", summary=False)
    outcome = {"number": 0, "overrides": [], "exit_code": 2, "error": "optimizer.learning_rate=x: no", "summary": None}
    (folder / ".hydra" / "outcome.json").write_text(json.dumps(outcome))
    record = read_record(folder)
    assert (record.status, record.problems) == ("failed", ("optimizer.learning_rate=x: no",))


def test_a_run_that_another_process_holds_is_running(tmp_path):
    folder = write_run(tmp_path / "run")
    with locked_elsewhere(folder):
        assert read_record(folder).status == "running"
    assert read_record(folder).status == "completed"
    with locked(folder):  # such as a run that draws its own report
        assert read_record(folder).status == "completed"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"status": "completed"', "is damaged"),
        (b"[]", "no entries by name"),
        (b'{"status": 3}', "status must be a word"),
        (b'{"test": {"loss": "low"}}', "test must hold numbers"),
        (b"\xff\xfe", "no UTF-8"),
        (b"[" * 1000, "is damaged"),
    ],
)
def test_a_damaged_summary_is_a_line(tmp_path, content, reason):
    folder = write_run(tmp_path / "run")
    (folder / "summary.json").write_bytes(content)
    record = read_record(folder)
    assert (record.status, record.summary) == ("damaged", {})
    [line] = record.problems
    assert "summary.json: " in line
    assert reason in line
    assert record.config["seed"] == 0


def test_a_damaged_config_is_a_line_and_leaves_the_results(tmp_path):
    folder = write_run(tmp_path / "run")
    (folder / "config.yaml").write_text("model: {name: fnn\n")
    record = read_record(folder)
    assert (record.status, record.config, record.seeds) == ("completed", {}, (0,))
    assert len(record.problems) == 1
    assert facts_of(record)["test_accuracy"] == 0.9


def test_values_that_nobody_expects_are_left_out(tmp_path):
    odd = {
        "seconds": {"total": 10**400},
        "data_hash": 3,
        "seed": "x",
        "spread": [1],
        "git": "main",
        "num_params": {},
        "steps": 0,
    }
    record = read_record(write_run(tmp_path / "run", **odd))
    assert (record.seconds, record.data_hash, record.problems) == (None, None, ())
    facts = facts_of(record)
    assert not {"seconds", "data_hash", "git", "num_params"} & set(facts)


@pytest.mark.parametrize("name", ["config.yaml", "summary.json", "metrics.jsonl", "train.log", ".hydra/labels.json"])
@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_nothing_but_a_file_is_read(tmp_path, name, kind):
    folder = write_run(tmp_path / "run")
    (folder / name).unlink(missing_ok=True)
    if kind == "link":
        (folder / name).symlink_to("/dev/zero")
    elif kind == "pipe":
        os.mkfifo(folder / name)
    else:
        (folder / name).mkdir()
    record = read_record(folder)
    problems = (*record.problems, *read_curves(record).problems)
    assert len(problems) == (name != "train.log")


def test_a_folder_without_a_run_is_damaged(tmp_path):
    for folder in (tmp_path, tmp_path / "none"):
        record = read_record(folder)
        assert record.status == "damaged"
        assert record.problems


def test_the_time_of_the_start_is_that_of_the_log_else_of_the_path_else_of_the_file(tmp_path):
    folder = write_run(tmp_path / "2026-10-01" / "01-02-03_run")
    assert facts_of(read_record(folder))["started"] == "2026-11-23 14:05:09"
    (folder / "train.log").write_text("no time\n")
    assert facts_of(read_record(folder))["started"] == "2026-10-01 01:02:03"
    other = write_run(tmp_path / "run")
    (other / "train.log").unlink()
    assert read_record(other).started == (other / "config.yaml").stat().st_mtime


def test_a_damaged_line_of_the_metrics_costs_itself_alone(tmp_path):
    folder = write_run(tmp_path / "run")
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    lines[1] = '{"step": 20, "split": 3}'
    lines.insert(2, json.dumps({"step": 20, "split": "train", "loss": 0.7, "extra": None}))
    (folder / "metrics.jsonl").write_text("\n".join([*lines, '{"step": 80, "spl']))
    curves = read_curves(read_record(folder))
    assert curves.splits["train"]["loss"] == (0.7, 1 / 40, 1 / 60)  # the later record of a step counts
    assert curves.splits["validation"]["step"] == (40, 60)
    accuracy = curves.splits["train"]["accuracy"]
    assert accuracy[0] != accuracy[0]
    assert accuracy[1:] == (0.9, 0.9)
    [problem] = curves.problems
    assert problem.endswith("line 2 is damaged (no record of a step and a split)")


def test_a_run_without_metrics_has_no_curves(tmp_path):
    folder = write_run(tmp_path / "run")
    (folder / "metrics.jsonl").unlink()
    assert read_curves(read_record(folder)).splits == {}


def test_groups_are_read_as_the_whole_config_is(tmp_path):
    """The groups of a config are parsed one by one; whatever that cannot read is read as a whole."""
    folder = write_run(tmp_path / "run")
    text = (folder / "config.yaml").read_text()
    for changed in (text + "seed: 1\n", f"# a comment\n{text}", text.rstrip("\n"), text.replace("seed: 0", "seed: &x 0")):
        (folder / "config.yaml").write_text(changed)
        record = read_record(folder)
        is_right = changed.startswith("#") or not changed.endswith("\n")
        assert (record.config.get("seed") == 0, len(record.problems)) == ((True, 0) if is_right else (False, 1))
    age(folder, 1)
    write_config(CONFIG, folder)
    assert read_record(folder).problems == ()
