"""Trainings with fake trackers, each in a process of its own, as the real ones are."""

import signal
import threading
from dataclasses import replace

import jax
import numpy as np
import pytest
from fake_trackers import calls_of

import nnjax
from nnjax.api import tracked_run
from nnjax.api.parity import shortened
from nnjax.api.tracked_run import chosen, group_of
from nnjax.checks import tracking_checks
from nnjax.config.run_identity import read_run_id
from nnjax.reporting.metrics import read_metrics
from nnjax.reporting.run_summary import read_summary

PLAIN = ("report.figures=false", "report.page=false", "report.tensorboard=off", "report.trackers=[wandb]")


@pytest.fixture
def fakes(monkeypatch):
    """Puts fakes in the place of Weights & Biases and MLflow."""
    monkeypatch.setattr(tracking_checks, "find_spec", lambda name: "here")
    targets = dict.fromkeys(("wandb", "mlflow", "trackio"), "fake_trackers:Recording")
    monkeypatch.setattr(tracked_run, "TRACKERS", targets)
    return targets


def kinds_of(store):
    return [call[0] for call in calls_of(store)]


@pytest.mark.slow
def test_config_metrics_figures_checkpoints_and_status_reach_each_tracker(tiny, fakes, tmp_path, capsys):
    run, both = tmp_path / "run", ("report.trackers=[wandb,mlflow]", "report.tensorboard=off")
    threads = threading.active_count()
    nnjax.fit(tiny(*both), run, progress=True)
    assert threading.active_count() == threads
    calls = calls_of(run / "wandb")
    assert calls == calls_of(run / "mlflow")
    ((_, name, group, run_id, resume_step, config),) = (call for call in calls if call[0] == "start")
    assert (name, group, run_id, resume_step) == ("run", None, read_run_id(run), None)
    assert (config["model.name"], config["model.hidden"], config["training.seeds"]) == ("fnn", "[8]", 1)
    assert "resume" not in config
    logged = [
        (step, name, value)
        for _, step, metrics in (call for call in calls if call[0] == "log")
        for name, value in metrics.items()
    ]
    expected = []
    for record in read_metrics(run):
        about = {"step", "epoch", "split", "seconds"}
        expected += [(record["step"], f"{record['split']}/{key}", value) for key, value in record.items() if key not in about]
        expected += [(record["step"], "epoch", record["epoch"])] if record["split"] == "train" else []
    assert logged == [(step, name, pytest.approx(value, rel=1e-6)) for step, name, value in expected]
    assert sorted(call[1] for call in calls if call[0] == "figure") == sorted(path.name for path in (run / "figures").iterdir())
    assert ["checkpoint", "checkpoints", False] in calls
    what, status, summary = calls[-1]
    assert (what, status) == ("finish", "completed")
    assert summary["test.accuracy"] == pytest.approx(read_summary(run)["test"]["accuracy"])
    assert summary["seconds.total"] > 0
    said = capsys.readouterr().out
    assert all(f"{name}: {run / name} (open it)" in said for name in ("wandb", "mlflow"))


@pytest.mark.slow
def test_each_trial_has_its_name(tiny, fakes, tmp_path):
    nnjax.fit(tiny(*PLAIN, "training.seeds=2", "training.duration=1epochs", "report.tracking.checkpoint=copy"), tmp_path)
    calls = calls_of(tmp_path / "wandb")
    assert {key: value for key, value in calls[0][-1].items() if key.startswith("trials.")} == {
        "trials.0.seed": 0,
        "trials.0.learning_rate": calls[0][-1]["optimizer.learning_rate"],
        "trials.1.seed": 1,
        "trials.1.learning_rate": calls[0][-1]["optimizer.learning_rate"],
    }
    (test,) = (call[2] for call in calls if call[0] == "log" and "test/loss" in call[2])
    (record,) = (record for record in read_metrics(tmp_path) if record["split"] == "test")
    numbers = [test["test/loss_trial_0"], test["test/loss_trial_1"]]
    assert test["test/loss"] == pytest.approx(record["loss"]) == pytest.approx(np.mean(numbers))
    assert numbers == pytest.approx([trial["test_loss"] for trial in read_summary(tmp_path)["trials"]])
    assert ["checkpoint", "checkpoints", True] in calls


@pytest.mark.slow
def test_a_resumed_run_is_the_same_run(tiny, fakes, tmp_path, monkeypatch):
    from nnjax.training.runner import ChunkRunner

    calls = ChunkRunner.calls

    def calls_and_signal(self, *args, **kwargs):
        for call in calls(self, *args, **kwargs):
            signal.raise_signal(signal.SIGTERM)
            yield call

    with monkeypatch.context() as patch:
        patch.setattr(ChunkRunner, "calls", calls_and_signal)
        with pytest.raises(nnjax.PreemptedError):
            nnjax.fit(tiny(*PLAIN), tmp_path)
    nnjax.fit(replace(tiny(*PLAIN), resume=str(tmp_path)), tmp_path)
    found = calls_of(tmp_path / "wandb")
    (first, second), ends = ([call for call in found if call[0] == what] for what in ("start", "finish"))
    assert first[1:4] == second[1:4]
    assert (first[4], second[4]) == (None, 3)
    assert [end[1] for end in ends] == ["preempted", "completed"]


@pytest.mark.slow
def test_a_run_that_diverged_is_closed_as_diverged(tiny, fakes, tmp_path):
    with pytest.raises(nnjax.DivergedError):
        nnjax.fit(tiny(*PLAIN, "optimizer=sgd", "optimizer.learning_rate=1e30"), tmp_path)
    what, status, summary = calls_of(tmp_path / "wandb")[-1]
    assert (what, status) == ("finish", "diverged")
    assert "training loss became" in summary["error"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["Failing", "Dying", "Rude", "Missing"])
def test_a_tracker_that_fails_changes_nothing(tiny, trained, fakes, tmp_path, capsys, kind):
    fakes["wandb"] = f"fake_trackers:{kind}"
    result = nnjax.fit(tiny("report.tensorboard=off", "report.trackers=[wandb,mlflow]"), tmp_path, progress=True)
    assert result.metrics == trained.metrics
    jax.tree.map(np.testing.assert_array_equal, result.params, trained.params)
    assert result.summary["status"] == "completed"
    said = capsys.readouterr().out
    assert said.count("warning: wandb takes no more of this run: ") == 1
    assert kinds_of(tmp_path / "mlflow")[-1] == "finish"


@pytest.mark.slow
def test_a_resume_that_is_refused_reaches_no_tracker(tiny, fakes, tmp_path):
    nnjax.fit(tiny(*PLAIN), tmp_path)
    before = calls_of(tmp_path / "wandb")
    with pytest.raises(nnjax.DataError, match="holds other data"):
        nnjax.fit(replace(tiny(*PLAIN, "training.duration=3epochs", "data.limit_train=70"), resume=str(tmp_path)), tmp_path)
    assert calls_of(tmp_path / "wandb") == before


def test_a_folder_of_one_s_own_holds_the_stores_of_several_runs(tiny, fakes, tmp_path):
    shared = tmp_path / "shared"
    nnjax.fit(tiny(*PLAIN, "training.duration=1epochs", f"report.tracking.folder={shared}"), tmp_path / "run")
    assert kinds_of(shared / "wandb")[0] == "start"
    assert not (tmp_path / "run/wandb").exists()


def test_without_a_folder_no_tracker_is_started(tiny, fakes, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    nnjax.fit(tiny(*PLAIN), progress=True)
    assert not list(tmp_path.iterdir())
    assert "report.trackers: a training without a folder writes to no tracker" in capsys.readouterr().out


@pytest.mark.slow
def test_which_trackers_a_run_has(tiny, fakes, monkeypatch):
    def names(there, *overrides):
        monkeypatch.setattr(tracked_run, "find_spec", lambda name: "here" if there else None)
        return chosen(tiny(*overrides).report)

    assert names(True) == ("tensorboard",)
    assert names(False) == names(True, "report.tensorboard=off") == ()
    assert names(False, "report.tensorboard=on") == ("tensorboard",)
    assert names(True, "report.trackers=[wandb,tensorboard]") == ("wandb", "tensorboard")
    assert names(True, "report.trackers=[wandb]", "report.tensorboard=off") == ("wandb",)
    assert shortened(tiny("report.trackers=[wandb]"), 2).report.trackers == ()


def test_the_group_of_a_sweep_s_job(tmp_path):
    sweep = tmp_path / "2026-11-28" / "14-05-09"
    sweep.mkdir(parents=True)
    assert group_of(sweep / "0_seed=0") is None
    (sweep / "multirun.yaml").touch()
    assert group_of(sweep / "0_seed=0") == "2026-11-28_14-05-09"
