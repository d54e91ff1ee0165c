"""Traces of many iterations: those without a record are done alike, in one compiled loop."""

import jax
import pytest

from nnjax.checks.sparse import sparse_steps
from nnjax.cli.compose import compose_config
from nnjax.config.schema import TraceConfig
from nnjax.data.load import load
from nnjax.textbook.trace import trace

SLOW = ("optimizer.learning_rate=-0.005", "activation=tanh")
CASES = {
    "textbook": SLOW,
    "a schedule": (*SLOW, "schedule=cosine", "training.duration=200steps"),
    "batches that wrap": (
        "model=neurons",
        "model.layers=[{size: 2, activation: sigmoid},{size: 1, activation: identity}]",
        "data.inputs=[[1,2],[0.5,-1],[3,1],[0.1,0.2],[0.3,0.7]]",
        "data.targets=[[0.5],[1],[0.2],[0.4],[-0.3]]",
        "training.global_batch_size=3",
        "optimizer=sgd",
        "optimizer.learning_rate=0.05",
    ),
    "classes": ("experiment=softmax", "optimizer.learning_rate=0.1"),
}


def traced(*overrides):
    config = compose_config("trace", list(overrides), TraceConfig)
    return trace(config, load(config.data), jax.devices()[:1])


def by_number(found):
    return {iteration["number"]: iteration for iteration in found["iterations"]}


def assert_close(one, other):
    """Equal structure, and numbers equal but for the rounding of other compiled code."""
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_close(one[key], other[key])
    elif isinstance(one, list):
        assert len(one) == len(other)
        for pair in zip(one, other, strict=True):
            assert_close(*pair)
    elif isinstance(one, float):
        assert one == pytest.approx(other, rel=1e-11, abs=1e-15)
    elif not isinstance(one, str):
        assert one == other


@pytest.mark.slow
@pytest.mark.parametrize("overrides", CASES.values(), ids=list(CASES))
def test_the_recorded_iterations_are_those_of_a_trace_of_each(overrides):
    sparse, whole = traced(*overrides, "iterations=121"), traced(*overrides, "iterations=121", "report.records=all")
    assert list(by_number(sparse)) == list(sparse_steps(121)) != list(by_number(whole)) == list(range(1, 122))
    assert (sparse["settings"]["recorded"], whole["settings"]["recorded"]) == (len(sparse_steps(121)), 121)
    for place, number in enumerate(by_number(sparse)):
        same = {"remarks": None}  # which may name a neuron's death later
        assert_close(sparse["iterations"][place] | same, whole["iterations"][number - 1] | same)
        assert sparse["examples"][place] == whole["examples"][number - 1]
    recorded = set(by_number(sparse))
    assert_close(sparse["rows"], [row for row in whole["rows"] if row["iteration"] in recorded])
    assert_close(sparse["final"], whole["final"])
    assert all(check["agrees"] is not False for check in sparse["checks"])


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.015, 0.012])  # a recorded iteration is not finite, one between two is not
def test_steps_up_to_one_that_is_not_finite(rate):
    # Uphill, without an activation, the product of both weights grows beyond all bounds.
    overrides = (
        "activation=identity",
        "model.output_activation=identity",
        f"optimizer.learning_rate={rate}",
        "iterations=5000",
    )
    sparse, whole = traced(*overrides), traced(*overrides, "report.records=all")
    assert sparse["stopped"] == whole["stopped"] is not None
    last = whole["iterations"][-1]["number"]
    assert last > 101
    assert list(by_number(sparse)) == sorted({last, *(number for number in sparse_steps(5000) if number < last)})


@pytest.mark.slow
def test_the_textbook_neurons_after_a_million_steps_have_come_to_rest():
    found = traced("iterations=1000000", "optimizer.learning_rate=-0.001")
    assert found["iterations"][-1]["number"] == 1_000_000
    assert found["final"]["loss"] < 1e-25
