"""A sweep's best job, and sweeps without one."""

import math

import pytest

from nnjax.cli.compose import compose_train
from nnjax.reporting.best import best_of, measured_on, validated_on


def job(result=None, accuracy=None, rmse=None, **more):
    test = {"loss": result} | ({} if accuracy is None else {"accuracy": accuracy})
    forecast = None if rmse is None else {"rmse": rmse, "mae": rmse}
    return {"test": None if result is None else test, "forecast": forecast, "measured_on": "digits", "loss": "mse"} | more


def best_jobs(jobs):
    best = best_of(jobs)
    return frozenset() if best is None else best.jobs


def test_accuracy_comes_first_then_the_loss():
    assert best_jobs([job(0.1, 0.9), job(0.2, 0.95)]) == {1}
    assert best_jobs([job(0.1, 0.9), job(0.2, 0.9)]) == {0}
    assert best_jobs([job(0.3), job(0.2), job()]) == {1}
    assert best_jobs([job(0.3, rmse=2.0), job(0.4, rmse=1.0), job(0.1)]) == {1}


@pytest.mark.parametrize(
    "jobs",
    [
        [],
        [job(0.3)],
        [job(0.3), job()],
        [job(0.3), job(math.nan), job(math.inf)],
        [job(0.3), job(0.2, measured_on="mnist")],
        [job(0.3, 0.9), job(0.2, 0.8, measured_on="mnist")],
        [job(0.3, 0.9), job(0.2)],
        [job(0.3), job(0.2, loss="half_mse")],
        [job(0.3, rmse=1.0), job(0.2, rmse=2.0, measured_on="airline")],
    ],
)
def test_what_cannot_be_compared_has_no_best(jobs):
    assert best_jobs(jobs) == frozenset()


def test_accuracies_are_compared_whatever_the_loss():
    assert best_jobs([job(0.3, 0.9, loss="cross_entropy"), job(0.1, 0.8, loss="mse")]) == {0}


def test_ties_share_it_unless_all_tie():
    assert best_jobs([job(0.2, 0.9), job(0.2, 0.9), job(0.2, 0.8)]) == {0, 1}
    assert best_jobs([job(0.2, 0.9), job(0.1, 0.9, loss="other"), job(0.2, 0.8)]) == {0, 1}  # losses are not compared
    assert best_jobs([job(0.2, 0.9), job(0.2, 0.9)]) == frozenset()


def test_a_job_some_of_whose_trials_diverged_does_not_compete():
    def trials(loss, n):
        return job(loss, spread={"test_loss": {"mean": loss, "std": 0.1, "n": n}}, trials=3)

    assert best_jobs([trials(0.3, 3), trials(0.1, 2), trials(0.2, 3)]) == {2}
    assert best_jobs([trials(0.3, 3), trials(0.1, 2)]) == frozenset()
    assert best_jobs([trials(0.3, 3), job(0.2)]) == {1}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("base", "change", "same"),
    [
        ("data=digits", "data.validation=0.3", True),
        ("data=digits", "data.limit_train=100", True),
        ("data=digits", "data.normalize=false", True),
        ("data=digits", "data.limit_test=100", False),
        ("data=synthetic", "data.num_train=128", True),
        ("data=synthetic", "data.data_seed=7", False),
        ("data=synthetic", "data.noise=0.7", False),
        ("experiment=airline_rnn", "data.transform=none", True),
        ("experiment=airline_rnn", "data.window=5", True),
        ("experiment=airline_rnn", "data.holdout=12", False),
        ("experiment=textbook", "data.targets=[[0.5]]", False),
    ],
)
def test_results_are_comparable_on_the_same_test_split(base, change, same):
    assert (measured_on(compose_train([base])) == measured_on(compose_train([base, change]))) == same


def validated(loss, accuracy=None, *, test=0.5, on="digits", **more):
    results = {"loss": loss} | ({} if accuracy is None else {"accuracy": accuracy})
    return job(test, None if accuracy is None else 0.5, validation=results, validated_on=on, **more)


def test_the_validation_split_decides_before_the_test_split():
    best = best_of([validated(0.2, test=0.1), validated(0.1, test=0.2)])
    assert (best.jobs, best.split, best.metric) == ({1}, "validation", "loss")
    assert best.note() == "★ best validation loss"
    best = best_of([validated(0.2, 0.95, test=0.2), validated(0.1, 0.9, test=0.1)])
    assert (best.jobs, best.split, best.metric) == ({0}, "validation", "accuracy")
    best = best_of([validated(0.2, rmse=1.0), validated(0.1, rmse=2.0)])
    assert (best.jobs, best.split, best.metric) == ({1}, "validation", "loss")


@pytest.mark.parametrize(
    "other",
    [
        validated(0.1, test=0.2, on="digits, another share"),
        validated(0.1, test=0.2, on=None),
        validated(math.nan, test=0.2),
        validated(None, test=0.2),
        job(0.2),
        validated(0.1, test=0.2, spread={"validation_loss": {"mean": 0.1, "std": 0.0, "n": 1}}, trials=2),
    ],
)
def test_without_a_common_validation_split_the_test_split_decides_and_that_is_said(other):
    best = best_of([validated(0.2, test=0.1), other])
    assert (best.jobs, best.split, best.metric) == ({0}, "test", "loss")
    assert best.note().startswith("★ best test loss, chosen on the test split")


@pytest.mark.slow
def test_validation_results_compare_on_the_same_examples():
    def text(*words):
        return validated_on(compose_train(["model=fnn", *words]))

    assert text() == text("data.normalize=false", "data.augment.crop=1", "data.limit_test=20", "optimizer.learning_rate=1")
    assert len({text(), text("data.validation=0.2"), text("data.limit_train=500"), text("data=synthetic")}) == 4
    assert text("data.validation=0") is None
    series = ["data=airline", "data.validation=0.2"]
    assert len({text(*series), text(*series, "data.normalize=false"), text(*series, "data.window=6")}) == 3
