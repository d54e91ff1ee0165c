"""What the tour says in sentences that a number can check: each test quotes the sentence, so that a changed one is noticed."""

import math
import re
from itertools import pairwise

import pytest
from claims import outputs, said, traced, value
from commands import metrics_of, run, summary_of


def updates_until_rest(rate):
    """How many updates it takes until the output stays within 0.001 of the target; None if it never does."""
    values = outputs(traced(f"optimizer.learning_rate={rate}", "iterations=100"))
    away = [index for index, output in enumerate(values) if abs(output - 1) >= 0.001]
    return None if away[-1] == len(values) - 1 else away[-1] + 1


@pytest.mark.slow
def test_the_bias_of_page_1():
    said(
        "01-neuron", "Then set the bias so low that the neuron's output is 0 for the chapter's inputs. The slope is then 0 too"
    )
    printed = run("neuron", "bias=-0.5").stdout
    assert re.search(r"relu\(z\) .* 0 *\n", printed)
    assert re.search(r"relu′\(z\) .* 0 *\n", printed)


def test_a_blocked_path_of_page_5():
    said("05-backward-pass", "The error term of a is then 0 for any error: a cannot learn until that weight has changed.")
    for target in (1.0, -3.0, 0.2):
        found = traced("model.neuron_b.weights=[0]", "iterations=2", f"data.targets=[[{target}]]")
        assert value(found, "δ_a") == 0
        assert value(found, "Δw_a1") == 0
    found = traced("model.neuron_b.weights=[0]", "iterations=2")
    assert value(found, "w_a1") == 0.1
    assert value(found, "w_b1") != 0
    assert value(found, "w_a1", 2) != 0.1


def test_a_tenth_of_the_rate_of_page_6():
    said("06-update", "A tenth of the learning rate: every adjustment shrinks to a tenth, and the error falls by less.")
    whole, tenth = traced("iterations=1"), traced("iterations=1", "optimizer.learning_rate=-0.06")
    of = [[row["value"] for row in found["rows"] if row["quantity"] == "adjustment"] for found in (whole, tenth)]
    assert of[1] == pytest.approx([one / 10 for one in of[0]])
    before = whole["iterations"][0]["loss"]
    assert whole["final"]["loss"] < tenth["final"]["loss"] < before


def test_uphill_of_page_6():
    said("06-update", "A positive learning rate. The weights now go uphill; look at the loss afterwards.")
    found = traced("iterations=2", "optimizer.learning_rate=0.6")
    assert found["iterations"][0]["loss"] < found["iterations"][1]["loss"] < found["final"]["loss"]


def test_the_overshoot_of_page_7():
    said(
        "07-second-iteration",
        "The error has fallen from 0.019208 to 0.000151, by a factor of 127.",
        "Before the step the output was 0.196 too low; after it, it is 0.017 too *high*.",
    )
    found = traced("iterations=2")
    first, second = (iteration["loss"] for iteration in found["iterations"])
    assert (first, round(second, 6), round(first / second)) == (0.019208, 0.000151, 127)
    assert [round(output - 1, 3) for output in outputs(found)] == [-0.196, 0.017]


@pytest.mark.slow
def test_larger_rates_of_page_7():
    said(
        "07-second-iteration",
        "Here it comes to rest after 3 updates: from then on the output stays within 0.001 of the target.",
        "A rate of −1 takes 33 updates.",
        "From −1.45 on neuron a dies on the way: its z falls below 0, its relu blocks, and b reaches the "
        "target by its bias alone.",
        "From −1.8 on neuron b is dead after two updates: the output stays 0 for ever.",
    )
    assert updates_until_rest(-0.6) == 3
    assert updates_until_rest(-1) == 33
    for rate in (-1.4, -1.45, -1.6, -1.75, -1.8, -2, -3):
        found = traced(f"optimizer.learning_rate={rate}", "iterations=100")
        dead, last = found["final"]["dead"], outputs(found)[-1]
        if rate > -1.45:
            assert (dead, round(last, 6)) == ([], 1)
        elif rate > -1.8:
            assert (dead, round(last, 6)) == (["a"], 1)
        else:
            assert ("b" in dead, last) == (True, 0)
            assert outputs(found)[2] == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "sentence"),
    [
        ("small", "A small step is slow and never passes the target."),
        ("large", "A large one jumps back and forth across it, further off at first."),
        ("uphill", "no step leads back: b is *dead*, and since no error goes past it, a stops learning too."),
    ],
)
def test_step_sizes_of_page_7(size, sentence):
    said("07-second-iteration", sentence)
    found = traced(f"step_size={size}", "iterations=20")
    away = [output - 1 for output in outputs(found)]
    if size == "small":
        assert all(one < 0 for one in away)
        assert away == sorted(away)
        assert abs(away[3]) > abs(outputs(traced("iterations=4"))[3] - 1)
    elif size == "large":
        assert all(one * other < 0 for one, other in pairwise(away[:8]))
        assert abs(away[1]) > abs(away[0])
    else:
        assert found["final"]["loss"] == 0.5
        assert found["final"]["dead"] == ["b"]
        assert value(found, "Δw_a1", 20) == 0


@pytest.mark.slow
def test_learning_by_heart_of_page_9(tmp_path):
    said("09-fnn", "The training accuracy rises to 99.84 %, while the validation accuracy stops at 97.92 %")
    run("train", "model=fnn", f"hydra.run.dir={tmp_path}")
    curve = {
        split: [row["accuracy"] for row in metrics_of(tmp_path) if row["split"] == split] for split in ("train", "validation")
    }
    assert curve["train"][-1] > 0.995
    assert curve["train"][-1] - curve["validation"][-1] > 0.01
    assert math.isclose(curve["validation"][-1], 0.9792, abs_tol=0.01)
    assert abs(curve["validation"][-1] - curve["validation"][-10]) < 0.01


@pytest.mark.slow
def test_gates_of_page_11(tmp_path):
    said("11-rnn", "It does worse: its forecast (RMSE 54) loses even to the naive one of the season before (50)")
    run("train", "experiment=airline_rnn", "model.cell=gru", "activation=tanh", f"hydra.run.dir={tmp_path}")
    forecast = summary_of(tmp_path)["forecast"]
    assert math.isclose(forecast["rmse"], 54, rel_tol=0.1)
    assert math.isclose(forecast["naive"]["season_before"]["rmse"], 50, rel_tol=0.01)
    assert forecast["rmse"] > forecast["naive"]["season_before"]["rmse"]
