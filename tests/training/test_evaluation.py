"""Evaluation counts every example once, whatever the batch size and the number of devices."""

import jax
import numpy as np
import pytest

from nnjax.cli.compose import compose_train
from nnjax.data.dataset import Split
from nnjax.data.load import load
from nnjax.parallel.placement import Placement
from nnjax.training.evaluation import Evaluator
from nnjax.training.experiment import set_up


@pytest.fixture(scope="module")
def experiment():
    sizes = [
        "data.num_train=64",
        "data.num_test=37",
        "data.input_shape=[4,4,1]",
        "data.outputs=3",
        "training.global_batch_size=8",
    ]
    config = compose_train(["data=synthetic", "model=fnn", "model.hidden=[8]", "model.normalization=batch", *sizes])
    return set_up(config, load(config.data), jax.devices()[:1])


@pytest.mark.slow
@pytest.mark.parametrize(("batch_size", "devices"), [(1, 1), (7, 1), (36, 4), (37, 1), (38, 2), (40, 8), (64, 2)])
def test_counts_every_example(experiment, batch_size, devices):
    made, state = experiment
    placement = Placement("pmap", jax.devices()[:devices])
    test = made.dataset.test
    result = Evaluator(made.recipe, placement, batch_size)(placement.put(state), test)
    x = (test.inputs - made.dataset.mean) / made.dataset.std
    outputs = np.asarray(made.recipe.network.apply(state.params, state.model_state, x, train=False)[0])
    assert result.count == 37
    assert result.accuracy == float(np.mean(np.argmax(outputs, -1) == test.targets))
    np.testing.assert_allclose(result.outputs, outputs, rtol=1e-5, atol=1e-6)
    logits = np.asarray(outputs, np.float64)
    losses = np.log(np.exp(logits).sum(1)) - logits[np.arange(37), test.targets]
    np.testing.assert_allclose(result.losses, losses, rtol=1e-5, atol=1e-6)
    assert result.loss == pytest.approx(losses.mean(), rel=1e-6)


def test_one_compiled_program_serves_splits_of_every_size(experiment):
    made, state = experiment
    placement = Placement("pmap", jax.devices()[:2])
    evaluate, state = Evaluator(made.recipe, placement, 8), placement.put(state)
    test = made.dataset.test
    whole = evaluate(state, test)
    for count in (1, 8, 9):
        part = evaluate(state, Split(test.inputs[:count], test.targets[:count]))
        np.testing.assert_array_equal(part.losses, whole.losses[:count])
