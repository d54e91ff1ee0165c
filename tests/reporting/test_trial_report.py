"""Tables, summaries and figures of several trials."""

import csv
import io
import math
from statistics import fmean, stdev

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from nnjax.checks.trials import Trial
from nnjax.reporting.figures import learning_curves
from nnjax.reporting.figures.learning_rates import draw_learning_rates
from nnjax.reporting.metrics import MetricWriter, last_metrics
from nnjax.reporting.tables import closing_table
from nnjax.reporting.trial_results import (
    means,
    rows_of,
    seeds_make_no_difference,
    spread,
    trials_summary,
    with_spread,
    write_trials,
)
from nnjax.reporting.trial_tables import learning_rates_table, trials_table


def shown(renderable):
    console = Console(file=io.StringIO(), width=100, color_system=None)
    console.print(renderable)
    return console.file.getvalue()


def rows(rates, seeds, loss):
    trials = [Trial(seed, rate) for rate in rates for seed in range(seeds)]
    losses = [loss(trial) for trial in trials]
    splits = {"train": {"loss": losses}, "test": {"loss": losses, "accuracy": [1 / (1 + value) for value in losses]}}
    diverged = {index: 7 for index, value in enumerate(losses) if not math.isfinite(value)}
    return rows_of(trials, splits, steps=20, diverged=diverged)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30), st.sampled_from([math.nan, math.inf, None]))
def test_a_spread_is_that_of_the_trials_that_did_not_diverge(values, lost):
    found = spread(values if lost is None else [lost, *values])
    assert found.n == len(values)
    assert found.mean == pytest.approx(fmean(values), rel=1e-9, abs=1e-6)
    assert found.std == pytest.approx(stdev(values), rel=1e-6, abs=1e-6)
    assert found.high - found.mean == pytest.approx(found.mean - found.low, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(("n", "t"), [(2, 12.706), (3, 4.303), (31, 2.042)])  # printed tables of Student's t, two-sided 5 %
def test_the_interval_is_students(n, t):
    found = spread([*range(n)])
    assert (found.high - found.mean) / (found.std / math.sqrt(n)) == pytest.approx(t, abs=5e-4)


def test_the_interval_holds_the_true_mean_95_times_of_100():
    random = np.random.default_rng(0)
    found = [spread(random.normal(3.0, 2.0, 4).tolist()) for _ in range(4000)]
    assert np.mean([each.low < 3.0 < each.high for each in found]) == pytest.approx(0.95, abs=0.012)


def test_one_trial_or_none_has_no_spread():
    assert spread([0.5]).mean == 0.5
    assert math.isnan(spread([0.5, math.nan]).std)
    assert math.isnan(spread([math.nan]).mean)


def test_a_record_holds_mean_and_spread_and_is_read_back_as_means(tmp_path):
    metrics = {"loss": [1.0, 3.0, math.nan], "learning_rate": 0.1}
    with MetricWriter(tmp_path) as writer:
        writer.write(step=1, epoch=1.0, split="train", metrics=with_spread(metrics), seconds=0.0)
    assert '"loss": 2.0' in (tmp_path / "metrics.jsonl").read_text()
    assert '"trials": 2' in (tmp_path / "metrics.jsonl").read_text()
    assert last_metrics(tmp_path) == {"train": {"loss": 2.0}}
    assert means(metrics) == {"loss": 2.0, "learning_rate": 0.1}
    assert with_spread({"loss": 0.5}) == {"loss": 0.5}


def test_the_summary_groups_by_learning_rate_and_the_file_has_a_row_a_trial(tmp_path):
    made = rows([0.1, 1.0], 3, lambda trial: math.nan if trial.seed == 2 else trial.learning_rate + trial.seed)
    summary = trials_summary(made)
    assert [group["learning_rate"] for group in summary["learning_rates"]] == [0.1, 1.0]
    assert summary["learning_rates"][1]["spread"]["test_loss"]["mean"] == 1.5
    assert summary["spread"]["test_loss"]["n"] == 4
    write_trials(made, tmp_path / "trials.csv")
    read = list(csv.DictReader(io.StringIO((tmp_path / "trials.csv").read_text())))
    assert [float(row["test_loss"]) for row in read[:2]] == [0.1, 1.1]
    assert [row["diverged"] for row in read] == ["", "", "7"] * 2
    assert "learning_rates" not in trials_summary(rows([0.1], 3, lambda trial: trial.seed))


def test_a_trial_whose_test_loss_alone_is_not_finite_diverged_in_the_last_step():
    losses = {"train": {"loss": [2.0, 2.0, math.nan]}, "test": {"loss": [1.0, math.nan, math.nan], "accuracy": [0.5] * 3}}
    trials = [Trial(0, rate) for rate in (0.1, 1e38, 1e39)]
    assert [row["diverged"] for row in rows_of(trials, losses, steps=20, diverged={2: 7})] == [None, 20, 7]
    forecasts = {"forecast": {"rmse": [1.0, math.inf, 1.0]}}  # may run away from its own outputs
    assert [row["diverged"] for row in rows_of(trials, forecasts, steps=20, diverged={})] == [None, None, None]


def test_the_file_replaces_that_of_a_version_before_0_2(tmp_path):
    (tmp_path / "copies.csv").write_text("copy,seed\n0,0\n")
    write_trials(rows([0.1], 2, lambda trial: trial.seed), tmp_path / "trials.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["trials.csv"]


def test_tables_fit_a_terminal_and_name_the_best_the_worst_and_the_lost():
    few = shown(trials_table(rows([0.1], 12, lambda trial: float(trial.seed))))
    assert "in trials.csv" not in few
    many = rows([0.1, 1e10], 10, lambda trial: float(trial.seed) if trial.learning_rate < 1 else math.nan)
    text = shown(trials_table(many))
    assert "14 more in trials.csv" in text
    assert "best" in text
    assert "diverged at step 7" in text
    assert text.count("…") == 1  # only the omitted trials' row; no cell is cut
    rates = shown(learning_rates_table(trials_summary(many)["learning_rates"]))
    assert "4.5000 ± 3.0277 [2.3341, 6.6659]" in rates
    summary = {"test": {"loss": 4.5}, "data": "digits", "seed": 0, **trials_summary(many)}
    closing = shown(closing_table(summary))
    assert "loss 4.5000 ± 3.0277 [2.3341, 6.6659]" in closing
    assert "2 learning rates × 10 seeds" in closing


def test_trials_that_are_all_alike_are_noticed():
    assert seeds_make_no_difference(rows([0.1, 0.2], 2, lambda trial: trial.learning_rate))
    assert not seeds_make_no_difference(rows([0.1, 0.2], 2, lambda trial: float(trial.seed)))
    assert not seeds_make_no_difference(rows([0.1, 0.2], 1, lambda trial: 1.0))


@pytest.mark.slow
@pytest.mark.parametrize("rates", [[0.001, 0.01, 1e10], [-1.0, -0.5, -0.1], [-1.0, 0.0, 1.0]])
def test_learning_rates_are_drawn(rates, tmp_path):
    made = rows(rates, 3, lambda trial: math.nan if trial.learning_rate == max(rates) else trial.seed + 1.0)
    draw_learning_rates(made, tmp_path / "figure.png")
    first = (tmp_path / "figure.png").read_bytes()
    draw_learning_rates([{**row, "test_loss": 2 * row["test_loss"]} for row in made], tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes() != first


def test_curves_have_bands(tmp_path):
    records = [{"epoch": step, "split": "train", "loss": 1 / step} for step in range(1, 5)]
    pictures = []
    for std in (None, 0.1, 0.2):
        spread_of = {} if std is None else {"loss_std": std, "trials": 3}
        learning_curves([{**record, **spread_of} for record in records], tmp_path / "figure.png")
        pictures.append((tmp_path / "figure.png").read_bytes())
    assert len(set(pictures)) == 3
