"""What a training keeps of its test."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from small_runs import SERIES

import nnjax
from experiments.evaluate import evaluate
from nnjax.api.predictions_of_run import keep_predictions, predictions_of
from nnjax.cli.compose import compose_config
from nnjax.cli.runs import write_config
from nnjax.comparing import kept_predictions
from nnjax.comparing.comparison import compare
from nnjax.comparing.groups import group_runs
from nnjax.comparing.kept_predictions import FILE, read_predictions
from nnjax.config.errors import StorageError
from nnjax.config.schema import EvaluateConfig
from nnjax.data.content_hash import hash_of_test
from nnjax.records.find import find_records


@pytest.fixture(scope="module")
def run(tiny, tmp_path_factory):
    """A training of two trials, and its folder."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    return nnjax.fit(tiny("training.seeds=2", "report.figures=false"), folder), folder


@pytest.mark.slow
def test_a_run_keeps_the_answers_that_its_accuracies_count(run):
    result, folder = run
    kept, summary = read_predictions(folder), json.loads((folder / "summary.json").read_text())
    assert kept.right.mean(axis=1).tolist() == pytest.approx([row["test_accuracy"] for row in summary["trials"]])
    np.testing.assert_array_equal(kept.targets, result.dataset.test.targets)
    assert (kept.step, kept.data_hash, kept.test_hash) == (summary["tested_step"], summary["data_hash"], summary["test_hash"])
    assert summary["test_hash"] == hash_of_test(result.dataset)
    assert kept.diverged == ()


def test_the_probabilities_are_those_of_the_network(run):
    result, folder = run
    kept, shares = read_predictions(folder), result.predict(result.dataset.test.inputs)
    assert kept.predicted.shape == shares.shape[:2] == (2, 30)
    np.testing.assert_allclose(kept.confidence, shares.max(axis=-1), atol=1e-3)
    np.testing.assert_allclose(kept.true_probability, shares[:, np.arange(30), kept.targets], atol=1e-3)
    assert kept.predicted.dtype == np.uint8


@pytest.mark.slow
def test_real_runs_are_compared_by_seed_and_on_their_answers(run, tiny, tmp_path):
    _, folder = run
    nnjax.fit(tiny("model.hidden=[32]", "training.seeds=2", "report.figures=false", "data.limit_train=70"), tmp_path / "other")
    found = compare(group_runs(find_records([str(folder), str(tmp_path / "other")])))
    assert [group.name for group in found.grouping.groups] == ["hidden=[8] limit_train=80", "hidden=[32] limit_train=70"]
    (pair,) = found.pairs
    assert (pair.test.paired, pair.test.n) == (True, (2, 2))
    first, second = found.grouping.groups
    for network in found.networks:
        seed = network.seeds[0]
        assert network.test.difference == pytest.approx(
            first.by_seed("test_accuracy")[seed] - second.by_seed("test_accuracy")[seed]
        )
    assert [network.seeds for network in found.networks] == [(0, 0), (1, 1)]
    assert not any("McNemar" in note for note in found.notes)


@pytest.mark.slow
def test_a_series_keeps_its_outputs(tmp_path):
    (tmp_path / "s.csv").write_text("a,b\n" + "".join(f"x,{n % 5 + n / 10}\n" for n in range(40)))
    config = nnjax.compose(*SERIES, f"data.file={tmp_path / 's.csv'}", "data.column=b", "data.difference=0")
    result = nnjax.fit(config, tmp_path / "run")
    kept = read_predictions(tmp_path / "run")
    assert (kept.outputs.shape, kept.targets.shape) == ((1, 3, 1), (3, 1))
    loss = np.mean((kept.outputs[0] - kept.targets) ** 2)
    assert loss == pytest.approx(result.metrics["test"]["loss"], rel=1e-4)


def test_outputs_that_are_not_finite_are_marked(trained):
    outputs, losses = np.zeros((3, 30, 10), np.float32), np.zeros((3, 30), np.float32)
    outputs[1], losses[1] = np.nan, np.nan
    own = trained._experiment
    experiment = SimpleNamespace(
        classification=True, config=own.config, dataset=own.dataset, placement=SimpleNamespace(many=True)
    )
    found = predictions_of(experiment, SimpleNamespace(outputs=outputs, losses=losses), {"tested_step": 1})
    assert found.diverged == (1,)


def test_what_cannot_be_kept_costs_the_run_nothing(run, tmp_path, monkeypatch):
    result, _ = run
    evaluation = result._measure(result.dataset.test)

    lines = []
    told = SimpleNamespace(warn=lines.append, print=lines.append)

    summary = {"tested_step": 1}
    monkeypatch.setattr(kept_predictions, "MOST_BYTES", 10)
    keep_predictions(tmp_path, result._experiment, evaluation, summary, told)
    monkeypatch.undo()

    def full(*arguments):
        raise StorageError("no space")

    monkeypatch.setattr("nnjax.api.predictions_of_run.write_predictions", full)
    keep_predictions(tmp_path, result._experiment, evaluation, summary, told)
    keep_predictions(tmp_path, result._experiment, None, summary, told)
    assert lines == ["30 test predictions of 2 trials are too many to keep", "no space"]
    assert not (tmp_path / FILE).exists()


@pytest.fixture
def older(run, tiny, tmp_path):
    """A run as versions left it that kept no answers."""
    _, folder = run
    shutil.copytree(folder, tmp_path / "older")
    (tmp_path / "older" / FILE).unlink()
    if not (tmp_path / "older/config.yaml").exists():
        write_config(tiny("training.seeds=2", "report.figures=false"), tmp_path / "older")
    change(tmp_path / "older", test_hash=None)
    return tmp_path / "older"


def change(folder, **values):
    summary = json.loads((folder / "summary.json").read_text()) | values
    kept = {key: value for key, value in summary.items() if value is not None}
    (folder / "summary.json").write_text(json.dumps(kept))


def contents(folder):
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


def evaluated(folder, out, *overrides):
    out.mkdir()
    return evaluate(compose_config("evaluate", [f"run={folder}", "figures=false", *overrides], EvaluateConfig), out)


def test_evaluating_an_earlier_run_adds_its_answers_and_changes_nothing_else(run, older, tmp_path, capsys):
    before = contents(older)
    evaluated(older, tmp_path / "out")
    after = contents(older)
    assert after.pop(older / FILE)[0] == (run[1] / FILE).read_bytes()
    assert after == before
    assert f"Added {older / FILE}" in capsys.readouterr().out
    written = contents(older)
    evaluated(older, tmp_path / "again")
    assert contents(older) == written
    assert "Added" not in capsys.readouterr().out


@pytest.mark.parametrize("split", [{"accuracy": 0.123}, {"loss": 9.0}, {"accuracy": None}])
def test_answers_that_give_other_figures_than_the_run_are_not_added(older, tmp_path, capsys, split):
    recorded = json.loads((older / "summary.json").read_text())["test"]
    change(older, test=recorded | split)
    before = contents(older)
    evaluated(older, tmp_path / "out")
    assert contents(older) == before
    assert "the test predictions are not added, since test " in capsys.readouterr().out


def test_answers_of_another_checkpoint_are_not_added(older, tmp_path):
    change(older, tested_step=1)
    before = contents(older)
    evaluated(older, tmp_path / "out", "checkpoint=last")
    assert contents(older) == before
