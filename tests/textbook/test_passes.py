import os

import jax
import numpy as np
import optax
import pytest

from nnjax.cli.compose import compose_config
from nnjax.config.options import PlainActivation
from nnjax.config.schema import TraceConfig
from nnjax.data.dataset_spec import dataset_spec
from nnjax.textbook.passes import batch_losses, forward, layer_activations, passes, traced_network
from nnjax.training.initial_state import build_network, create_state


def config_of(*overrides):
    return compose_config("trace", list(overrides), TraceConfig)


NETWORKS = {
    "two_neuron": (),
    "tanh": ("activation=tanh", "model.output_activation=sigmoid"),
    "constant_biases": ("model.learn_biases=false",),
    "drawn": ("model=neurons", "model.layers=[{size: 3, bias: false},{size: 2, activation: elu},{size: 1}]"),
    "fnn": ("model=fnn", "model.hidden=[5,4]", "data=digits", "optimizer=sgd", "seed=7"),
}


# Equal bits of drawn weights are those of optimised programs, which the slow tier runs.
@pytest.mark.parametrize(
    "overrides",
    [pytest.param(case, id=name, marks=[pytest.mark.slow] if name == "fnn" else []) for name, case in NETWORKS.items()],
)
def test_starts_from_the_weights_that_training_starts_from(overrides):
    config = config_of(*overrides)
    spec = dataset_spec(config.data)
    _, trained = create_state(config, spec, optax.identity())
    _, params, model_state = traced_network(config, spec)
    traced, expected = (params, model_state), (trained.params, trained.model_state)
    assert jax.tree.structure(traced) == jax.tree.structure(expected)
    for mine, theirs in zip(jax.tree.leaves(traced), jax.tree.leaves(expected), strict=True):
        assert mine.dtype == np.float64
        # Without optimisations (see conftest.py) a last bit may differ.
        np.testing.assert_allclose(np.asarray(mine, np.float32), theirs, rtol=0 if "XLA_FLAGS" in os.environ else 3e-7)


def test_given_weights_are_those_of_the_config_and_not_their_float32():
    _, params, model_state = traced_network(config := config_of("model.learn_biases=false"), dataset_spec(config.data))
    assert params["neuron_a"]["kernel"].tolist() == [[0.1], [0.2], [0.3]]
    assert model_state["neuron_a"]["bias"].tolist() == [0.6]
    assert not jax.config.jax_enable_x64  # unchanged


@pytest.mark.slow
@pytest.mark.parametrize("overrides", NETWORKS.values(), ids=NETWORKS)
def test_computes_what_the_network_computes(overrides):
    config = config_of(*overrides)
    spec = dataset_spec(config.data)
    inputs = np.random.default_rng(0).normal(size=(4, *spec.input_shape))
    with jax.enable_x64(True):
        zs, ys = forward(*traced_network(config, spec), inputs)
        assert all(value.dtype == np.float64 for value in (*zs.values(), *ys.values()))
    outputs = build_network(config, spec)(inputs.astype(np.float32))
    np.testing.assert_allclose(list(ys.values())[-1], outputs, rtol=2e-5, atol=1e-6)


def test_activations_stand_with_their_layers():
    config = config_of("model=fnn", "model.hidden=[4]", "data=digits", "optimizer=sgd", "activation=tanh")
    network = build_network(config, dataset_spec(config.data))
    assert layer_activations(network) == {"dense_1": PlainActivation("tanh"), "output": PlainActivation("identity")}


def test_error_terms_are_of_each_example_and_gradients_of_the_mean():
    config = config_of("activation=tanh")
    rng = np.random.default_rng(1)
    inputs, targets = rng.normal(size=(5, 3)), rng.normal(size=(5, 1))
    with jax.enable_x64(True):
        parts = traced_network(config, dataset_spec(config.data))
        whole = passes(config.loss, *parts, inputs, targets)
        alone = [passes(config.loss, *parts, inputs[i : i + 1], targets[i : i + 1]) for i in range(5)]
        losses, _ = batch_losses(config.loss, *parts, inputs, targets)
    np.testing.assert_allclose(whole.losses, losses, rtol=1e-14)
    for layer in range(2):
        together = np.concatenate([one.layers[layer].delta for one in alone])
        np.testing.assert_allclose(whole.layers[layer].delta, together, rtol=1e-12)
    mean = jax.tree.map(lambda *values: np.mean(values, axis=0), *(one.gradients for one in alone))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), whole.gradients, mean)
