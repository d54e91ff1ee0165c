"""The page of several runs, from records that no training made."""

from dataclasses import replace
from pathlib import Path

import pytest

from nnjax.api.runs_report import runs_page
from nnjax.config.errors import ConfigError
from nnjax.records.record import RunRecord
from nnjax.reporting.metrics import MetricWriter
from nnjax.reporting.page_blocks import Table
from nnjax.reporting.report_page import MOST_BYTES, write_page


def record(number, accuracy=0.9, *, seed=0, hidden=8, status="completed", data_hash="sha256:b7"):
    config = {
        "seed": seed,
        "model": {"name": "fnn", "hidden": [hidden]},
        "data": {"name": "digits"},
        "loss": {"name": "cross_entropy"},
    }
    summary = {"status": status, "test_examples": 300, "data_hash": data_hash, "test_hash": data_hash}
    if status == "completed":
        summary |= {"test": {"loss": 1 - accuracy, "accuracy": accuracy}, "validation": {"accuracy": accuracy}}
    else:
        summary |= {"error": "the training loss became inf\nat once"}
    name = f"{number}_model.hidden-{hidden}_seed-{seed}"
    return RunRecord(Path("/nowhere", name), name, status, config, summary, data_hash, (seed,), (), (), None, 2.0)


def tables(page):
    return {section.title: [block for block in section.blocks if isinstance(block, Table)] for section in page.sections}


def test_seeds_are_one_row_and_the_best_setting_is_first():
    records = [
        record(n, 0.9 + 0.001 * n + (0.05 + 0.0005 * n) * (n >= 3), seed=n % 3, hidden=8 if n < 3 else 32) for n in range(6)
    ]
    page = runs_page("Sweep", records, refuse=False)
    (results,) = tables(page)["Results"]
    assert [row[:5] for row in results.rows] == [
        ("B ★", "[32]", "3", "95.60%", "95.23% to 95.97%"),
        ("A", "[8]", "3", "90.10%", "89.85% to 90.35%"),
    ]
    (pair,) = tables(page)["Larger than the noise?"][0].rows
    assert pair[:3] == ("A: hidden=[8] against B: hidden=[32]", "worse, beyond the noise", "−5.50 pp")
    assert page.headlines[0].value == "95.60%"
    assert page.status == ("6 of 6 completed", True)


def test_settings_that_tie_share_the_star_unless_all_do():
    page = runs_page("Sweep", [record(0, 0.8, hidden=4), record(1, hidden=8), record(2, hidden=16)], refuse=False)
    assert [row[0] for row in tables(page)["Results"][0].rows] == ["B ★", "C ★", "A"]
    assert (page.headlines[0].value, page.headlines[0].below) == ("90.00%", "B, C")
    page = runs_page("Sweep", [record(1, hidden=8), record(2, hidden=16)], refuse=False)
    assert [row[0] for row in tables(page)["Results"][0].rows] == ["A", "B"]


def test_a_run_that_diverged_and_a_job_that_was_none_are_named():
    records = [record(0), record(1, seed=1), record(2, hidden=32, status="diverged")]
    page = runs_page("Sweep", records, refuse=False, unbegun=["Job 3 (seed=two): config error"])
    assert page.status == ("2 of 4 completed", False)
    (runs,) = tables(page)["All runs"]
    assert runs.rows[2][runs.heads.index("Reason")] == "the training loss became inf"
    notes = next(section for section in page.sections if section.title == "To know")
    assert notes.blocks[0].text == "Job 3 (seed=two): config error"


def test_different_data_is_refused_or_shown_side_by_side():
    records = [record(0), record(1, 0.95, hidden=32, data_hash="sha256:ff")]
    with pytest.raises(ConfigError):
        runs_page("Comparison", records, refuse=True)
    page = runs_page("Sweep", records, refuse=False)
    assert "Larger than the noise?" not in tables(page)
    assert not any(headline.name.startswith("best") for headline in page.headlines)
    assert [row[0] for row in tables(page)["Results"][0].rows] == ["A", "B"]


def test_a_sweep_without_a_result_is_a_page_all_the_same():
    page = runs_page("Sweep", [record(n, seed=n, status="failed") for n in range(2)], refuse=False)
    assert page.status == ("0 of 2 completed", False)
    assert "All runs" in tables(page)


def test_a_sweeps_command_is_on_its_page():
    page = runs_page("Sweep", [record(0)], refuse=False, command="python -m experiments.train -m seed=0,1")
    assert page.sections[-1].blocks[0].text == "python -m experiments.train -m seed=0,1"
    assert page.subtitle == "1 run, 1 different setting"


def test_the_curves_are_those_of_the_best_settings(tmp_path):
    records = []
    for n in range(14):
        folder = tmp_path / str(n)
        with MetricWriter(folder) as writer:
            writer.write(step=1, epoch=1.0, split="train", metrics={"loss": 1.0}, seconds=1.0)
        records.append(replace(record(n, 0.5 + 0.01 * n, hidden=n + 1), folder=folder))
    page = runs_page("Sweep", records, refuse=False)
    curves = next(section for section in page.sections if section.title == "Learning curves")
    names = curves.blocks[0].numbers.heads[1:]
    assert [name.partition(":")[0] for name in names] == list("NMLKJIHGFEDC")
    assert curves.blocks[-1].text == "The best 12 of 14 settings."


def several_rates(folder, rates=(0.00001, 0.01)):
    """A run of two seeds with each of some learning rates, and its curves, which are means over all."""
    with MetricWriter(folder) as writer:
        for step in (1, 2):
            writer.write(step=step, epoch=step / 2, split="validation", metrics={"accuracy": 0.2 * step}, seconds=1.0)
    plain = record(0)
    trials = [
        {"trial": 2 * n + seed, "seed": seed, "learning_rate": rate, "diverged": None, "test_accuracy": n / 2 + seed / 9}
        for n, rate in enumerate(rates)
        for seed in (0, 1)
    ]
    config = plain.config | {"optimizer": {"learning_rate": 0.001}, "training": {"vary": {"learning_rate": list(rates)}}}
    return replace(plain, folder=folder, name="many", config=config, summary=plain.summary | {"trials": trials})


def test_learning_rates_of_one_run_have_no_line_and_the_page_says_why(tmp_path):
    page = runs_page("Comparison", [several_rates(tmp_path)], refuse=True)
    (note,) = next(section.blocks for section in page.sections if section.title == "Learning curves")
    assert note.text.startswith("B, A: without learning curves; their runs have trials in several groups")
    (runs,) = tables(page)["All runs"]
    assert list(runs.rows[0][:2]) == ["many", "A, B"]
    (shared,) = tables(page)["The same in all"]
    assert "optimizer.learning_rate" not in [key for key, _ in shared.rows]


def test_a_rate_that_all_runs_were_trained_with_is_shared_and_has_its_line(tmp_path):
    page = runs_page("Comparison", [several_rates(tmp_path, rates=(0.3,))], refuse=True)
    chart, *notes = next(section.blocks for section in page.sections if section.title == "Learning curves")
    assert len(chart.numbers.heads) == 2
    assert notes == []
    (shared,) = tables(page)["The same in all"]
    assert ("optimizer.learning_rate", "0.3") in shared.rows


def test_a_setting_that_is_off_is_shared_with_its_value():
    runs = [record(n) for n in range(2)]
    planned = {"duration": "3epochs", "planned": "3epochs"}
    page = runs_page("Comparison", [replace(run, config=run.config | {"training": planned}) for run in runs], refuse=True)
    (shared,) = tables(page)["The same in all"]
    assert ("training.planned", "3epochs") in shared.rows


@pytest.mark.slow
def test_a_thousand_jobs_stay_below_a_megabyte(tmp_path):
    records = [record(n, 0.5 + 0.0004 * n, hidden=n + 1) for n in range(1000)]
    write_page(tmp_path / "page.html", runs_page("Sweep", records, refuse=False))
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert len(text.encode()) < MOST_BYTES
    assert "the best 300 of 1000" in text
    assert "300 of 1000 runs" in text
