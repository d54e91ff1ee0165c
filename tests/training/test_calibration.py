import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnjax.training.calibration import (
    HIGHEST,
    LOWEST,
    NUM_BINS,
    fit_temperature,
    mean_probabilities,
    reliability,
    softmax,
)


def examples(count=2000, sharpness=1.0, seed=0):
    """Labels drawn with the probabilities of some logits, and these logits, `sharpness` times as large as they should be."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(count, 5)) * 2
    labels = np.array([random.choice(5, p=row) for row in softmax(logits)], np.int32)
    return (sharpness * logits).astype(np.float32), labels


def objective(temperature, logits, labels):
    """Guo et al.'s, and the term that weighs as much as an example; summed one by one."""
    total = (1 / temperature - 1) ** 2 / 2
    for row, label in zip(logits.astype(np.float64) / temperature, labels, strict=True):
        total += np.logaddexp.reduce(row) - row[label]
    return total


def expected_error(probabilities, labels):
    """Guo et al.'s equation 3, bin by bin and example by example."""
    total = 0.0
    for place in range(NUM_BINS):
        inside = [
            (max(row), int(np.argmax(row) == label))
            for row, label in zip(probabilities, labels, strict=True)
            if place / NUM_BINS < max(row) <= (place + 1) / NUM_BINS
        ]
        if inside:
            sure, right = np.mean(inside, axis=0)
            total += len(inside) / len(labels) * abs(right - sure)
    return total


@pytest.mark.parametrize("sharpness", [0.25, 1.0, 3.0])
def test_logits_that_are_too_large_get_the_temperature_that_makes_them_right(sharpness):
    logits, labels = examples(sharpness=sharpness)
    assert fit_temperature(logits, labels) == pytest.approx(sharpness, rel=0.1)


@pytest.mark.parametrize("sharpness", [0.25, 1.0, 3.0])
def test_no_other_temperature_is_better(sharpness):
    logits, labels = examples(200, sharpness)
    found = fit_temperature(logits, labels)
    best = objective(found, logits, labels)
    for factor in (0.9, 0.999, 1.001, 1.1):
        assert objective(found * factor, logits, labels) > best


def test_the_temperature_is_that_of_scipy():
    from scipy.optimize import minimize_scalar

    logits, labels = examples(300, 2.5)
    there = minimize_scalar(objective, bounds=(LOWEST, HIGHEST), args=(logits, labels), options={"xatol": 1e-8}).x
    assert fit_temperature(logits, labels) == pytest.approx(there, rel=1e-5)


def test_calibration_falls_by_the_temperature():
    logits, labels = examples(4000, 3.0)
    before, after = (reliability(softmax(logits / t), labels).error for t in (1.0, fit_temperature(logits, labels)))
    assert before > 0.15
    assert after < 0.03


def test_a_network_without_a_mistake_gets_no_extreme_temperature():
    logits = 8 * np.eye(10, dtype=np.float32)[np.arange(144) % 10]
    assert 0.4 < fit_temperature(logits, np.arange(144) % 10) < 1


def test_the_temperature_has_limits():
    logits, labels = examples(3000)
    assert fit_temperature(1e6 * logits, labels) == pytest.approx(HIGHEST, rel=1e-3)
    assert fit_temperature(0.01 * logits, labels) == pytest.approx(LOWEST, rel=1e-3)


@given(st.integers(0, 100), st.floats(LOWEST, HIGHEST))
def test_a_temperature_keeps_the_most_probable_class(seed, temperature):
    logits, _ = examples(50, 2.0, seed)
    scaled = softmax(logits / temperature)
    np.testing.assert_array_equal(scaled.argmax(axis=1), logits.argmax(axis=1))
    np.testing.assert_allclose(scaled.sum(axis=1), 1)


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
def test_the_error_is_that_of_the_definition(sharpness):
    logits, labels = examples(500, sharpness)
    probabilities = softmax(logits)
    found = reliability(probabilities, labels)
    assert found.error == pytest.approx(expected_error(probabilities, labels), abs=1e-12)
    assert len(found.bins) == NUM_BINS
    assert sum(each.count for each in found.bins) == 500
    shares = [each.count / 500 * abs(each.accuracy - each.confidence) for each in found.bins if each.count]
    assert sum(shares) == pytest.approx(found.error)
    assert all((each.count == 0) == (each.confidence is None) == (each.accuracy is None) for each in found.bins)


def test_certainty_lies_in_the_last_bin_and_an_edge_in_the_lower_one():
    last = reliability(np.array([[1.0, 0.0]]), np.array([1]))
    assert (last.error, last.bins[-1].count, last.bins[-1].accuracy) == (1.0, 1, 0.0)
    assert reliability(np.array([[0.6, 0.4]]), np.array([0])).bins[8].count == 1  # 9/15


def test_trials_answer_by_the_mean_of_their_probabilities():
    one, other = examples(20, 1.0, 1)[0], examples(20, 1.0, 2)[0]
    expected = (softmax(one / 2.0) + softmax(other / 0.5)) / 2
    np.testing.assert_allclose(mean_probabilities(np.stack([one, other]), [2.0, 0.5]), expected)
