"""Dead neurons in a trace: told where they start or die, and only there."""

from functools import cache

import jax
import pytest

from nnjax.cli.compose import compose_config
from nnjax.config.schema import TraceConfig
from nnjax.data.load import load
from nnjax.reporting.closing_texts import dead_neurons_text
from nnjax.textbook.trace import trace

ONE = ["model=neurons", "model.layers=[{size:1,weights:[[1]],biases:[-2]}]", "data.inputs=[[1],[3]]", "data.targets=[[0],[0]]"]


@cache
def traced(*overrides):
    config = compose_config("trace", list(overrides), TraceConfig)
    return trace(config, load(config.data, echo=lambda text: None), jax.devices()[:1])


def told(found):
    """The iterations that tell of dead neurons, with what they tell."""
    words = {1: [], **{iteration["number"]: iteration["remarks"] for iteration in found["iterations"]}}
    return {number: [line for line in lines if "dead" in line or "kills" in line] for number, lines in words.items() if lines}


@pytest.mark.slow
def test_a_step_that_is_too_large_kills_the_textbooks_output_neuron():
    found = traced("optimizer.learning_rate=-1.8", "iterations=4")
    assert [iteration["dead"] for iteration in found["iterations"]] == [[], [], ["b"], ["b"]]
    assert found["final"]["dead"] == ["b"]
    lines = {number: line for number, line in told(found).items() if line}
    assert lines == {
        2: [
            "The step kills neuron b: from here on z_b ≤ 0 for every example, where relu has the slope 0, so no weight of the "
            "network changes any more."
        ]
    }
    z = [row["value"] for row in found["rows"] if row["symbol"] == "z_b"]
    assert [value <= 0 for value in z] == [False, False, True, True]
    after = [(iteration["weights"], iteration["biases"]) for iteration in found["iterations"][2:]]
    assert after[0] == after[1]  # as the remark says
    assert dead_neurons_text(found) == "Dead in the end: b (from iteration 3 on)"


def test_a_network_that_starts_dead_says_so_once():
    found = traced("model.neuron_a.bias=-1")
    assert [iteration["dead"] for iteration in found["iterations"]] == [["a"], ["a"]]
    assert [len(lines) for lines in told(found).values()] == [1, *[0] * (len(told(found)) - 1)]
    assert told(found)[1][0].startswith("Neuron a starts dead: z_a ≤ 0 for every example, where relu has the slope 0")
    assert told(found)[1][0].endswith("so its weights get no error term.")
    assert dead_neurons_text(found) == "Dead in the end: a (from iteration 1 on)"


def test_a_neuron_that_the_last_step_kills():
    found = traced("optimizer.learning_rate=-1.8", "iterations=2")
    assert [iteration["dead"] for iteration in found["iterations"]] == [[], []]
    assert found["final"]["dead"] == ["b"]
    assert dead_neurons_text(found) == "Dead in the end: b (since the last step)"


def test_where_all_is_alive_nothing_is_said():
    found = traced()
    assert [iteration["dead"] for iteration in found["iterations"]] == [[], []]
    assert not any(told(found).values())
    assert dead_neurons_text(found) == ""


def test_every_example_counts_not_those_of_the_batch():
    found = traced(*ONE, "iterations=1", "training.global_batch_size=1", "optimizer.learning_rate=0")
    (z,) = [row["value"] for row in found["rows"] if row["quantity"] == "z"]
    assert z == -1  # of the batch's only example; the other one has 1
    assert found["iterations"][0]["dead"] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("activation", "dead"),
    [
        (["activation=relu"], ["a"]),
        (["activation=leaky_relu", "activation.negative_slope=0"], ["a"]),
        (["activation=leaky_relu"], []),
        (["activation=elu"], []),
        (["activation=tanh"], []),
    ],
)
def test_only_a_flat_side_is_dead(activation, dead):
    found = traced(*ONE[:2], "data.inputs=[[1]]", "data.targets=[[0]]", *activation, "iterations=1")
    assert found["iterations"][0]["dead"] == dead


def test_a_sum_of_exactly_0_is_dead_with_relu():
    found = traced(
        "model=neurons", "model.layers=[{size:1,weights:[[1]],biases:[-1]}]", "data.inputs=[[1]]", "data.targets=[[1]]"
    )
    assert found["iterations"][0]["dead"] == ["a"]


def test_of_a_large_dataset_the_first_examples_are_examined_and_said():
    found = traced(
        "model=neurons",
        "model.layers=[{size:1,weights:[[1]],biases:[-99]},{size:1,activation:identity}]",
        "data=synthetic",
        "data.task=regression",
        "data.input_shape=[1]",
        "data.outputs=1",
        "data.num_train=2000",
        "data.validation=0",
        "training.global_batch_size=1",
        "optimizer=sgd",
        "loss=mse",
        "iterations=1",
    )
    assert "z_a ≤ 0 for each of the first 1,000 of 2,000 examples" in told(found)[1][0]
