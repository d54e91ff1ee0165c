"""One neuron, by hand: the products of its weighted sum, the sum z, and an activation's value and derivative at z.

Computed by training's own dense layer and activations, in float64 so that no digit is lost::

    total = weighted_sum([0.2, 0.1, 0.4], [0.1, 0.2, 0.3], bias=0.6)
    [term.product for term in total.terms]                       # 0.02, 0.02, 0.12, and the bias's 0.6
    activate(default_activation("tanh"), total.z).value          # tanh(0.76) = 0.641077
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from jax.nn import initializers
from numpy.typing import NDArray

from nnjax.config.options import Activation
from nnjax.models.activations import activation
from nnjax.models.layers import dense


@dataclass(frozen=True)
class Term:
    """An input, its weight, and their product."""

    input: float
    weight: float
    product: float


@dataclass(frozen=True)
class WeightedSum:
    """A neuron's computation before its activation.

    Attributes:
        terms: one for each input, then the bias weight with its input 1.
        z: their sum, the pre-activation value.
    """

    terms: tuple[Term, ...]
    z: float


@dataclass(frozen=True)
class Activated:
    """An activation at one z: the value f(z) and the derivative f′(z), a factor in the backward pass."""

    value: float
    derivative: float


def weighted_sum(inputs: Sequence[float], weights: Sequence[float], bias: float) -> WeightedSum:
    """The weighted sum of a dense layer with one neuron, term by term: z = Σ x · w + 1 · bias.

    Args:
        inputs: the values x, at least one.
        weights: one for each input.
        bias: the bias weight.
    """
    with jax.enable_x64(True):
        layer = dense(
            len(inputs),
            1,
            kernel_init=initializers.constant(np.array(weights)[:, None]),
            bias_init=initializers.constant(bias),
            dtype=jnp.float64,
            rngs=nnx.Rngs(0),
        )
        z = float(layer(jnp.asarray(inputs, jnp.float64))[0])
    pairs = [*zip(inputs, weights, strict=True), (1.0, bias)]
    return WeightedSum(tuple(Term(value, weight, value * weight) for value, weight in pairs), z)


def activate(config: Activation, z: float) -> Activated:
    """The activation and its derivative at one z."""
    values, derivatives = curve(config, np.array([z]))
    return Activated(float(values[0]), float(derivatives[0]))


def curve(config: Activation, z: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The activation and its derivative (by JAX's differentiation) at each z [n]: two arrays [n]."""
    with jax.enable_x64(True):
        values, derivatives = _differentiated(config)(jnp.asarray(z, jnp.float64))
    return np.asarray(values), np.asarray(derivatives)


@cache  # compiled once for each activation and number of points
def _differentiated(config: Activation) -> Callable[[Array], tuple[Array, Array]]:
    return jax.jit(jax.vmap(jax.value_and_grad(activation(config))))
