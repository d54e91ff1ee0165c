"""The trace's checks find mistakes, and leave out weights that they cannot judge."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from nnjax.cli.compose import compose_config
from nnjax.config.options import ELU, LeakyReLU
from nnjax.config.schema import TraceConfig
from nnjax.data.dataset_spec import dataset_spec
from nnjax.models.activations import activation, default_activation
from nnjax.textbook import checks
from nnjax.textbook.checks import by_hand, finite_differences, hand_formula, kinked_layers, optimizer_update
from nnjax.textbook.passes import passes, traced_network, weights_of
from nnjax.textbook.rows import Step, TracedLayer

NAMES = ("relu", "tanh", "sigmoid", "gelu", "silu", "softplus", "identity", "leaky_relu", "elu")
INPUTS, TARGETS = np.array([[0.2, 0.1, 0.4]]), np.array([[1.0]])


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def step_of(*overrides, inputs=INPUTS):
    """One iteration of the two neurons, adding −0.6 × gradient, and the checks' other arguments."""
    config = compose_config("trace", list(overrides), TraceConfig)
    parts = traced_network(config, dataset_spec(config.data))
    _, params, model_state = parts
    found = passes(config.loss, *parts, inputs, TARGETS)
    names = ["neuron_a", "neuron_b"]
    new = jax.tree.map(lambda w, gradient: w - 0.6 * gradient, params, found.gradients)
    step = Step(
        number=1,
        learning_rate=-0.6,
        adds=True,
        inputs=inputs,
        targets=TARGETS,
        weights=weights_of(names, params, model_state),
        passes=found,
        gradients=weights_of(names, found.gradients, {}),
        new_weights=weights_of(names, new, model_state),
        probabilities=None,
    )
    layers = [
        TracedLayer("neuron_a", config.activation, ("a",), ("x1", "x2", "x3"), True),
        TracedLayer("neuron_b", default_activation(config.model.output_activation), ("b",), ("y_a",), True),
    ]
    return step, layers, config.loss, (*parts, inputs, TARGETS, kinked_layers(layers))


def wrong_gradient(step, by=1.001):
    gradients = jax.tree.map(lambda gradient: gradient * by, step.passes.gradients)
    found = replace(step.passes, gradients=gradients)
    return replace(step, passes=found, gradients=weights_of(["neuron_a", "neuron_b"], gradients, {}))


def test_a_gradient_off_by_a_thousandth_does_not_agree():
    step, layers, loss, arguments = step_of("activation=tanh")
    assert hand_formula(layers, loss, step)["agrees"] is True
    assert finite_differences(step, loss, *arguments)["agrees"] is True
    wrong = wrong_gradient(step)
    check = hand_formula(layers, loss, wrong)
    assert check["agrees"] is False
    assert check["relative"] == pytest.approx(1e-3, rel=0.01)
    check = finite_differences(wrong, loss, *arguments)
    assert check["agrees"] is False
    assert check["relative"] == pytest.approx(1e-3, rel=0.01)


def test_a_wrong_error_term_does_not_agree():
    step, layers, loss, _ = step_of("activation=tanh")
    layer = replace(step.passes.layers[0], delta=step.passes.layers[0].delta + 1e-6)
    wrong = replace(step, passes=replace(step.passes, layers=(layer, step.passes.layers[1])))
    assert hand_formula(layers, loss, wrong)["agrees"] is False


def test_a_number_that_is_none_does_not_agree():
    step, layers, loss, _ = step_of()
    layer = replace(step.passes.layers[0], z=np.full((1, 1), np.nan))
    wrong = replace(step, passes=replace(step.passes, layers=(layer, step.passes.layers[1])))
    assert hand_formula(layers, loss, wrong)["agrees"] is False


def test_a_wrong_update_does_not_agree():
    step, *_ = step_of()
    assert optimizer_update(step)["agrees"] is True
    assert optimizer_update(replace(step, learning_rate=-0.61))["agrees"] is False
    assert optimizer_update(replace(step, adds=False))["agrees"] is False


def test_weights_at_a_kink_are_left_out_and_counted():
    step, _, loss, arguments = step_of("model.neuron_a.weights=[0,0,0]", "model.neuron_a.bias=0")
    check = finite_differences(step, loss, *arguments)
    assert check["agrees"] is True
    assert (check["compared"], check["of"]) == (2, 6)
    assert check["note"].startswith("4 left out, as a weighted sum passes the kink")


def test_where_all_are_at_a_kink_nothing_is_claimed():
    zero = (
        "model.neuron_a.weights=[0,0,0]",
        "model.neuron_a.bias=1",
        "model.neuron_b.weights=[-0.5]",
        "model.neuron_b.bias=0.5",
    )
    step, _, loss, arguments = step_of(*zero)
    check = finite_differences(step, loss, *arguments)
    assert check["agrees"] is None
    assert check["compared"] == 0


def test_a_smooth_activation_has_no_kink():
    step, _, loss, arguments = step_of("activation=tanh", "model.neuron_a.weights=[0,0,0]", "model.neuron_a.bias=0")
    assert finite_differences(step, loss, *arguments)["compared"] == 6


def test_large_inputs_and_weights_raise_no_false_alarm():
    overrides = ("activation=tanh", "model.output_activation=tanh", "model.neuron_b.weights=[30]")
    step, layers, loss, arguments = step_of(*overrides, inputs=np.array([[300.0, -150.0, 0.01]]))
    assert finite_differences(step, loss, *arguments)["agrees"] is True
    assert hand_formula(layers, loss, step)["agrees"] is True


def test_a_step_that_rounding_swallows_is_left_out_and_counted():
    step, _, loss, arguments = step_of("activation=identity", inputs=np.array([[1e-7, -2e20, 1e-5]]))
    check = finite_differences(step, loss, *arguments)
    assert np.isfinite(check["largest_difference"])
    assert check["compared"] < check["of"]
    assert "left out, as their step is too small for float64" in check["note"]


def test_of_many_weights_a_sample_is_compared_and_said_to_be_one(monkeypatch):
    monkeypatch.setattr(checks, "MAX_DIFFERENCES", 4)
    step, _, loss, arguments = step_of("activation=tanh")
    check = finite_differences(step, loss, *arguments)
    assert (check["compared"], check["of"], check["agrees"]) == (4, 6, True)
    assert check["note"] == "a sample of 4 of 6 weights"
    assert check == finite_differences(step, loss, *arguments)


@pytest.mark.slow
@pytest.mark.parametrize("config", [*map(default_activation, NAMES), LeakyReLU("leaky_relu", 0.3), ELU("elu", 1.7)], ids=str)
def test_activations_by_hand_are_those_of_jax(config):
    z = np.array([-800.0, -30.0, -2.0, -1e-9, 0.0, 1e-9, 0.5, 3.02, 40.0, 800.0])
    value, slope = by_hand(config, z)
    np.testing.assert_allclose(value, activation(config)(z), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(slope, jax.vmap(jax.grad(activation(config)))(z), rtol=1e-12, atol=1e-15)
