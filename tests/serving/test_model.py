"""Answers are calibrated, averaged over trials, and doubted where the input is unlike the training data."""

import numpy as np
import pytest
from models import facts_of, series_facts
from PIL import Image

from nnjax.config.errors import InputError
from nnjax.serving.facts import InputFacts
from nnjax.serving.model import Model, calibrated
from nnjax.serving.preparing import prepare
from nnjax.serving.typical import fit_typical

LOGITS = np.array([[[0.0, 1.0], [3.0, 0.0]], [[0.0, 3.0], [0.0, 0.0]]], np.float32)  # [trials, n, k]


def softmax(values):
    return np.exp(values) / np.exp(values).sum(-1, keepdims=True)


def test_trials_answer_as_one_with_their_spread():
    model = Model(facts_of(num_trials=2, temperatures=(1.0, 2.0)), lambda inputs: LOGITS, None)
    expected = softmax(LOGITS / np.array([1, 2])[:, None, None])
    first, second = model.answer(np.zeros((2, 4), np.float32))
    np.testing.assert_allclose(first.probabilities, expected[:, 0].mean(0), rtol=1e-6)
    np.testing.assert_allclose(first.spread, expected[:, 0].std(0, ddof=1), rtol=1e-5)
    assert (first.label, second.label) == ("yes", "no")
    assert first.probability == pytest.approx(expected[:, 0, 1].mean())
    assert first.warnings == ()


def test_a_temperature_of_one_changes_nothing_and_a_high_one_levels():
    np.testing.assert_allclose(calibrated(LOGITS, True, (1.0, 1.0)), softmax(LOGITS), rtol=1e-6)
    assert np.abs(calibrated(LOGITS, True, (1e6, 1e6)) - 0.5).max() < 1e-5
    np.testing.assert_allclose(calibrated(np.float32([[[1000.0, -1000.0]]]), True, (1.0,)), [[[1, 0]]])


def test_outputs_that_are_no_logits_are_shares():
    outputs = np.float32([[[0.2, 0.6], [-1.0, 0.5]]])
    np.testing.assert_allclose(calibrated(outputs, False, (1.0,)), [[[0.25, 0.75], [2e-6, 1]]], rtol=1e-4)


def test_regression_answers_with_values():
    model = Model(series_facts(), lambda inputs: inputs[None, :, -1] * 2, None)
    (answer,) = model.answer(np.ones((1, 3, 1), np.float32))
    assert (answer.probabilities.tolist(), answer.spread.tolist()) == ([2.0], [0.0])
    assert answer.label is answer.probability is None


def test_no_inputs_give_no_answers():
    model = Model(facts_of(), lambda inputs: pytest.fail("called"), fit_typical(np.zeros((9, 4), np.float32)))
    assert list(model.answer(np.zeros((0, 4), np.float32))) == []
    assert list(model.answer_pictures([])) == []


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (np.zeros((1, 3), np.float32), "inputs of shape (1, 3): must be [n, 4]"),
        (np.zeros(4, np.float32), "inputs of shape (4,): must be [n, 4]"),
        (np.zeros((1, 4), np.float64), "inputs of type float64: must be float32, as the training data are stored"),
    ],
)
def test_other_inputs_are_refused(inputs, message):
    with pytest.raises(InputError) as caught:
        Model(facts_of(), lambda inputs: LOGITS, None).answer(inputs)
    assert str(caught.value) == message


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_outputs_that_are_not_finite_name_no_class(value, task):
    facts = facts_of(num_trials=2, temperatures=(1.0, 1.0), task=task)
    model = Model(facts, lambda inputs: np.full((2, 1, 2), value, np.float32), None)
    (answer,) = model.answer(np.zeros((1, 4), np.float32))
    assert answer.label is answer.probability is None
    assert answer.warnings == ("the network's outputs are no finite numbers",)


def test_unlike_inputs_are_doubted_by_the_names_of_their_values():
    random = np.random.default_rng(0)
    typical = fit_typical(random.uniform(0, 1, (500, 4)).astype(np.float32))
    facts = facts_of(inputs=InputFacts((4,), "float32", features=("a", "b", "c", "d")))
    usual, far = Model(facts, lambda inputs: np.zeros((1, len(inputs), 2)), typical).answer(
        np.float32([[0.5, 0.2, 0.7, 0.4], [0.5, 0.2, 9, 0.4]])
    )
    assert usual.warnings == ()
    assert far.warnings[0].startswith("c=9: the training data have 0.0")


def test_pictures_carry_the_doubts_of_their_preparation():
    facts = facts_of(inputs=InputFacts((28, 28, 1), "uint8", "mnist", 255.0))
    model = Model(facts, lambda inputs: np.zeros((1, len(inputs), 2)), None)
    (answer,) = model.answer_pictures([prepare(Image.new("L", (90, 90), 255), facts.inputs)])
    assert answer.warnings == ("no figure stands out from the ground: taken as an empty picture",)
