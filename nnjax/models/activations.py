"""Activation functions, selected by their configs.

Each is elementwise and keeps its argument's shape and dtype; `activation` lists the derivatives, which are factors in the
textbook's backward pass::

    f = activation(LeakyReLU("leaky_relu", 0.1))
    f(jnp.array([-1.0, 2.0]))                # [-0.1, 2.0]
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from nnjax.config.errors import ConfigError
from nnjax.config.options import ELU, Activation, ActivationName, LeakyReLU, PlainActivation, PlainActivationName
from nnjax.config.registry import registered_as

_PLAIN: dict[PlainActivationName, Callable[[Array], Array]] = {
    "relu": jax.nn.relu,
    "tanh": jax.numpy.tanh,
    "sigmoid": jax.nn.sigmoid,
    "gelu": partial(jax.nn.gelu, approximate=False),
    "silu": jax.nn.silu,
    "softplus": jax.nn.softplus,
    "identity": lambda z: z,
}


@cache  # equal configs give the same function, so that equal networks share their compiled programs
def activation(config: Activation) -> Callable[[Array], Array]:
    """Returns a config's function a = f(z).

    ========== ======================================== =========================================
    name       f(z)                                     f′(z)
    ========== ======================================== =========================================
    relu       max(z, 0)                                1 for z > 0, else 0 (at 0 too)
    tanh       (e^z − e^−z) / (e^z + e^−z)              1 − f²
    sigmoid    1 / (1 + e^−z)                           f · (1 − f)
    gelu       z · Φ(z), Φ(z) = ½ (1 + erf(z / √2))     Φ(z) + z · e^(−z²/2) / √(2π)
    silu       z · sigmoid(z)                           sigmoid(z) · (1 + z · (1 − sigmoid(z)))
    leaky_relu z for z ≥ 0, else negative_slope · z     1 for z ≥ 0, else negative_slope
    elu        z for z > 0, else alpha · (e^z − 1)      1 for z > 0, else alpha · e^z
    softplus   ln(1 + e^z), computed without overflow   sigmoid(z)
    identity   z                                        1
    ========== ======================================== =========================================

    relu′(0) = 0 follows Bertoin et al., "Numerical influence of ReLU'(0) on backpropagation" (2021). gelu is exact, not the
    tanh approximation (Hendrycks and Gimpel, 2016).
    """
    match config:
        case LeakyReLU(negative_slope=slope):
            return partial(jax.nn.leaky_relu, negative_slope=slope)
        case ELU(alpha=alpha):
            return partial(jax.nn.elu, alpha=alpha)
        case PlainActivation(name=name):
            return _PLAIN[name]
        case _:
            option = registered_as(config)
            assert option is not None, "an activation without a function"
            return partial(_registered, config, option.build)


def _registered(config: Activation, function: Callable[[Any, Array], Array], z: Array) -> Array:
    """Applies a registered activation; raises a ConfigError if it is not elementwise."""
    a = function(config, z)
    if jnp.shape(a) != z.shape:
        wanted = f"must return an array of the shape of z, {list(z.shape)}"
        raise ConfigError(f"activation={config.name}: its function {wanted}; it returned {list(jnp.shape(a))}")
    return a


def is_nondecreasing(config: Activation) -> bool:
    """Whether f never decreases as z grows, so that f(max z) = max f(z)."""
    match config:
        case LeakyReLU(negative_slope=slope):
            return slope >= 0
        case ELU(alpha=alpha):
            return alpha >= 0
        case PlainActivation(name=name):
            return name not in ("gelu", "silu")
        case _:  # nothing is known of a registered one
            return False


def has_flat_side(config: Activation) -> bool:
    """Whether the slope is exactly 0 for every z below 0, as relu's: a unit that stays there is dead."""
    match config:
        case LeakyReLU(negative_slope=slope):
            return slope == 0
        case PlainActivation(name=name):
            return name == "relu"
        case _:
            return False


def default_activation(name: ActivationName) -> Activation:
    """Returns the config of the activation `name`, with the usual slope (0.01) or alpha (1) where it has one."""
    match name:
        case "leaky_relu":
            return LeakyReLU(name, negative_slope=0.01)
        case "elu":
            return ELU(name, alpha=1.0)
        case _:
            return PlainActivation(name)


def activation_by_name(name: ActivationName) -> Callable[[Array], Array]:
    """Returns the activation function `name`, with the usual slope or alpha."""
    return activation(default_activation(name))
