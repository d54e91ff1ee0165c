"""`training.seeds` and `training.vary` as a person uses them."""

import csv
import io
import json

import pytest
from commands import metrics_of, run, summary_of


@pytest.mark.slow
def test_trials_leave_their_rows_and_what_they_have_in_common(tmp_path):
    folder = tmp_path / "run"
    settings = ["model=fnn", "model.hidden=[8]", "training.duration=2epochs", "data.validation=0.1", f"hydra.run.dir={folder}"]
    result = run(
        "train", *settings, "training.seeds=2", "training.vary.learning_rate=[0.001,0.01,1e30]", "optimizer=sgd", "loss=mse"
    )
    summary = summary_of(folder)
    assert summary["status"] == "completed"
    assert [row["seed"] for row in summary["trials"]] == [0, 1] * 3
    assert [row["diverged"] is None for row in summary["trials"]] == [True] * 4 + [False] * 2
    losses = [row["test_loss"] for row in summary["trials"][:4]]
    assert summary["spread"]["test_loss"]["n"] == 4
    assert summary["test"]["loss"] == pytest.approx(sum(losses) / 4)
    assert [group["learning_rate"] for group in summary["learning_rates"]] == [0.001, 0.01, 1e30]
    rows = list(csv.DictReader(io.StringIO((folder / "trials.csv").read_text())))
    assert [float(row["test_loss"]) for row in rows[:4]] == losses
    last = metrics_of(folder)[-2]
    assert last["split"] == "validation"
    assert last["loss_low"] < last["loss"] < last["loss_high"]
    assert last["trials"] == 4
    names = {path.name for path in (folder / "figures").iterdir()}
    assert {"learning_curves.png", "learning_rates.png", "confusion_matrix.png"} <= names
    for said in ("2 of 6 trials diverged", "3 learning rates × 2 seeds", "95 % interval"):
        assert said in result.stdout, said

    run("evaluate", f"run={folder}", f"hydra.run.dir={tmp_path / 'evaluation'}")
    evaluation = json.loads((tmp_path / "evaluation" / "evaluation.json").read_text())
    assert evaluation["test"] == summary["test"]
    assert [row["test_loss"] for row in evaluation["trials"]] == [row["test_loss"] for row in summary["trials"]]
    assert "stays the experiment it was" in run("train", f"resume={folder}", "training.seeds=3", check=2).stderr
