import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnjax.config.options import ELU, LeakyReLU
from nnjax.models.activations import activation, default_activation
from nnjax.textbook.notation import formula, neuron_names, number, operand, sum_text, terms_text, tidy, weight_symbol

NAMES = ("relu", "tanh", "sigmoid", "gelu", "silu", "softplus", "identity", "leaky_relu", "elu")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1 + 0.2, "0.3"),
        (0.76, "0.76"),
        (-0.0784, "−0.0784"),
        (1.0173802589184, "1.0173802589"),
        (0.000151036700035, "0.0001510367"),
        (4.42967949e-06, "4.429679e−06"),
        (0.0, "0"),
        (-0.0, "0"),
        (1e30, "1e+30"),
        (3.0, "3"),
        (math.inf, "inf"),
    ],
)
def test_numbers_read_without_rounding(value, text):
    assert number(value) == text


@given(st.decimals(-100, 100, places=8).map(float))
def test_a_short_number_loses_nothing(value):
    assert float(number(value).replace("−", "-")) == pytest.approx(value, rel=1e-6, abs=1e-12)
    assert tidy(value) == value


def test_tidy_drops_rounding_only():
    assert tidy(0.1 + 0.2) == 0.3
    assert tidy(1 / 3) == pytest.approx(1 / 3, rel=1e-15)


def test_sums_read_as_written_by_hand():
    assert sum_text([0.02, -0.1, 0.5]) == "0.02 − 0.1 + 0.5"
    assert sum_text([-1.0]) == "−1"
    assert terms_text(["w_a1 x1", "w_a0"]) == "w_a1 x1 + w_a0"
    assert sum_text([float(i) for i in range(1, 20)]) == "1 + 2 + 3 + 4 + … + 19"
    assert operand(-2.0) == "(−2)"


def test_neurons_are_lettered_while_letters_last():
    assert neuron_names([1, 1]) == [["a"], ["b"]]
    assert neuron_names([25, 1])[1] == ["z"]
    assert neuron_names([26, 1]) == [[f"h1.{i}" for i in range(1, 27)], ["h2.1"]]
    assert weight_symbol("a", 0) == "w_a0"
    assert weight_symbol("h1.3", 12) == "w_h1.3,12"


def by_python(text):
    """What a formula with numbers comes to."""
    condition = None
    if " else " in text:
        text, other = text.split(", else ")
        text, condition = text.split(" if ")
    python = {"−": "-", "×": "*", "²": "**2", "≥": ">=", "^": "**"}
    names = {
        "e": math.e,
        "tanh": math.tanh,
        "ln": math.log,
        "σ": lambda z: 1 / (1 + math.exp(-z)),
        "Φ": lambda z: (1 + math.erf(z / math.sqrt(2))) / 2,
        "φ": lambda z: math.exp(-z * z / 2) / math.sqrt(2 * math.pi),
        "max": max,
    }

    def value(expression):
        for symbol, operator in python.items():
            expression = expression.replace(symbol, operator)
        return eval(expression, names)

    return value(text) if condition is None or value(condition) else value(other)


CONFIGS = [*map(default_activation, NAMES), LeakyReLU("leaky_relu", 0.2), ELU("elu", 1.5)]


@pytest.mark.parametrize("config", CONFIGS, ids=str)
@pytest.mark.parametrize("z", [-1.3, -0.25, 0.5, 2.0])
def test_formulas_with_numbers_come_to_what_jax_computes(config, z):
    import jax

    f = activation(config)
    with jax.enable_x64(True):
        y, slope = float(f(np.float64(z))), float(jax.grad(f)(z))
    assert by_python(formula(config, z, y)) == pytest.approx(y, abs=1e-8)
    assert by_python(formula(config, z, y, derivative=True)) == pytest.approx(slope, abs=1e-8)


def test_formulas_in_symbols():
    assert formula(default_activation("relu"), "z_a", "y_a") == "max(0, z_a)"
    assert formula(default_activation("tanh"), "z_a", "y_a", derivative=True) == "1 − y_a²"
