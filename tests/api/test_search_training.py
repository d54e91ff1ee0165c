from dataclasses import replace

import jax
import numpy as np
import pytest
from small_runs import TINY

import nnjax
from nnjax.api import program_reuse
from nnjax.api.search_training import TrialTrainer, without_test
from nnjax.cli.compose import compose_config
from nnjax.config.search_options import SearchConfig
from nnjax.data.dataset import Split
from nnjax.searching.study import Asked

RATE = "optimizer.learning_rate"
SPACE = (
    f"search.space=[{{key: {RATE}, low: 1e-4, high: 100, log: true}},{{key: model.dropout, low: 0, high: 0.5}},"
    "{key: model.hidden, choices: [[8],[12]]},{key: training.global_batch_size, low: 8, high: 100}]"
)


@pytest.fixture(scope="module")
def dataset(tiny):
    return nnjax.load_data(tiny())


def searched(*overrides):
    return compose_config("search", [*TINY, SPACE, *overrides], SearchConfig)


def settings(rate=0.01, dropout=0.0, hidden="[8]", batch=24):
    return {RATE: rate, "model.dropout": dropout, "model.hidden": hidden, "training.global_batch_size": batch}


def train(dataset, *asked, overrides=(), report=lambda number, evaluation, value: False):
    trainer = TrialTrainer(searched(*overrides), dataset, {})
    return dict(trainer.train([Asked(number, values) for number, values in enumerate(asked)], report))


@pytest.mark.slow
def test_a_trial_is_the_training_of_its_config(dataset, tiny):
    reports = []
    found = train(dataset, settings(0.02, hidden="[12]"), report=lambda *said: reports.append(said))[0]
    alone = nnjax.fit(tiny(f"{RATE}=0.02", "model.hidden=[12]"))
    validation = alone.metrics["validation"]
    assert (found.status, found.values) == ("completed", (1 - validation["accuracy"],))
    assert found.about["loss"] == validation["loss"]
    assert (found.about["steps"], found.about["evaluations"]) == (alone.summary["steps"], 2)
    assert found.about["parameters"] == alone.summary["num_params"]
    assert found.about["flops"] == alone.summary["forward_flops"]
    assert [said[:2] for said in reports] == [(0, 1), (0, 2)]
    assert reports[-1][2] == found.values[0]


@pytest.mark.slow
def test_trials_that_differ_in_the_learning_rate_are_trained_in_one_program_with_the_same_results(dataset):
    rates = (0.001, 0.01, 0.05)
    together = train(dataset, *(settings(rate) for rate in rates), settings(0.01, hidden="[12]"), settings(0.01))
    assert [together[number].about["together"] for number in range(5)] == [3, 3, 3, 1, 1]
    assert together[4].values == together[1].values  # equal learning rates have no place in one program
    for number, rate in enumerate(rates):
        alone = train(dataset, settings(rate))[0]
        assert together[number].values == alone.values
        assert together[number].about["loss"] == pytest.approx(alone.about["loss"], rel=1e-5)


def test_what_a_program_of_several_cannot_do_is_trained_one_by_one(dataset):
    found = train(dataset, settings(0.001), settings(0.01), overrides=("training.test=best",))
    assert [outcome.about["together"] for outcome in found.values()] == [1, 1]


@pytest.mark.slow
def test_each_setting_is_the_mean_over_its_seeds(dataset):
    several = train(dataset, settings(0.01), settings(0.02), overrides=("training.seeds=2",))
    for number, rate in enumerate((0.01, 0.02)):
        seeds = [train(dataset, settings(rate), overrides=(f"seed={seed}",))[0].values[0] for seed in (0, 1)]
        assert several[number].values[0] == pytest.approx(np.mean(seeds))


def test_the_test_split_is_not_there(dataset):
    assert len(without_test(dataset).test) == without_test(dataset).spec.num_test == 0
    poisoned = replace(dataset, test=Split(255 - dataset.test.inputs, 9 - dataset.test.targets))
    assert train(dataset, settings())[0].values == train(poisoned, settings())[0].values


@pytest.mark.slow
def test_a_trial_that_is_pruned_ends_and_one_beside_it_does_not(dataset):
    overrides = ("training.duration=4epochs",)
    found = train(dataset, settings(), overrides=overrides, report=lambda number, evaluation, value: evaluation == 2)[0]
    assert (found.status, found.reason, found.about["evaluations"]) == ("pruned", "worse than others at evaluation 2", 2)
    assert found.about["steps"] == 6  # of 12
    reports = []

    def report(number, evaluation, value):
        reports.append((number, evaluation))
        return number == 0

    pair = train(dataset, settings(0.001), settings(0.01), overrides=overrides, report=report)
    assert [outcome.status for outcome in pair.values()] == ["pruned", "completed"]
    assert reports == [(0, 1), *((1, evaluation) for evaluation in range(1, 5))]
    assert pair[1].values == train(dataset, settings(0.01), overrides=overrides)[0].values


def test_a_trial_is_not_pruned_at_its_end(dataset):
    found = train(dataset, settings(), report=lambda number, evaluation, value: evaluation == 2)[0]
    assert found.status == "completed"


@pytest.mark.slow
def test_a_trial_that_diverges_is_said_to(dataset):
    overrides = ("optimizer=sgd", "optimizer.momentum=0", "optimizer.nesterov=false", "activation=identity", "loss=mse")
    overrides = (*overrides, "search.objectives=[loss]", "model.output_activation=identity")
    found = train(dataset, settings(100.0), overrides=overrides)[0]
    assert found.status == "diverged"
    assert "loss" in found.reason
    assert "\n" not in found.reason
    pair = train(dataset, settings(100.0), settings(0.001), overrides=overrides)
    assert [outcome.status for outcome in pair.values()] == ["diverged", "completed"]


def test_values_that_do_not_go_together_are_refused_and_the_next_trial_is_trained(dataset):
    found = train(dataset, settings(batch=100), settings())
    assert (found[0].status, found[1].status) == ("refused", "completed")
    assert found[0].reason.startswith("data.limit_train=80: leaves 72 examples to train on, less than one batch")


def test_the_best_evaluation_counts_where_the_best_would_be_tested(dataset):
    metrics = []
    overrides = ("training.test=best", "training.duration=6epochs", "search.objectives=[loss]", "schedule=constant")
    found = train(dataset, settings(0.3), overrides=overrides, report=lambda number, evaluation, value: metrics.append(value))[
        0
    ]
    assert found.values == (min(metrics),)


@pytest.mark.slow
def test_what_jax_keeps_of_earlier_trials_is_freed(dataset, monkeypatch):
    monkeypatch.setattr(program_reuse, "MOST", 2)
    monkeypatch.setattr(program_reuse, "_trainings", [0])
    trainer = TrialTrainer(searched(), dataset, {})
    live = []
    for number in range(6):
        list(trainer.train([Asked(number, settings(0.01 + number / 1000))], lambda *said: False))
        live.append(len(jax.live_arrays()))
    assert live[5] <= live[1]


def test_facts_may_be_objectives(dataset):
    overrides = ("search.objectives=[error,parameters,flops,seconds]", "search.pruner=none")
    found = train(dataset, settings(), overrides=overrides)[0]
    assert found.values[1:] == (found.about["parameters"], found.about["flops"], found.about["seconds"])
    assert found.values[3] > 0
