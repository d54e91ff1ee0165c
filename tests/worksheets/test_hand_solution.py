"""The solution in plain Python gives the chapter's numbers, and those of JAX for every kind of network."""

import re

import jax
import numpy as np
import pytest
from worksheet_configs import SHAPES, config_of, drawn_of

from nnjax.config.options import PlainActivation
from nnjax.data.load import load
from nnjax.textbook.trace import trace
from nnjax.worksheets.drawn_numbers import with_numbers_of
from nnjax.worksheets.hand_solution import DrawnLayer, Exercise, disagreements, solve
from nnjax.worksheets.rounding import rounded

RELU = PlainActivation("relu")
CHAPTER = Exercise(
    layers=(DrawnLayer(RELU, ((0.1, 0.2, 0.3),), (0.6,), True), DrawnLayer(RELU, ((0.4,),), (0.5,), True)),
    inputs=((0.2, 0.1, 0.4),),
    targets=((1.0,),),
    batch=1,
    rates=(-0.6, -0.6),
    loss="half_mse",
)


def rows_of(config, exercise):
    numbered = with_numbers_of(config, exercise)
    return trace(numbered, load(numbered.data), jax.devices()[:1])["rows"]


def test_the_chapters_numbers():
    values = solve(CHAPTER)
    expected = {
        (1, "z", 1, "a", None): 0.76,
        (1, "y", 1, "b", None): 0.804,
        (1, "loss", 1, None, None): 0.019208,
        (1, "delta", 1, "a", None): -0.0784,
        (1, "weight", None, "b", 1): 0.489376,
        (1, "weight", None, "b", 0): 0.6176,
        (2, "y", 1, "b", None): 1.0173802589,
    }
    assert {key: values[key].value for key in expected} == {key: pytest.approx(x, abs=1e-10) for key, x in expected.items()}


@pytest.mark.slow
@pytest.mark.parametrize("overrides", SHAPES, ids=" ".join)
def test_jax_and_the_solution_by_hand_agree_on_every_row(overrides):
    config = config_of(*overrides)
    (drawn,) = drawn_of(*overrides)
    rows = rows_of(config, drawn.exercise)
    values = solve(drawn.exercise)
    assert disagreements(values, rows) == []
    assert len(values) == len([row for row in rows if (row["quantity"], row["input"]) != ("product", 0)])


def numpy_step(exercise):
    """Losses of the examples and new weights of a training step in matrices, from the chapter's formulas alone."""
    functions = {
        "identity": (lambda z: z, np.ones_like),
        "relu": (lambda z: np.maximum(z, 0), lambda z: np.where(z > 0, 1.0, 0.0)),
        "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
        "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2),
    }
    weights = [np.array(layer.weights) for layer in exercise.layers]
    biases = [np.array(layer.biases or np.zeros(len(layer.weights))) for layer in exercise.layers]
    ys, zs = [np.array(exercise.inputs[: exercise.batch])], []
    for w, b, layer in zip(weights, biases, exercise.layers, strict=True):
        zs.append(ys[-1] @ w.T + b)
        ys.append(functions[layer.activation.name][0](zs[-1]))
    error = np.array(exercise.targets[: exercise.batch]) - ys[-1]
    factor = 0.5 if exercise.loss == "half_mse" else 1 / error.shape[1]
    back, new = -2 * factor * error, []
    for index in reversed(range(len(weights))):
        delta = back * functions[exercise.layers[index].activation.name][1](zs[index])
        back = delta @ weights[index]
        rate = exercise.rates[0] / len(delta)
        new.insert(0, (weights[index] + rate * delta.T @ ys[index], biases[index] + rate * delta.sum(0)))
    return factor * (error**2).sum(1), new


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if not re.search("gelu|silu|elu|softplus", " ".join(shape))])
def test_ten_sheets_of_a_kind_are_those_of_numpy(shape):
    for seed in range(10):
        (drawn,) = drawn_of(*shape, seed=seed)
        losses, layers = numpy_step(drawn.exercise)
        values = solve(drawn.exercise)
        assert [values[1, "loss", place, None, None].value for place, _ in enumerate(losses, 1)] == pytest.approx(list(losses))
        for layer, names, (weights, biases) in zip(drawn.exercise.layers, drawn.exercise.names, layers, strict=True):
            for name, row, bias in zip(names, weights, biases, strict=True):
                assert [values[1, "weight", None, name, at].value for at, _ in enumerate(row, 1)] == pytest.approx(list(row))
                if layer.biases and layer.learns_biases:
                    assert values[1, "weight", None, name, 0].value == pytest.approx(bias)


def test_a_wrong_and_a_missing_value_are_found():
    config, (drawn,) = config_of(), drawn_of()
    rows = rows_of(config, drawn.exercise)
    wrong = [{**row, "value": row["value"] + 1e-6} if row["symbol"] == "δ_a" else row for row in rows]
    (line,) = disagreements(solve(drawn.exercise), wrong)
    assert line.startswith("δ_a of iteration 1: ")
    missing = [row for row in rows if row["symbol"] != "E"]
    assert disagreements(solve(drawn.exercise), missing) == ["(1, 'loss', 1, None, None): only in one of them"]
    nan = [{**row, "value": float("nan")} if row["symbol"] == "z_b" else row for row in rows]
    assert len(disagreements(solve(drawn.exercise), nan)) == 1


def test_rounding_at_each_step_goes_into_the_next():
    values = solve(CHAPTER, rounded(2))
    assert values[1, "y", 1, "b", None].value == 0.80  # 0.4 × 0.76 is 0.304, rounded 0.30
    assert values[1, "delta", 1, "b", None].value == -0.2
