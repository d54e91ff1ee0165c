"""Networks of one's own: the well-known worked example, three classes, and classes through every verb's functions."""

from functools import cache

import jax
import numpy as np
import pytest

import nnjax
from nnjax.cli.compose import compose_config
from nnjax.config.schema import TraceConfig
from nnjax.data.load import load
from nnjax.textbook.trace import trace

CLASSES = ("data.inputs=[[0,1],[1,0],[1,1]]", "data.classes=[cat,dog,bird]", "data.targets=[bird,cat,dog]")
LAYERS = ("model=neurons", "model.layers=[{size:2,activation:tanh},{size:3,activation:identity}]")


@cache
def traced(*overrides):
    config = compose_config("trace", list(overrides), TraceConfig)
    return trace(config, load(config.data, echo=lambda text: None), jax.devices()[:1])


def rows(found, quantity, iteration=1):
    return {
        row["symbol"]: row["value"] for row in found["rows"] if (row["quantity"], row["iteration"]) == (quantity, iteration)
    }


# --- Mazur, "A Step by Step Backpropagation Example" (2015): the numbers that he prints -----------------------------


def test_the_first_step_of_mazurs_example():
    found = traced("experiment=mazur", "iterations=1")
    (iteration,) = found["iterations"]
    assert round(iteration["loss"], 9) == 0.298371109
    assert round(iteration["loss_after"], 9) == 0.291027774
    assert {name: round(value, 9) for name, value in rows(found, "y").items()} == {
        "y_a": 0.593269992,
        "y_b": 0.596884378,
        "y_c": 0.75136507,
        "y_d": 0.772928465,
    }
    new = rows(found, "weight")
    assert [round(new[name], 8) for name in ("w_a1", "w_a2", "w_b1", "w_b2")] == [
        0.14978072,
        0.19956143,
        0.24975114,
        0.29950229,
    ]
    assert [round(new[name], 8) for name in ("w_c1", "w_c2", "w_d1", "w_d2")] == [
        0.35891648,
        0.40866619,
        0.51130127,
        0.56137012,
    ]
    assert len(new) == 8  # no bias is learnt
    assert all(check["agrees"] for check in found["checks"])


def test_mazurs_example_after_ten_thousand_steps():
    result = nnjax.fit(nnjax.compose("experiment=mazur", "training.evaluate_every=10000steps"))
    assert result.summary["steps"] == 10_000
    assert result.metrics["test"]["loss"] == pytest.approx(0.0000351085, rel=0.01)
    np.testing.assert_allclose(result.predict([[0.05, 0.10]]), [[0.0159, 0.9841]], atol=6e-5)


# --- classes -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_trace_of_three_classes_has_their_softmax():
    found = traced("experiment=softmax", "iterations=3")
    assert found["classes"] == ["voice", "video", "backup"]
    for number in (1, 2, 3):
        y, p = rows(found, "z", number), rows(found, "probability", number)
        powers = np.exp([y["z_c"], y["z_d"], y["z_e"]])
        np.testing.assert_allclose(list(p.values()), powers / powers.sum(), rtol=1e-12)
        iteration = found["iterations"][number - 1]
        assert iteration["loss"] == pytest.approx(-np.log(list(p.values())[number - 1]), rel=1e-12)
        assert found["examples"][number - 1]["targets"] == [[float(place == number - 1) for place in range(3)]]
    assert all(check["agrees"] for check in found["checks"])


@pytest.mark.slow
def test_one_hot_targets_follow_the_order_of_the_names():
    found = traced(*LAYERS, *CLASSES, "loss=cross_entropy", "training.global_batch_size=3", "iterations=1")
    assert found["examples"][0]["targets"] == [[0, 0, 1], [1, 0, 0], [0, 1, 0]]
    assert traced()["classes"] is None


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["half_mse", "mse"])
def test_squared_errors_take_classes_too(loss):
    found = traced(*LAYERS, *CLASSES, f"loss={loss}", "training.global_batch_size=3", "iterations=1")
    outputs = [row["value"] for row in found["rows"] if row["quantity"] == "y" and row["layer"] == 2]
    squares = (np.reshape(outputs, (3, 3)) - found["examples"][0]["targets"]) ** 2
    losses = {"half_mse": squares.sum(axis=1) / 2, "mse": squares.mean(axis=1)}
    assert found["iterations"][0]["loss"] == pytest.approx(losses[loss].mean(), rel=1e-12)
    assert all(check["agrees"] for check in found["checks"])


def test_three_classes_are_learnt_and_named():
    result = nnjax.fit(nnjax.compose("experiment=softmax"))
    assert result.metrics["test"]["accuracy"] == 1
    assert result.dataset.class_names == ("voice", "video", "backup")
    answers = result.predict([[0.2, 0.1], [1.2, 0.3], [1.4, 0.9]])
    assert np.argmax(answers, axis=1).tolist() == [0, 1, 2]
    np.testing.assert_allclose(answers.sum(axis=1), 1, rtol=1e-5)
