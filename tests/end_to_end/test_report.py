"""`experiments.report`: pages of runs, sweeps and comparisons, and what is refused."""

import shutil

import pytest
from commands import run

from nnjax.cli.sweep_results import JobResult, write_outcome

TINY = ("model=fnn", "model.hidden=[8]", "data.limit_train=80", "data.limit_test=30", "training.global_batch_size=24")
WORDS = (*TINY, "training.duration=1epoch", "parallel.devices=1", "report.figures=false")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An old run (without parts), a sweep of two widths and two seeds, and a run on other test data."""
    folder = tmp_path_factory.mktemp("report")
    run("train", *WORDS, f"hydra.run.dir={folder / 'run'}")
    run("train", *WORDS, "data.limit_test=20", f"hydra.run.dir={folder / 'other'}")
    run(
        "train",
        "-m",
        *(word for word in WORDS if "hidden" not in word),
        "model.hidden=[4],[8]",
        "seed=0,1",
        f"hydra.sweep.dir={folder / 'sweep'}",
    )
    return folder


def report(folder, *words, check=0):
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    done = run("report", *words, f"hydra.run.dir={out}", check=check)
    page = out / "report.html"
    return done, page.read_text(encoding="utf-8") if page.exists() else ""


@pytest.mark.slow
def test_a_run_without_parts_is_tested_again(folder):
    done, text = report(folder, f"run={folder / 'run'}")
    assert f"Written to {folder / 'out' / 'report.html'}" in done.stdout
    for title in ("Confusion matrix", "Worst mistakes", "First layer", "Layers"):
        assert f">{title}</h2>" in text
    assert not list((folder / "run").glob("report.*"))  # the run's folder stays as it was


@pytest.mark.slow
def test_without_a_test_the_page_has_what_the_folder_holds(folder):
    _, text = report(folder, f"run={folder / 'run'}", "measure=false")
    assert "Confusion matrix" not in text
    assert "Learning curves" in text
    assert "The run has no report.json" in text


@pytest.mark.slow
def test_a_checkpoint_that_is_gone_is_said(folder, tmp_path):
    copy = shutil.copytree(folder / "run", tmp_path / "run")
    shutil.rmtree(copy / "checkpoints")
    done, text = report(folder, f"run={copy}")
    assert "not tested again, so the page has fewer parts" in done.stdout + done.stderr
    assert "Learning curves" in text
    report(folder, f"run={copy}", "measure=true", check=3)


@pytest.mark.slow
def test_a_sweep_is_one_page(folder):
    _, text = report(folder, f"sweep={folder / 'sweep'}")
    assert "4 runs, 2 different settings" in text
    assert "4 of 4 completed" in text
    for title in ("Results", "Larger than the noise?", "Learning curves", "All runs", "The same in all"):
        assert f">{title}</h2>" in text
    assert text.count("<td>completed</td>") == 4
    assert "<script" not in text


def test_a_job_that_never_became_a_run_is_named(folder, tmp_path):
    sweep = shutil.copytree(folder / "sweep", tmp_path / "sweep")
    lost = JobResult(4, ("model.hidden=[8]", "seed=two"), None, 2, "seed=two: must be a number", None)
    (sweep / "4_lost").mkdir()
    write_outcome(lost, sweep / "4_lost")
    _, text = report(folder, f"sweep={sweep}")
    assert "Job 4 (model.hidden=[8] seed=two): config error: seed=two: must be a number" in text
    assert "4 of 5 completed" in text


def test_a_comparison_of_different_data_is_refused_and_a_sweep_shows_it_side_by_side(folder, tmp_path):
    words = f"compare=[{folder / 'run'},{folder / 'other'}]"
    done, text = report(folder, words, check=2)
    assert text == ""
    assert len(done.stderr.splitlines()) <= 4
    both = tmp_path / "both"
    for name in ("run", "other"):
        shutil.copytree(folder / name, both / name)
    _, text = report(folder, f"sweep={both}")
    assert ">All runs</h2>" in text
    assert ">Larger than the noise?</h2>" not in text
    assert "Best" not in text


def test_runs_are_compared(folder):
    _, text = report(folder, f"compare=[{folder / 'run'},{folder / 'sweep'}]")
    assert ">Comparison " in text
    assert "5 runs" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "run=null: must be the folder of a run; or give sweep=FOLDER, or compare=[A,B]"),
        (("run={folder}/run", "sweep={folder}/sweep"), "sweep={folder}/sweep: run= is given, too"),
        (("sweep={folder}/nothing",), "sweep={folder}/nothing: "),
        (("compare=[{folder}/nothing]",), "compare={folder}/nothing: "),
        (("run={folder}/nothing",), "run={folder}/nothing: "),
    ],
)
def test_a_mistake_is_one_line(folder, words, said):
    done, _ = report(folder, *(word.format(folder=folder) for word in words), check=2)
    assert done.stderr.startswith(said.format(folder=folder))
    assert "Traceback" not in done.stderr


def test_the_help_has_examples():
    said = run("report", "--help").stdout
    assert said.startswith("Writes a report to send, one HTML file: python -m experiments.report run=FOLDER")
    assert "compare=[" in said


def test_a_run_that_could_not_begin_has_no_page_to_send(tmp_path):
    folder = tmp_path / "run"
    refused = run("train", "data=mnist", f"hydra.run.dir={folder}", check=3, TFDS_DATA_DIR=str(tmp_path / "none"))
    assert "python -m experiments.prepare data=mnist" in refused.stderr
    assert f"A page about the failed run: {folder / 'report.html'}" in refused.stdout
    assert "A page to send" not in refused.stdout
