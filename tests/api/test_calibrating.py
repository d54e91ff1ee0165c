"""Calibration of trained networks, in their summaries and again from their checkpoints."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

import nnjax
from nnjax.api.calibrating import calibration_of
from nnjax.training.calibration import fit_temperature, mean_probabilities, reliability
from nnjax.training.evaluation import EvaluationStoppedError

NUMBERS = ("temperature", "fitted_on", "fitted_examples", "ece_before", "ece_after")


@pytest.fixture(scope="module")
def longer(tiny):
    """Trained long enough to be sure of itself."""
    return tiny("training.duration=60epochs", "data.validation=0.25", "data.limit_test=100")


@pytest.fixture(scope="module")
def result(longer):
    return nnjax.fit(longer)


def expected(probabilities, labels):
    """The expected calibration error, by NumPy alone."""
    sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    edges = np.linspace(0, 1, 16)
    parts = [(sure > low) & (sure <= high) for low, high in pairwise(edges)]
    return sum(part.mean() * abs(sure[part].mean() - right[part].mean()) for part in parts if part.any())


def test_the_summary_has_what_the_outputs_give(result):
    found, test = result.summary["calibration"], result.dataset.test
    plain = result.predict(test.inputs).astype(np.float64)
    assert found["ece_before"] == pytest.approx(expected(plain, test.targets), abs=1e-6)
    scaled = plain ** (1 / found["temperature"])
    scaled /= scaled.sum(axis=1, keepdims=True)
    assert found["ece_after"] == pytest.approx(expected(scaled, test.targets), abs=1e-6)
    assert (found["fitted_on"], found["fitted_examples"]) == ("validation", 20)
    assert [len(found["bins"]), sum(each["after"]["count"] for each in found["bins"])] == [15, 100]
    assert (found["bins"][0]["from"], found["bins"][-1]["to"]) == (0, 1)
    # the order of the classes stays, and so the accuracy
    accuracy = result.metrics["test"]["accuracy"]
    for state in ("before", "after"):
        right = sum(each[state]["count"] * (each[state]["accuracy"] or 0) for each in found["bins"])
        assert right / 100 == pytest.approx(accuracy)


def test_the_temperature_is_that_of_the_validation_split(result):
    validation = result.dataset.validation
    logarithms = np.log(result.predict(validation.inputs))
    assert result.summary["calibration"]["temperature"] == pytest.approx(
        fit_temperature(logarithms, validation.targets), rel=1e-4
    )


def test_without_a_validation_split_nothing_is_fitted(tiny):
    found = nnjax.fit(tiny("data.validation=0")).summary["calibration"]
    assert (found["temperature"], found["fitted_on"], found["fitted_examples"]) == (1.0, None, 0)
    assert found["ece_before"] == found["ece_after"]


def test_outputs_that_are_probabilities_are_calibrated_by_their_logarithms(tiny):
    result = nnjax.fit(tiny("loss=mse", "training.duration=20epochs"))
    found, test = result.summary["calibration"], result.dataset.test
    plain = result.predict(test.inputs).astype(np.float64)
    assert found["ece_before"] == pytest.approx(expected(plain, test.targets), abs=1e-6)
    assert found["temperature"] != 1
    assert 0 < found["ece_after"] < 1


def test_regression_has_none(tiny):
    result = nnjax.fit(nnjax.compose("model=two_neuron", "training.duration=3steps"))
    assert "calibration" not in result.summary


@pytest.mark.slow
def test_several_trials_have_a_temperature_each_and_answer_as_one(tiny):
    result = nnjax.fit(tiny("training.seeds=3", "parallel.devices=2"))
    found, test, validation = result.summary["calibration"], result.dataset.test, result.dataset.validation
    logarithms = np.log(result.predict(validation.inputs))
    fitted = [fit_temperature(trial, validation.targets) for trial in logarithms]
    assert found["temperature"] == pytest.approx(fitted, rel=1e-4)
    answer = mean_probabilities(np.log(result.predict(test.inputs)), found["temperature"])
    assert found["ece_after"] == pytest.approx(reliability(answer, test.targets).error, abs=1e-5)
    mean = result.predict(test.inputs).mean(axis=0)
    assert found["ece_before"] == pytest.approx(expected(mean.astype(np.float64), test.targets), abs=1e-6)


@pytest.mark.slow
def test_a_diverged_trial_has_none(tiny):
    result = nnjax.fit(tiny("training.vary.learning_rate=[1e-3,1e30]", "optimizer=sgd", "training.duration=3epochs"))
    found = result.summary["calibration"]
    assert found["temperature"][0] > 0
    assert found["temperature"][1] is None
    assert 0 <= found["ece_after"] <= 1


def test_a_signal_ends_the_evaluation_of_the_validation_split(result):
    experiment, state = result._experiment, result._on_devices
    test = experiment.evaluate(state, result.dataset.test)
    with pytest.raises(EvaluationStoppedError):
        calibration_of(experiment, state, test, SimpleNamespace(is_overdue=True))


@pytest.mark.slow
def test_an_evaluation_comes_to_the_same(longer, result, tmp_path):
    kept = nnjax.fit(longer, run_dir=tmp_path)
    again = nnjax.load_run(tmp_path)
    experiment, state = again._experiment, again._on_devices
    found = calibration_of(experiment, state, experiment.evaluate(state, again.dataset.test))
    assert found == kept.summary["calibration"] == result.summary["calibration"]
    assert again.summary["calibration"] == found


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "fitted"), [(1e9, False), (1e-7, True)])
def test_the_errors_are_of_the_trials_that_answer(tiny, rate, fitted):
    """Not of diverged ones, whose parameters stay finite, and of one learning rate, as in a prediction."""
    words = ("loss=mse", "optimizer=sgd", "training.seeds=2", f"training.vary.learning_rate=[0.1,{rate}]")
    result = nnjax.fit(tiny(*words, "data.validation=0.2"))
    found, test = result.summary["calibration"], result.dataset.test
    assert found["trials"] == [0, 1]
    assert [each is not None for each in found["temperature"]] == [True, True, fitted, fitted]
    mean = result.predict(test.inputs)[:2].mean(axis=0)
    assert found["ece_before"] == pytest.approx(expected(mean.astype(np.float64), test.targets), abs=1e-6)
