"""Traces of fully connected networks: correct, complete, and checked."""

from functools import cache

import jax
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnjax.checks.trace_checks import rows_of_iteration
from nnjax.cli.compose import compose_config
from nnjax.config.schema import TraceConfig
from nnjax.data.dataset_spec import dataset_spec
from nnjax.data.load import load
from nnjax.textbook.trace import trace
from nnjax.training.initial_state import create_state
from nnjax.training.losses import example_loss
from nnjax.training.optimizers import make_optimizer

BOOLEANS = st.sampled_from(["true", "false"])
ACTIVATIONS = ("relu", "tanh", "sigmoid", "gelu", "silu", "softplus", "identity", "leaky_relu", "elu")
SOFTMAX = (
    "model=neurons",
    "model.layers=[{size: 4, activation: tanh}, {size: 3, activation: identity}]",
    "data=synthetic",
    "data.task=classification",
    "data.input_shape=[2]",
    "data.outputs=3",
    "data.num_train=9",
    "data.validation=0",
    "loss=cross_entropy",
    "optimizer=sgd",
    "schedule=constant",
    "training.global_batch_size=3",
)
CASES = {
    "textbook": (),
    "mse": ("loss=mse", "activation=gelu"),
    "constant biases": ("model.learn_biases=false", "activation=sigmoid"),
    "no bias": ("model=neurons", "model.layers=[{size: 2, bias: false, activation: elu},{size: 1, activation: softplus}]"),
    "one layer": ("model=neurons", "model.layers=[{size: 1, activation: silu}]"),
    "softmax": SOFTMAX,
    "label smoothing": (*SOFTMAX, "loss.label_smoothing=0.3"),
    "class targets, squared error": (*SOFTMAX, "loss=mse"),
    "images": ("model=fnn", "model.hidden=[3]", "data=digits", "optimizer=sgd", "training.global_batch_size=1", "iterations=1"),
    "two targets": (
        "model=neurons",
        "model.layers=[{size: 3, activation: leaky_relu},{size: 2, activation: tanh}]",
        "data.inputs=[[1,2],[0.5,-1],[3,1]]",
        "data.targets=[[0.5,-0.5],[1,0],[0.2,0.1]]",
        "training.global_batch_size=2",
        "iterations=3",
    ),
}


def config_of(*overrides):
    return compose_config("trace", list(overrides), TraceConfig)


@cache
def traced(*overrides):
    config = config_of(*overrides)
    return trace(config, load(config.data, echo=lambda text: None), jax.devices()[:1])


def value(found, symbol, iteration=1, example=None):
    matches = [
        row["value"]
        for row in found["rows"]
        if row["symbol"] == symbol and row["iteration"] == iteration and example in (None, row["example"])
    ]
    assert len(matches) == 1, (symbol, matches)
    return matches[0]


# --- the chapter ---------------------------------------------------------------------------------------------------

EXACT = {
    (1, "z_a"): 0.76,
    (1, "y_a"): 0.76,
    (1, "z_b"): 0.804,
    (1, "y_b"): 0.804,
    (1, "E"): 0.019208,
    (1, "∂E/∂y_b"): -0.196,
    (1, "δ_b"): -0.196,
    (1, "∂E/∂y_a"): -0.0784,
    (1, "δ_a"): -0.0784,
    (1, "Δw_b1"): 0.089376,
    (1, "w_b1"): 0.489376,
    (2, "y_a"): 0.8169184,
    (2, "y_b"): 1.0173802589184,
}


@pytest.mark.slow
@pytest.mark.parametrize(("where", "expected"), EXACT.items(), ids=lambda item: str(item))
def test_the_chapters_numbers(where, expected):
    iteration, symbol = where
    found = [row for row in traced()["rows"] if row["iteration"] == iteration and row["symbol"] == symbol]
    assert [row["value"] for row in found] == [pytest.approx(expected, abs=1e-12)]


def test_the_chapters_new_weights_and_second_error():
    found = traced()
    after = found["iterations"][1]
    assert after["weights"] == [
        [[pytest.approx(w, abs=1e-12) for w in (0.109408, 0.204704, 0.318816)]],
        [[pytest.approx(0.489376, abs=1e-12)]],
    ]
    assert after["biases"] == [[pytest.approx(0.64704, abs=1e-12)], [pytest.approx(0.6176, abs=1e-12)]]
    assert after["loss"] == pytest.approx(1.51037e-4, rel=1e-5)
    assert round(value(found, "y_b", iteration=2), 10) == 1.0173802589


def test_delta_a_takes_the_old_weight_of_b():
    row = next(row for row in traced()["rows"] if row["quantity"] == "weighted_delta")
    assert (row["formula"], row["numbers"]) == ("w_b1 δ_b", "0.4 × (−0.196)")


def test_the_step_overshoots_and_says_so():
    (remark,) = traced()["iterations"][0]["remarks"]
    assert remark.startswith("The step overshoots: y_b goes from 0.804 to 1.0173802589, past its target 1.")
    assert traced("optimizer.learning_rate=-0.4")["iterations"][0]["remarks"] == []


def test_a_learning_rate_above_0_climbs_and_says_so():
    for iteration in traced("optimizer.learning_rate=0.6")["iterations"]:
        assert iteration["loss_after"] > iteration["loss"]
        assert iteration["remarks"][-1].endswith("steps go up the gradient with this learning rate.")


def test_adding_minus_and_subtracting_plus_is_the_same_step():
    added, subtracted = traced(), traced("optimizer=sgd", "optimizer.learning_rate=0.6")
    assert added["final"] == subtracted["final"]
    assert [i["learning_rate"] for i in subtracted["iterations"]] == [0.6, 0.6]
    row = next(row for row in subtracted["rows"] if row["symbol"] == "Δw_b1")
    assert (row["formula"], row["numbers"]) == ("−η × ∂E/∂w_b1", "−0.6 × (−0.14896)")


# --- any network ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("overrides", CASES.values(), ids=CASES)
def test_every_check_agrees(overrides):
    for check in traced(*overrides)["checks"]:
        assert check["agrees"] is True, check
        assert check["compared"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("overrides", CASES.values(), ids=CASES)
def test_an_iteration_has_the_rows_that_the_config_check_counts(overrides):
    config, found = config_of(*overrides), traced(*overrides)
    expected = rows_of_iteration(config, dataset_spec(config.data), config.training.global_batch_size)
    for number in range(1, config.iterations + 1):
        assert sum(row["iteration"] == number for row in found["rows"]) == expected


@pytest.mark.slow
@pytest.mark.parametrize("overrides", CASES.values(), ids=CASES)
def test_the_phases_come_in_order_and_no_operation_twice(overrides):
    rows = traced(*overrides)["rows"]
    phases = ["forward", "error", "backward", "adjust", "update"]
    order = [(row["iteration"], phases.index(row["phase"])) for row in rows]
    assert order == sorted(order)
    names = [(row["iteration"], row["example"], row["phase"], row["symbol"], row["quantity"]) for row in rows]
    assert len(set(names)) == len(names)


@pytest.mark.slow
@pytest.mark.parametrize("case", ["textbook", "constant biases", "softmax", "images", "two targets"])
def test_steps_as_training_does_without_shuffling(case):
    config, found = config_of(*CASES[case]), traced(*CASES[case])
    dataset = load(config.data, echo=lambda text: None)
    optimizer = make_optimizer(config.optimizer, optax.constant_schedule(1.0))
    network, state = create_state(config, dataset.spec, optimizer)
    params, opt_state, size = state.params, state.opt_state, config.training.global_batch_size

    def mean_loss(params, inputs, targets):
        outputs, _ = network.apply(params, state.model_state, inputs, train=True)
        return example_loss(config.loss, outputs, targets).mean()

    for index, iteration in enumerate(found["iterations"]):
        places = np.arange(index * size, (index + 1) * size) % len(dataset.train)
        inputs = ((dataset.train.inputs[places] - dataset.mean) / dataset.std).astype(np.float32)
        loss, grads = jax.value_and_grad(mean_loss)(params, inputs, dataset.train.targets[places])
        assert iteration["loss"] == pytest.approx(float(loss), rel=1e-4)
        updates, opt_state = optimizer.update(grads, opt_state, params)
        params = optax.apply_updates(params, updates)
    for layer, weights in zip(found["network"]["layers"], found["final"]["weights"], strict=True):
        np.testing.assert_allclose(np.transpose(weights), params[layer["name"]]["kernel"], rtol=2e-4, atol=2e-6)


@pytest.mark.slow
@settings(max_examples=4)
@given(data=st.data())
def test_random_networks_agree_with_the_formulas(data):
    sizes = data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    layers = [
        f"{{size: {size}, activation: {data.draw(st.sampled_from(ACTIVATIONS))}, bias: {data.draw(BOOLEANS)}}}"
        for size in sizes
    ]
    targets = ",".join(["0.3"] * sizes[-1])
    found = traced(
        "model=neurons",
        f"model.layers=[{','.join(layers)}]",
        f"data.inputs=[[0.2,-1.5],[{data.draw(st.floats(-3, 3)):.3f},2]]",
        f"data.targets=[[{targets}],[{targets}]]",
        f"loss={data.draw(st.sampled_from(['mse', 'half_mse']))}",
        f"seed={data.draw(st.integers(0, 5))}",
        "training.global_batch_size=2",
        "optimizer.learning_rate=-0.05",
        "iterations=1",
    )
    assert not [check for check in found["checks"] if check["agrees"] is False]


def test_a_batch_averages_the_gradients_of_its_examples():
    overrides = CASES["two targets"]
    found = traced(*overrides)
    rows = [row for row in found["rows"] if row["iteration"] == 1]
    deltas = [row["value"] for row in rows if row["symbol"] == "δ_a"]
    gradient = next(row for row in rows if row["symbol"] == "∂E/∂w_a1")
    assert gradient["value"] == pytest.approx((deltas[0] * 1 + deltas[1] * 0.5) / 2, abs=1e-14)
    assert gradient["formula"] == "mean of δ_a × x1"
    assert gradient["example"] is None
    losses = [row["value"] for row in rows if row["quantity"] == "loss"]
    assert losses[2] == found["iterations"][0]["loss"] == pytest.approx((losses[0] + losses[1]) / 2, abs=1e-14)


def test_batches_follow_the_examples_order_and_begin_again():
    examples = [example["inputs"] for example in traced(*CASES["two targets"])["examples"]]
    assert examples == [[[1, 2], [0.5, -1]], [[3, 1], [1, 2]], [[0.5, -1], [3, 1]]]


def test_biases_that_are_not_learnt_stay_and_have_no_adjustment():
    found = traced(*CASES["constant biases"])
    assert found["final"]["biases"] == [[0.6], [0.5]]
    assert not [row for row in found["rows"] if row["phase"] in ("adjust", "update") and row["input"] == 0]
    assert found["settings"]["learn_biases"] is False
    assert found["network"]["layers"][0]["has_bias"] is True


def test_softmax_shows_its_probabilities():
    rows = [row for row in traced(*SOFTMAX)["rows"] if row["iteration"] == 1 and row["example"] == 1]
    probabilities = {row["neuron"]: row["value"] for row in rows if row["quantity"] == "probability"}
    assert sum(probabilities.values()) == pytest.approx(1, abs=1e-12)
    (loss,) = [row for row in rows if row["quantity"] == "loss"]
    true = loss["formula"].removeprefix("−ln p_")
    assert loss["value"] == pytest.approx(-np.log(probabilities[true]), abs=1e-12)
    for row in rows:
        if row["quantity"] == "d_loss":
            assert row["value"] == pytest.approx(probabilities[row["neuron"]] - (row["neuron"] == true), abs=1e-12)


def test_the_schedule_sets_each_iterations_learning_rate():
    found = traced("schedule=step", "schedule.boundaries=[1steps]", "schedule.factor=0.5", "training.duration=10steps")
    assert [iteration["learning_rate"] for iteration in found["iterations"]] == [-0.6, -0.3]
    assert all(check["agrees"] for check in found["checks"])


def test_a_trace_that_diverges_ends_with_the_last_finite_iteration():
    overrides = ("activation=identity", "model.output_activation=identity", "optimizer.learning_rate=-300", "iterations=20")
    found = traced(*overrides)
    assert 1 < len(found["iterations"]) < 20
    assert found["stopped"].startswith(f"iteration {len(found['iterations']) + 1}: ")
    assert np.isfinite([row["value"] for row in found["rows"]]).all()


def test_the_precision_of_the_process_stays_as_it_was():
    traced()
    assert not jax.config.jax_enable_x64
