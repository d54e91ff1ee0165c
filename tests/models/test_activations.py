import math
from typing import get_args

import hypothesis.extra.numpy as hnp
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnjax.config.options import ELU, ActivationName, LeakyReLU, PlainActivation
from nnjax.models.activations import activation, activation_by_name, default_activation

KINKED = ("relu", "leaky_relu", "elu")


def sigmoid(z):
    return 1 / (1 + math.exp(-z))


def normal_cdf(z):
    return (1 + math.erf(z / math.sqrt(2))) / 2


# f and f′, as in the docstring's table
TEXTBOOK = {
    "relu": (lambda z: max(z, 0.0), lambda z: float(z > 0)),
    "tanh": (math.tanh, lambda z: 1 - math.tanh(z) ** 2),
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * (1 - sigmoid(z))),
    "gelu": (
        lambda z: z * normal_cdf(z),
        lambda z: normal_cdf(z) + z * math.exp(-(z**2) / 2) / math.sqrt(2 * math.pi),
    ),
    "silu": (lambda z: z * sigmoid(z), lambda z: sigmoid(z) * (1 + z * (1 - sigmoid(z)))),
    "leaky_relu": (lambda z: z if z >= 0 else 0.01 * z, lambda z: 1.0 if z >= 0 else 0.01),
    "elu": (lambda z: z if z > 0 else math.exp(z) - 1, lambda z: 1.0 if z > 0 else math.exp(z)),
    "softplus": (lambda z: math.log(1 + math.exp(z)), sigmoid),
    "identity": (lambda z: z, lambda z: 1.0),
}


def slope(f, z):
    return jax.vmap(jax.grad(f))(z)


@pytest.mark.slow
@pytest.mark.parametrize("name", get_args(ActivationName))
def test_value_and_derivative_are_the_textbooks(name):
    function, derivative = TEXTBOOK[name]
    z = np.concatenate([np.linspace(-6, 6, 49), [0.0]])
    with jax.enable_x64(True):
        f = activation_by_name(name)
        np.testing.assert_allclose(f(jnp.asarray(z)), [function(v) for v in z], rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(slope(f, jnp.asarray(z)), [derivative(v) for v in z], rtol=1e-12, atol=1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("name", get_args(ActivationName))
@settings(max_examples=25)
@given(z=hnp.arrays(np.float64, 16, elements=st.floats(-20, 20)))
def test_derivative_agrees_with_finite_differences(name, z):
    h = 1e-5
    if name in KINKED:
        z = np.where(np.abs(z) < 2 * h, 1.0, z)
    with jax.enable_x64(True):
        f = activation_by_name(name)
        differences = (f(jnp.asarray(z + h)) - f(jnp.asarray(z - h))) / (2 * h)
        np.testing.assert_allclose(slope(f, jnp.asarray(z)), differences, rtol=1e-6, atol=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("name", get_args(ActivationName))
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_large_arguments_give_finite_values_and_derivatives_of_the_same_type(name, dtype):
    z = jnp.array([-1e4, -100.0, 100.0, 1e4], dtype)
    f = activation_by_name(name)
    assert f(z).dtype == dtype
    assert jnp.isfinite(f(z)).all()
    assert jnp.isfinite(slope(f, z)).all()


def test_slope_and_alpha_come_from_the_config():
    z = jnp.array([-1.0, 2.0])
    np.testing.assert_allclose(activation(LeakyReLU("leaky_relu", 0.25))(z), [-0.25, 2.0])
    np.testing.assert_allclose(activation(ELU("elu", 2.0))(z), [2 * (math.exp(-1) - 1), 2.0], rtol=1e-6)


def test_equal_configs_give_the_same_function():
    assert activation(LeakyReLU("leaky_relu", 0.1)) is activation(LeakyReLU("leaky_relu", 0.1))
    assert activation(LeakyReLU("leaky_relu", 0.1)) is not activation(LeakyReLU("leaky_relu", 0.2))


def test_default_activations():
    assert default_activation("relu") == PlainActivation("relu")
    assert default_activation("leaky_relu") == LeakyReLU("leaky_relu", 0.01)
    assert default_activation("elu") == ELU("elu", 1.0)
