"""Formulas with numbers, evaluated as Python, give the values beside them."""

import math
import re
from typing import get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nnjax.config.options import ELU, ActivationName, LeakyReLU
from nnjax.models.activations import default_activation
from nnjax.reporting.text import number_text
from nnjax.textbook.formulas import formula, with_numbers
from nnjax.textbook.neuron import activate
from nnjax.textbook.notation import number

PYTHON = {"−": "-", "×": "*", "²": "**2", "½": "0.5", "^": "**", "π": "pi", "≥": ">=", "≤": "<="}
NAMES = {"max": max, "erf": math.erf, "sqrt": math.sqrt, "ln": math.log, "e": math.e, "pi": math.pi}
CONFIGS = [*map(default_activation, get_args(ActivationName)), LeakyReLU("leaky_relu", 0.3), ELU("elu", 1.5)]


def computed(text):
    """A formula's value; a condition in its text must hold."""
    text = re.sub(r"√(\d)", r"sqrt(\1)", text).replace("√", "sqrt")
    for sign, python in PYTHON.items():
        text = text.replace(sign, python)
    value, _, condition = text.partition(", as ")
    assert not condition or eval(condition), text
    return eval(value, {}, NAMES)


@pytest.mark.slow
@pytest.mark.parametrize(("text", "digits"), [(number, 1e-8), (number_text, 1e-5)], ids=["trace", "neuron"])
@pytest.mark.parametrize("config", CONFIGS, ids=str)
@given(z=st.floats(-8, 8).map(lambda z: round(z, 3)))
@example(z=0.0)
@example(z=-2.5e-5)
def test_formulas_say_what_jax_computes(config, text, digits, z):
    exact = activate(config, z)
    numbers = [with_numbers(config, z, exact.value, derivative=derivative, text=text) for derivative in (False, True)]
    assert computed(numbers[0]) == pytest.approx(exact.value, abs=digits)
    assert computed(numbers[1]) == pytest.approx(exact.derivative, abs=digits)


@pytest.mark.parametrize(
    ("name", "z", "value", "derivative"),
    [
        ("relu", 3.02, "max(0, 3.02)", "1, as 3.02 > 0"),
        ("relu", 0.0, "max(0, 0)", "0, as 0 ≤ 0"),
        ("leaky_relu", 0.0, "max(0, 0.01 × 0)", "1, as 0 ≥ 0"),
        ("leaky_relu", -2.0, "max(−2, 0.01 × (−2))", "0.01, as −2 < 0"),
        ("elu", -2.0, "1 × (e^−2 − 1), as −2 ≤ 0", "1 × e^−2, as −2 ≤ 0"),
        ("tanh", 3.02, "(e^3.02 − e^−3.02) / (e^3.02 + e^−3.02)", "1 − 0.995248²"),
        ("tanh", -1.0, "(e^−1 − e^1) / (e^−1 + e^1)", "1 − (−0.761594)²"),
        ("sigmoid", 3.02, "1 / (1 + e^−3.02)", "0.953470 × (1 − 0.953470)"),
        ("sigmoid", -2.5e-9, "1 / (1 + e^(2.5e−09))", "0.500000 × (1 − 0.500000)"),
        ("sigmoid", -1000.0, "1 / (1 + e^1000)", "0 × (1 − 0)"),
        ("silu", -1.0, "−1 / (1 + e^1)", "(1 + (−1) − (−0.268941)) / (1 + e^1)"),
    ],
)
def test_numbers_stand_for_the_symbols(name, z, value, derivative):
    config = default_activation(name)
    y = activate(config, z).value
    assert with_numbers(config, z, y, text=number_text) == value
    assert with_numbers(config, z, y, derivative=True, text=number_text) == derivative


def test_formulas_in_symbols():
    relu, tanh = default_activation("relu"), default_activation("tanh")
    assert formula(relu, "z_a", "y_a") == "max(0, z_a)"
    assert formula(relu, "z_a", "y_a", derivative=True) == "1 if z_a > 0, else 0"
    assert formula(tanh, "z", "f") == "(e^z − e^−z) / (e^z + e^−z)"
    assert formula(tanh, "z", "f", derivative=True) == "1 − f²"


def test_slope_and_alpha_are_written_out():
    assert formula(LeakyReLU("leaky_relu", 0.3), "z", "f") == "max(z, 0.3 × z)"
    assert formula(ELU("elu", 1.5), "z", "f", derivative=True) == "1 if z > 0, else 1.5 × e^z"
