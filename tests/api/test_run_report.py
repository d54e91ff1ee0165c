"""`report.html` of real trainings: there when it is wanted, made of the folder alone, and never in the way of a result."""

import hashlib
import json
import re
import shutil
from contextlib import nullcontext
from dataclasses import dataclass, replace

import numpy as np
import pytest
from small_runs import SERIES

import nnjax
from nnjax.api.drawing_beside import drawing_beside
from nnjax.api.run_report import leaving_report, run_facts, write_run_report
from nnjax.config.errors import DataError, DivergedError
from nnjax.reporting.console import RunConsole
from nnjax.reporting.run_summary import read_summary, write_json

PAGE = ("report.figures=false", "report.page=true")


def tree(folder):
    return {
        str(path): (path.lstat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def run(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report") / "run"
    nnjax.fit(tiny(*PAGE, "data.validation=0.2"), folder)
    return folder


def text_of(folder):
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_page_has_the_summarys_numbers(run):
    summary, text = read_summary(run), text_of(run)
    assert f"{100 * summary['test']['accuracy']:.2f}%" in text
    assert summary["data_hash"] in text
    assert summary["config_hash"] in text
    assert "for 30 test examples" in text
    assert "model.hidden=[8]" in text
    for title in (
        "Learning curves",
        "Confusion matrix",
        "Worst mistakes",
        "Calibration",
        "First layer",
        "Layers",
        "Train it again",
    ):
        assert f">{title}</h2>" in text, title
    assert str(run) not in text  # the place of the folder is nobody's business


@pytest.mark.slow
def test_the_same_page_comes_from_the_folder_alone(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run")
    shutil.rmtree(copy / "checkpoints")
    (copy / "report.html").unlink()
    write_run_report(copy, tmp_path / "again.html")
    assert (tmp_path / "again.html").read_bytes() == (run / "report.html").read_bytes()


def test_the_parts_are_those_of_the_summary(run):
    facts = run_facts(run)
    right = sum(count for true, predicted, count in facts.parts["confusion"] if true == predicted)
    assert right / 30 == pytest.approx(facts.summary["test"]["accuracy"])
    assert sum(layer["num_params"] for layer in facts.parts["layers"]) == facts.summary["num_params"]
    assert facts.parts["first_layer"]["form"] == "weight map"
    assert facts.problems == []


def test_without_figures_there_is_no_page_unless_it_is_asked_for(tiny, tmp_path):
    nnjax.fit(tiny("report.figures=false"), tmp_path / "run")
    assert not [path.name for path in (tmp_path / "run").glob("report.*")]
    assert "figures" not in read_summary(tmp_path / "run")["seconds"]


@pytest.mark.slow
def test_with_figures_there_is_one(tiny, tmp_path):
    nnjax.fit(nnjax.compose("model=two_neuron", "training.duration=2steps"), tmp_path / "run")
    assert ">Weights</h2>" in text_of(tmp_path / "run")
    assert (tmp_path / "run/figures/weights.png").exists()


@pytest.mark.slow
def test_a_run_that_diverged_leaves_one(tiny, tmp_path):
    words = ("optimizer=sgd", "loss=mse", "optimizer.learning_rate=1e9", "training.evaluate_every=1step")
    with pytest.raises(DivergedError):
        nnjax.fit(tiny(*PAGE, *words), tmp_path / "run")
    text = text_of(tmp_path / "run")
    assert "It diverged" in text
    assert ">Layers</h2>" in text
    assert "Missing here" not in text


@pytest.mark.slow
def test_a_series_and_several_trials(tmp_path):
    file = tmp_path / "sales.csv"
    rows = "\n".join(f"{2000 + n // 12}-{n % 12 + 1:02},{100 + n + 10 * (n % 12)}" for n in range(40))
    file.write_text(f"month,sales\n{rows}\n")
    words = [word for word in SERIES if not word.startswith("report.")]
    nnjax.fit(nnjax.compose(*words, *PAGE, f"data.file='{file}'", "training.seeds=3"), tmp_path / "run")
    text = text_of(tmp_path / "run")
    assert "3 trials, trained together" in text
    assert "3 values forecast from 2003-02 on" in text
    assert "mean of 3 trials" in text
    assert "Of one of the 3 trials: trial 0, seed 0." in text
    assert "data.file=" in text.partition(">Train it again</h2>")[2]


def test_a_refused_resume_leaves_the_page_as_it_is(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run")
    for path in (copy / "checkpoints").rglob("*"):
        if path.is_file():
            path.write_bytes(b"damaged")
    before = tree(copy)
    with pytest.raises(DataError):
        nnjax.fit(nnjax.compose(f"resume='{copy}'", "training.duration=3epochs", *PAGE), copy)
    assert tree(copy) == before


@pytest.mark.slow
def test_a_resumed_run_leaves_a_new_one(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run")
    nnjax.fit(nnjax.compose(f"resume='{copy}'", "training.duration=3epochs", *PAGE), copy)
    assert "The training ran to its end, 3 epochs." in text_of(copy)
    assert "training.duration=3epochs" in text_of(copy)
    assert "one training with these settings becomes another network" in text_of(copy)  # a cosine of another length
    assert "becomes another network" not in text_of(run)


@pytest.mark.slow
@pytest.mark.parametrize("beside", [nullcontext, lambda: drawing_beside(print)], ids=["single", "in a sweep"])
@pytest.mark.parametrize("how", ["preempted", "no ink", "not wanted"])
def test_the_page_of_an_earlier_session_does_not_outlive_its_result(run, tmp_path, monkeypatch, capsys, how, beside):
    def fail(*_):
        raise RuntimeError("no ink")

    copy = shutil.copytree(run, tmp_path / "run")
    config = nnjax.load_run(copy).config
    with beside(), RunConsole(None) as console:
        if how == "no ink":
            monkeypatch.setattr("nnjax.api.run_report.write_page", fail)
            monkeypatch.setattr("subprocess.Popen", fail)
        elif how == "not wanted":
            config = replace(config, report=replace(config.report, page=False))
        with leaving_report(config, copy, console):
            write_json(copy / "summary.json", read_summary(copy) | ({"status": how} if how == "preempted" else {}))
    assert not (copy / "report.html").exists()
    assert "A page" not in capsys.readouterr().out


@dataclass(frozen=True)
class Pairs:
    pass


@pytest.mark.slow
def test_options_that_python_code_registered_are_named(own_registry, tmp_path):
    @nnjax.register_dataset("pairs")
    def pairs(options: Pairs):
        x = np.random.default_rng(0).normal(size=(60, 2)).astype("float32")
        y = (x[:, 0] > 0).astype("int32")
        return (x[20:], y[20:]), (x[:20], y[:20])

    words = ("model=fnn", "model.hidden=[4]", "data=pairs", "training.global_batch_size=8", "training.duration=1epoch")
    nnjax.fit(nnjax.compose(*words, *PAGE), tmp_path / "run")
    text = text_of(tmp_path / "run")
    assert "data=pairs" in text
    assert "--plugin FILE" in text
    assert "Python code registered data=pairs: put it into a file, and give its name for FILE." in text


def test_a_run_that_ended_before_its_network_misses_nothing(run, tmp_path):
    """Its page lacks what no page of it could have."""
    copy = shutil.copytree(run, tmp_path / "run")
    (copy / "report.json").unlink()
    assert "it is of a version before this page" in " ".join(run_facts(copy).problems)
    write_json(copy / "summary.json", {"status": "failed", "error": "no data"})
    assert run_facts(copy).problems == []


def test_a_test_whose_parts_were_not_written_is_named(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run")
    parts = json.loads((copy / "report.json").read_text())
    write_json(copy / "report.json", {key: parts[key] for key in ("version", "layers")})
    assert "report.json lacks classes and mistakes" in run_facts(copy).problems[0]


@pytest.mark.slow
def test_a_page_that_cannot_be_made_costs_nothing_else(tiny, tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError("no ink")

    monkeypatch.setattr("nnjax.api.run_report.write_page", fail)
    monkeypatch.setattr("nnjax.api.run_report.parts_of_test", fail)
    assert nnjax.fit(tiny(*PAGE), tmp_path / "run").status == "completed"
    assert not (tmp_path / "run/report.html").exists()
    assert read_summary(tmp_path / "run")["test"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["summary.json", "metrics.jsonl", "config.yaml", "report.json"])
@pytest.mark.parametrize("content", [None, "{", "[]\n[]\n"])
def test_a_damaged_folder_is_a_page_with_fewer_parts(run, tmp_path, name, content):
    copy = shutil.copytree(run, tmp_path / "run")
    (copy / name).unlink() if content is None else (copy / name).write_text(content)
    write_run_report(copy, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    cut_off = name == "metrics.jsonl" and content == "{"  # as by a crash
    assert ("Missing here" in text) == (name in ("report.json", "config.yaml") or (content is not None and not cut_off))
    assert str(copy) not in text
    if name == "summary.json":
        assert "unfinished" in text


def test_the_config_of_a_version_without_the_key_is_read(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run")
    config = (copy / "config.yaml").read_text()
    older = re.sub(r"\n *page: true", "", config)
    assert older.count("\n") == config.count("\n") - 1
    (copy / "config.yaml").write_text(older)
    assert nnjax.load_run(copy).config.report.page == "auto"
    assert json.loads((copy / "report.json").read_text())["version"] == 1
