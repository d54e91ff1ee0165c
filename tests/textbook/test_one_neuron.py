import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnjax.config.options import ELU, LeakyReLU
from nnjax.models.activations import default_activation
from nnjax.textbook.neuron import Term, activate, curve, weighted_sum

numbers = st.floats(-100, 100)


def test_neuron_a_of_the_textbook():
    total = weighted_sum([0.2, 0.1, 0.4], [0.1, 0.2, 0.3], bias=0.6)
    assert [term.product for term in total.terms] == pytest.approx([0.02, 0.02, 0.12, 0.6], abs=1e-15)
    assert total.terms[-1] == Term(input=1.0, weight=0.6, product=0.6)
    assert total.z == pytest.approx(0.76, abs=1e-15)


@pytest.mark.parametrize(("name", "value"), [("relu", 3.02), ("tanh", 0.995248), ("sigmoid", 0.953470)])
def test_activations_of_the_textbook(name, value):
    assert round(activate(default_activation(name), 3.02).value, 6) == value


@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=9), numbers)
def test_the_sum_is_that_of_its_terms_in_any_order(pairs, bias):
    total = weighted_sum(*zip(*pairs, strict=True), bias)
    assert [(term.input, term.weight) for term in total.terms] == [*pairs, (1.0, bias)]
    exact = math.fsum(value * weight for value, weight in [*pairs, (1.0, bias)])
    assert total.z == pytest.approx(exact, rel=1e-12, abs=1e-10)
    mixed = random.Random(0).sample(pairs, len(pairs))
    assert weighted_sum(*zip(*mixed, strict=True), bias).z == pytest.approx(total.z, rel=1e-12, abs=1e-10)


def test_digits_that_float32_has_not():
    total = weighted_sum([1.0], [0.1], bias=0.0)
    assert total.z == 0.1 != float(np.float32(0.1))
    assert activate(default_activation("sigmoid"), 1e-9).value - 0.5 == pytest.approx(2.5e-10, rel=1e-6)


@pytest.mark.parametrize("z", [-1000.0, 1000.0])
@pytest.mark.parametrize("config", [*map(default_activation, ("tanh", "sigmoid", "softplus", "gelu", "silu")), ELU("elu", 2.0)])
def test_a_z_far_out_neither_overflows_nor_warns(config, z):
    limits = {"tanh": (-1, 1), "sigmoid": (0, 1), "elu": (-2, 1000)}
    low, high = limits.get(config.name, (0, 1000))
    found = activate(config, z)
    assert found.value == pytest.approx(high if z > 0 else low)
    assert found.derivative == pytest.approx(float(z > 0 and high == 1000))


def test_a_curve_has_the_values_of_its_points():
    config, points = LeakyReLU("leaky_relu", 0.25), np.array([-2.0, 0.0, 3.0])
    values, derivatives = curve(config, points)
    assert values.tolist() == [-0.5, 0.0, 3.0]
    assert derivatives.tolist() == [0.25, 1.0, 1.0]
    assert [activate(config, z).value for z in points] == values.tolist()
