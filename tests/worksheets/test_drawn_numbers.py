"""The drawn numbers: few digits, living neurons, from the seed alone, and no two sheets alike."""

from operator import mul

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worksheet_configs import SHAPES, config_of, drawn_of

from nnjax.config.errors import UserError
from nnjax.worksheets.drawn_numbers import with_numbers_of
from nnjax.worksheets.hand_solution import solve


def numbers_of(exercise):
    yield from (number for row in (*exercise.inputs, *exercise.targets) for number in row)
    for layer in exercise.layers:
        yield from (number for row in layer.weights for number in row)
        yield from layer.biases or ()


@pytest.mark.slow
@given(st.sampled_from(SHAPES), st.integers(0, 2**32 - 1))
@settings(max_examples=80, deadline=None)
def test_the_numbers_are_fit_for_a_hand(shape, seed):
    (drawn,) = drawn_of(*shape, seed=seed)
    exercise, decimals = drawn.exercise, config_of(*shape).decimals
    assert all(number == round(number, decimals) and abs(number) < 10 for number in numbers_of(exercise))
    assert all(len(set(row)) == len(row) for row in exercise.inputs)
    values, dead = solve(exercise), "dead_neurons=true" in shape
    for layer, names in zip(exercise.layers, exercise.names, strict=True):
        sums = [found.value for (_, quantity, _, name, _), found in values.items() if quantity == "z" and name in names]
        if layer.activation.name == "relu":
            assert all(abs(z) >= 0.05 for z in sums)
            assert dead or min(sums) > 0
        if layer.activation.name == "sigmoid":
            assert max(map(abs, sums)) <= 2.5
    slopes = [found.value for (_, quantity, *_), found in values.items() if quantity == "d_activation"]
    assert (min(slopes) == 0) == dead
    assert any(found.value for (_, quantity, *_), found in values.items() if quantity == "gradient")


@given(st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_a_seed_gives_the_same_numbers_alone_and_in_a_class(seed):
    alone = [drawn_of(seed=seed + offset)[0] for offset in range(3)]
    assert drawn_of(seed=seed, sheets=3) == alone
    assert len({each.exercise for each in alone}) == 3


def test_a_class_has_no_two_sheets_alike_although_the_network_has_few_numbers():
    single = ("model=neurons", "model.layers=[{size: 1, bias: false}]", "data.inputs=[[1]]")
    drawn = drawn_of(*single, sheets=100)
    assert len({each.exercise for each in drawn}) == 100
    again = [each for each in drawn if each.variant > 1]
    assert again  # about 500 sheets are possible
    alone = drawn_of(*single, seed=again[0].seed)[0].exercise
    assert alone in [each.exercise for each in drawn if each.seed < again[0].seed]


def test_a_network_with_too_few_sheets_is_refused_and_not_tried_for_ever(monkeypatch):
    pair = [each.exercise for each in drawn_of(sheets=2)]
    monkeypatch.setattr("nnjax.worksheets.drawn_numbers._draw", lambda config, shape, generator, seed: generator.choice(pair))
    assert len(drawn_of(sheets=2)) == 2
    with pytest.raises(UserError, match=r"^sheets=3: after 2 different ones, 1000 more were all among them; choose fewer "):
        drawn_of(sheets=3)


def test_a_dead_neuron_is_dead_for_the_examples_of_later_iterations_too():
    layers = "model.layers=[{size: 2},{size: 1, activation: identity}]"
    examples = ("data.inputs=[[0,0],[0,0]]", "data.targets=[[0],[0]]", "training.global_batch_size=1")
    for drawn in drawn_of("model=neurons", layers, *examples, "dead_neurons=true", "iterations=2", seed=0, sheets=12):
        (hidden, _), inputs = drawn.exercise.layers, drawn.exercise.inputs
        sums = [
            [sum(map(mul, weights, row), bias) for row in inputs]
            for weights, bias in zip(hidden.weights, hidden.biases, strict=True)
        ]
        assert any(max(of_neuron) < 0 for of_neuron in sums), drawn.seed


def test_a_config_takes_the_numbers():
    for shape in SHAPES:
        (drawn,) = drawn_of(*shape)
        config = with_numbers_of(config_of(*shape), drawn.exercise)
        assert (config.data.inputs, config.data.targets) == (drawn.exercise.inputs, drawn.exercise.targets)
        assert config.model.name == config_of(*shape).model.name.replace("fnn", "neurons")


def test_numbers_that_cannot_be_found_are_said_in_a_line(monkeypatch):
    monkeypatch.setattr("nnjax.worksheets.drawn_numbers._MOST_DRAWS", 20)
    with pytest.raises(UserError, match=r"^seed=5: no numbers with living neurons were found in 20 draws; choose "):
        drawn_of("optimizer.learning_rate=-1e30", "iterations=3", seed=5)
