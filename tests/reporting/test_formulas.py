"""A formula with its numbers, read as Python, comes to the value that it stands beside."""

import math
import re
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnjax.config.options import ELU, ActivationName, LeakyReLU
from nnjax.models.activations import default_activation
from nnjax.reporting.formulas import formula, substitute
from nnjax.textbook.neuron import activate

PYTHON = {"−": "-", "×": "*", "²": "**2", "½": "0.5", "^": "**", "√": "sqrt", "π": "pi"}
NAMES = {"max": max, "erf": math.erf, "sqrt": math.sqrt, "ln": math.log, "e": math.e, "pi": math.pi}


def computed(text):
    text = re.sub(r"√(\d)", r"sqrt(\1)", text.partition(",  as")[0].partition(", as")[0])
    for sign, python in PYTHON.items():
        text = text.replace(sign, python)
    return eval(re.sub(r"\*\*(-[\d.]+)", r"**(\1)", text), {}, NAMES)


@pytest.mark.parametrize("config", [*map(default_activation, get_args(ActivationName)), LeakyReLU("leaky_relu", 0.3)], ids=str)
@given(z=st.floats(-8, 8).map(lambda z: round(z, 3)))
def test_formulas_say_what_the_activations_do(config, z):
    exact, written = activate(config, z), formula(config)
    assert computed(substitute(written.value, z, exact.value)) == pytest.approx(exact.value, abs=2e-6)
    assert computed(substitute(written.derivative, z, exact.value)) == pytest.approx(exact.derivative, abs=1e-5)


@pytest.mark.parametrize(
    ("name", "z", "value", "derivative"),
    [
        ("relu", 3.02, "max(3.02, 0)", "1, as 3.02 > 0"),
        ("relu", 0.0, "max(0, 0)", "0, as 0 ≤ 0"),
        ("leaky_relu", 0.0, "0, as 0 ≥ 0", "1, as 0 ≥ 0"),
        ("leaky_relu", -2.0, "0.01 × (−2), as −2 < 0", "0.01, as −2 < 0"),
        ("tanh", 3.02, "(e^3.02 − e^−3.02) / (e^3.02 + e^−3.02)", "1 − 0.995248²"),
        ("tanh", -1.0, "(e^−1 − e^1) / (e^−1 + e^1)", "1 − (−0.761594)²"),
        ("sigmoid", 3.02, "1 / (1 + e^−3.02)", "0.953470 × (1 − 0.953470)"),
        ("silu", -1.0, "−1 / (1 + e^1)", "(1 + (−1) − (−0.268941)) / (1 + e^1)"),
        ("sigmoid", -1000.0, "1 / (1 + e^1000)", "0 × (1 − 0)"),
    ],
)
def test_numbers_stand_for_the_symbols(name, z, value, derivative):
    config = default_activation(name)
    result, written = activate(config, z), formula(config)
    assert substitute(written.value, z, result.value) == value
    assert substitute(written.derivative, z, result.value) == derivative


def test_slope_and_alpha_are_written_out():
    assert formula(LeakyReLU("leaky_relu", 0.3)).value == "z for z ≥ 0, else 0.3 · z"
    assert formula(ELU("elu", 1.5)).derivative == "1 for z > 0, else 1.5 · e^z"
