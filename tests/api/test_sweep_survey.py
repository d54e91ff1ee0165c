"""A sweep before its first job starts: what it costs, what cannot be built, what one program could train."""

import json
from dataclasses import replace

import pytest
from hydra.types import RunMode

from nnjax.api import run_speeds, sweep_shapes, sweep_survey
from nnjax.api.run_speeds import measured_speeds
from nnjax.api.sweep_data import DataHashes
from nnjax.api.sweep_shapes import Shapes, evaluated_shapes
from nnjax.api.sweep_survey import survey
from nnjax.checks.job_costs import Speed
from nnjax.cli.compose import compose, compose_train
from nnjax.cli.sweep_plan import plan
from nnjax.config.errors import IncompatibleError
from nnjax.config.schema import TrainConfig
from nnjax.data.content_hash import content_hash
from nnjax.data.load import load
from nnjax.reporting.run_summary import environment


def planned(*overrides, keep_going=False):
    return plan(TrainConfig, compose("train", overrides, run_mode=RunMode.MULTIRUN), print, keep_going=keep_going)


@pytest.fixture
def speeds(monkeypatch):
    monkeypatch.setattr(sweep_survey, "measured_speeds", lambda outputs: ([Speed("fnn", 1e9, 2.0, 1.5)], "by 1 earlier run"))


def test_a_table_says_what_the_jobs_cost(speeds, capsys):
    survey(planned("model=fnn", "model.hidden=[16],[32]", "seed=0,1,2", "training.duration=10steps"), keep_going=False)
    printed = capsys.readouterr().out
    rows = [line.split() for line in printed.splitlines() if "MB" in line]
    assert [row[:3] for row in rows] == [["0–2", "[16]", "1,210"], ["3–5", "[32]", "2,410"], ["all", "6", rows[2][2]]]
    assert rows[0][-2:] == ["2.0", "s"]
    assert rows[2][-2:] == ["12.0", "s"]
    assert "6 jobs checked; time one after another, by 1 earlier run, and 2.0 s to start" in printed
    words = "seed=0 training.seeds=3 trains all 3 in one program, about 2 times as fast"
    assert printed.count(words) == 2


def test_training_together_is_named_where_it_saves_time(monkeypatch, capsys):
    monkeypatch.setattr(sweep_survey, "measured_speeds", lambda outputs: ([Speed("fnn", 1e6, 0.1, 1.5)], "by 1 earlier run"))
    survey(planned("model=fnn", "seed=0,1,2"), keep_going=False)
    assert "in one program" not in capsys.readouterr().out


def test_a_network_that_cannot_be_built_stops_the_sweep(speeds, monkeypatch, capsys):
    jobs = planned("model=fnn", "seed=0,1", "model.hidden=[16],[32]")
    shapes = sweep_shapes._evaluated

    def evaluated(plan):
        return Shapes(0, 0, "model=mine: cannot be built") if plan.config.model.hidden == (32,) else shapes(plan)

    monkeypatch.setattr(sweep_shapes, "_evaluated", evaluated)
    with pytest.raises(IncompatibleError) as error:
        survey(jobs, keep_going=False)
    assert str(error.value).splitlines() == [
        "model=mine: cannot be built",
        "  in job 1 of 4: model=fnn seed=0 model.hidden=[32]",
        "  no job was started; 2 jobs have such a network",
    ]
    survey(jobs, keep_going=True)
    assert "0, 2" in capsys.readouterr().out


def test_the_error_of_a_model_s_own_code_is_one_line(monkeypatch):
    job = planned("model=fnn")[0].plan
    broken = replace(job, config=replace(job.config, model=replace(job.config.model, hidden=("x",))))
    found = sweep_shapes._evaluated(broken)
    assert found.problem.startswith("model=fnn: its network cannot be built: ")
    assert "\n" not in found.problem


def test_each_network_is_evaluated_once_and_many_in_part(monkeypatch):
    monkeypatch.setattr(sweep_shapes, "MOST_NETWORKS", 2)
    jobs = planned("model=fnn", "model.hidden=[4],[5],[6]", "seed=0,1", "optimizer.learning_rate=1e-3,1e-2")
    shapes, evaluated, networks = evaluated_shapes([job.plan for job in jobs])
    assert (evaluated, networks) == (2, 3)
    assert [found and found.num_params for found in shapes] == [64 * 4 + 4 + 50] * 4 + [64 * 5 + 5 + 60] * 4 + [None] * 4


def test_a_sweep_with_nothing_that_can_run_has_no_table(capsys):
    survey(planned("model=cnn", "data=textbook", "seed=0,1", keep_going=True), keep_going=True)
    assert capsys.readouterr().out == ""


def summary(**changes):
    seconds = {"import": 1.0, "train": 3.0, "total": 6.0}
    found = {"status": "completed", "model": "fnn", "forward_flops": 100, "examples_per_second": 50.0, "steps": 9}
    return found | {"seconds": seconds, "host": environment()["host"]} | changes


def test_the_newest_runs_of_this_machine_tell_the_speed(tmp_path, monkeypatch):
    for place, content in {
        "train/2026-01-02/a": summary(),
        "train/2026-01-01/b": summary(model="cnn"),
        "sweeps/2026-01-03/c/0": summary(model="rnn"),
        "train/2026-01-04/diverged": summary(status="diverged"),
        "train/2026-01-04/elsewhere": summary(host={"cpu": "another"}),
        "train/2026-01-04/trials": summary(trials=[{"seed": 0}]),
        "train/2026-01-04/old": summary(forward_flops=None),
        "train/2026-01-04/list": [],
    }.items():
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "summary.json").write_text(json.dumps(content))
    found, source = measured_speeds(tmp_path)
    assert found == [Speed(model, 15_000.0, 2.0, 1.0) for model in ("rnn", "fnn", "cnn")]
    assert source == "by 3 earlier runs on this machine"
    monkeypatch.setattr(run_speeds, "_MOST_RUNS", 1)
    assert measured_speeds(tmp_path)[0] == found[:1]


def test_compilation_and_evaluation_are_parts_of_the_other_time(tmp_path):
    (tmp_path / "train/2026-01-01/a").mkdir(parents=True)
    seconds = {"import": 1.0, "train": 3.0, "compile": 1.25, "eval": 0.5, "total": 6.0}
    (tmp_path / "train/2026-01-01/a/summary.json").write_text(json.dumps(summary(seconds=seconds)))
    assert measured_speeds(tmp_path)[0] == [Speed("fnn", 15_000.0, 2.0, 1.0, 1.25, 0.5)]


def test_without_a_run_the_speed_is_a_guess(tmp_path):
    found, source = measured_speeds(tmp_path)
    assert len(found) == 2  # a new program, and one that is kept on the disk
    assert all(1e8 < speed.flops_per_second < 1e14 for speed in found)
    assert found[0].compile_seconds > found[1].compile_seconds
    assert source.startswith("a first guess")


def test_data_are_read_once_for_all_jobs_that_share_them(monkeypatch):
    hashes, config = DataHashes(), compose_train(["data.limit_train=200"])
    assert hashes(config) == content_hash(load(config.data))
    monkeypatch.setattr("nnjax.data.load.load", lambda data: pytest.fail("read again"))
    assert hashes(compose_train(["data.limit_train=200", "seed=3", "model=fnn"])) == hashes(config)
