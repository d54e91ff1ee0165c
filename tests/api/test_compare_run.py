"""`experiments.compare` as a person types it."""

import csv
import errno
import io
import json
import math
import os
import re
import shutil
import sys
from dataclasses import replace

import pytest
from made_runs import CONFIG, write_run

from experiments import compare as verb
from nnjax.api import compare_run
from nnjax.api.comparison_sheets import difference_text, p_text
from nnjax.cli.sweep_file import StoredJob, SweepFile, write_sweep
from nnjax.config.schema import Vary

NOISE = (0.0, 0.011, -0.008, 0.004)
OTHER = (0.002, -0.001, 0.006, -0.003)


def config(seed, hidden):
    return replace(CONFIG, seed=seed, model=replace(CONFIG.model, hidden=(hidden,)))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A sweep of two settings with four seeds each, and a run on other data."""
    folder = tmp_path_factory.mktemp("runs")
    for hidden, base, noise in ((32, 0.8, NOISE), (64, 0.9, OTHER)):
        for seed in range(4):
            write_run(
                folder / f"sweep/{hidden}_{seed}",
                accuracy=base + noise[seed],
                config=config(seed, hidden),
                test_examples=100,
                peak_rss_mb=300,
            )
    write_run(folder / "other", data_hash="other")
    return folder


@pytest.fixture
def call(runs, tmp_path, monkeypatch, capsys):
    """Runs the verb on folders of `runs`; returns the exit code, the output and the errors."""
    monkeypatch.chdir(runs)

    def called(*words):
        monkeypatch.setattr(sys, "argv", ["experiments/compare.py", *words, f"hydra.run.dir={tmp_path / 'out'}"])
        with pytest.raises(SystemExit) as ended:
            verb.main()
        return ended.value.code, *capsys.readouterr()

    return called


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_sweep_is_compared(call, tmp_path):
    code, said, complained = call("sweep")
    assert (code, complained) == (0, "")
    for part in ("hidden=[32]", "90.10%", "Differences in test accuracy", "−9.92 pp", "B is better", "paired, 4 seeds"):
        assert part in said
    assert said.count("no answers to the test examples were kept") == 1
    assert "and 6 more" in said
    assert f"Written to {tmp_path / 'out'}" in said
    table = rows(tmp_path / "out" / "comparison.csv")
    assert [(row["group"], row["networks"], row["seeds"], row["model.hidden"]) for row in table] == [
        *[("A", "4", "0 1 2 3", "[32]"), ("B", "4", "0 1 2 3", "[64]")]
    ]
    assert float(table[0]["test_accuracy"]) == pytest.approx(0.80175)
    assert float(table[0]["test_accuracy_low"]) < 0.8 < float(table[0]["test_accuracy_high"])
    assert (table[0]["num_params"], table[0]["seconds_total"]) == ("1234.0", "10.5")
    (pair,) = rows(tmp_path / "out" / "differences.csv")
    assert (pair["first"], pair["second"], pair["test"], pair["verdict"]) == ("A", "B", "paired t", "worse")
    found = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert found["pairs"][0]["p_holm"] == pytest.approx(float(pair["p_holm"]))
    assert found["order"] == ["B", "A"]
    page = (tmp_path / "out" / "comparison.html").read_text()
    curves = json.loads(page.partition('id="data">')[2].partition("</script>")[0])["curves"]
    assert len(curves) == 8 * 4
    assert curves[0]["epoch"] == [1, 2, 3]


def test_a_run_that_several_words_name_counts_once(call, tmp_path, runs):
    (tmp_path / "link").symlink_to(runs / "sweep")
    assert call("sweep", "sweep/32_*", "sweep/64_0", str(runs), str(tmp_path / "link"), "rank=false")[0] == 0
    table = rows(tmp_path / "out" / "comparison.csv")
    assert [row["networks"] for row in table if row["name"].startswith("hidden=")][:2] == ["4", "4"]
    assert len(table) == 3


def test_a_full_disk_behind_the_output_is_an_error(call, tmp_path, monkeypatch):
    class Full(io.StringIO):
        fault = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(sys, "stdout", Full())
    code, _, complained = call("sweep/32_*", "sweep/64_*", "format=csv")
    assert (code, complained.count("\n")) == (1, 1)
    assert complained.startswith("standard output: cannot be written: No space left on device; ")
    assert complained.endswith("out/comparison.csv holds the same\n")
    assert rows(tmp_path / "out" / "comparison.csv")


@pytest.mark.parametrize(
    ("form", "beginning"),
    [
        ("csv", "group,name,"),
        ("markdown", "# 2 groups of 8 networks"),
        ("latex", "% needs \\usepackage{booktabs}"),
        ("json", "{\n"),
    ],
)
def test_a_format_is_printed_alone(call, tmp_path, form, beginning):
    code, said, complained = call("sweep/32_*", "sweep/64_*", f"format={form}")
    assert code == 0
    assert said.startswith(beginning)
    assert complained.startswith("Written to ")
    files = [path.read_text() for path in (tmp_path / "out").glob("comparison.*")]
    assert said in files


def test_runs_on_other_data_are_refused_in_a_line_and_shown_without_a_rank(call):
    code, said, complained = call("sweep", "other")
    assert (code, said) == (2, "")
    assert complained.startswith("runs: tested on different data (A ")
    assert complained.count("\n") == 1


def test_runs_on_other_data_are_shown_side_by_side(call, tmp_path):
    code, said, _ = call("sweep", "other", "rank=false")
    assert code == 0
    assert "Differences" not in said
    assert rows(tmp_path / "out" / "comparison.csv")[2]["name"]
    assert not rows(tmp_path / "out" / "differences.csv")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([], "runs: missing; must be folders of runs or sweeps"),
        (["sweeep"], "runs=sweeep: "),
        (["sweep", "metric=test_acc"], "metric=test_acc: no run has it; did you mean test_accuracy?"),
        (["sweep", "against=X"], "against=X: must be auto, all, first, or the letter of a group, A to B"),
        (["sweep", "format=html"], "format=html: "),
        (["sweep", "runs=[other]"], "runs=[other]: sweep is given, too"),
    ],
)
def test_a_mistake_is_said_in_a_line(call, words, line):
    code, said, complained = call(*words)
    assert (code, said) == (2, "")
    assert complained.startswith(line)
    assert "Traceback" not in complained


def test_curves_of_a_run_whose_rates_are_groups_are_left_out(runs, call, tmp_path):
    trials = [
        {"trial": n, "seed": n % 2, "learning_rate": n // 2 + 1.0, "diverged": None, "test_loss": 0.1 * n} for n in range(4)
    ]
    training = replace(CONFIG.training, seeds=2, vary=Vary(learning_rate=(1.0, 2.0)))
    write_run(tmp_path / "many", config=replace(CONFIG, training=training), trials=trials)
    code, said, _ = call(str(tmp_path / "many"))
    assert code == 0
    assert "learning_rate=1.0" in said
    page = (tmp_path / "out" / "comparison.html").read_text()
    assert '"curves": []' in page
    assert "A, B: without learning curves" in page


def test_curves_that_are_damaged_or_too_many_are_said(runs, call, tmp_path, monkeypatch):
    shutil.copytree(runs / "sweep", tmp_path / "copy")
    with (tmp_path / "copy/32_1/metrics.jsonl").open("a") as file:
        file.write("{damaged\n{}\n")
    monkeypatch.setattr(compare_run, "MOST_LINES", 5)
    assert call(str(tmp_path / "copy"))[0] == 0
    page = (tmp_path / "out" / "comparison.html").read_text()
    assert "the page has the learning curves of the first 5 of 8 runs" in page
    assert re.search(r"learning curves: \S+metrics.jsonl: line \d+ is damaged", page)


def test_jobs_that_a_resume_trained_anew_replace_the_old_ones(call, tmp_path):
    for name in ("0_s", "0_s_2", "1_s"):
        write_run(tmp_path / "sweep" / name, config=config(int(name[0]), 32))
    jobs = tuple(StoredJob((), name) for name in ("0_s_2", "1_s"))
    write_sweep(SweepFile("train", ("seed=0,1",), (), False, jobs), tmp_path / "sweep")
    code, said, complained = call(str(tmp_path / "sweep"))
    assert code == 0
    (row,) = rows(tmp_path / "out" / "comparison.csv")
    assert row["seeds"] == "0 1"
    assert "1 run left out, since a resume of the sweep trained the same jobs anew" in " ".join((said + complained).split())


def test_numbers_for_readers():
    assert [p_text(p) for p in (0.00001, 0.0123, 0.5, math.nan)] == ["< 0.0001", "0.012", "0.50", "—"]
    assert [difference_text("test_accuracy", value) for value in (0.0042, -0.1)] == ["+0.42 pp", "−10.00 pp"]
    assert [difference_text("test_loss", value) for value in (0.00421, math.nan)] == ["+0.00421", "—"]
