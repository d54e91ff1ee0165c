"""What stands on a sheet: all that is needed to solve it."""

import pytest
from worksheet_configs import config_of, drawn_of

from nnjax.worksheets.sheet_parts import make_sheet

TWO_EXAMPLES = ("data.inputs=[[0,0,0],[0,0,0]]", "data.targets=[[0],[0]]", "activation=tanh")


def given_of(*overrides):
    """The titles of a sheet's given numbers."""
    config, (drawn,) = config_of(*overrides), drawn_of(*overrides)
    iterations = [{"number": number, "learning_rate": 0.1} for number in range(1, config.iterations + 1)]
    network = {"inputs": ["x1"], "layers": []}
    sheet = make_sheet(
        config, drawn, {"iterations": iterations, "rows": [], "network": network, "settings": {"learning_rate_rule": "-"}}
    )
    return [title for title, _ in sheet.given]


@pytest.mark.parametrize(
    ("overrides", "titles"),
    [
        (("iterations=1",), ["Inputs"]),
        (("iterations=2",), ["Inputs of iteration 1", "Inputs of iteration 2"]),
        (("iterations=3",), ["Inputs of iterations 1 and 3", "Inputs of iteration 2"]),
        (("iterations=5",), ["Inputs of iterations 1, 3 and 5", "Inputs of iterations 2 and 4"]),
        (("iterations=3", "training.global_batch_size=2"), ["Inputs, example 1", "Inputs, example 2"]),
    ],
    ids=["1", "2", "3", "5", "the same"],
)
def test_each_iteration_has_its_examples(overrides, titles):
    given = given_of(*TWO_EXAMPLES, *overrides)
    assert [title for title in given if title.startswith("Inputs")] == titles
    assert [title.replace("Target", "Inputs") for title in given if title.startswith("Target")] == titles


def test_batches_that_share_an_example_have_it_each():
    three = ("data.inputs=[[0,0,0],[0,0,0],[0,0,0]]", "data.targets=[[0],[0],[0]]", "training.global_batch_size=2")
    titles = [title for title in given_of(*three, "activation=tanh", "iterations=4") if title.startswith("Inputs")]
    of = ("iterations 1 and 4", "iteration 2", "iteration 3")
    assert titles == [f"Inputs, example {example} of {which}" for which in of for example in (1, 2)]


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (("activation=leaky_relu", "activation.negative_slope=0.2"), "leaky_relu, slope 0.2"),
        (("activation=elu", "activation.alpha=1.5"), "elu, α = 1.5"),
        (("activation=tanh",), "tanh"),
    ],
    ids=["leaky_relu", "elu", "tanh"],
)
def test_an_activation_has_its_number_where_the_formula_is_left_out(overrides, words):
    layers = "model.layers=[{size: 2},{size: 1, activation: leaky_relu}]"
    given = given_of("model=neurons", layers, "data.inputs=[[0,0]]", *overrides, "formulas=false")
    assert [title for title in given if title.startswith("Neuron")] == [
        f"Neuron a, {words}",
        f"Neuron b, {words}",
        "Neuron c, leaky_relu, slope 0.01",
    ]
