"""The forward and backward pass of a training step in float64, with every value in between.

The network, the loss and the differentiation are those of training; only the precision is not::

    with jax.enable_x64(True):
        network, params, model_state = traced_network(config, dataset.spec)
        zs, ys = forward(network, params, model_state, inputs)         # of each dense layer, by its name
        found = passes(config.loss, network, params, model_state, inputs, targets)
        found.layers[-1].delta                                         # [b, k] error terms of the output layer

Call these under `jax.enable_x64`: without it JAX would round what it is given to float32.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from jax.typing import ArrayLike
from numpy.typing import NDArray

from nnjax.config.options import Activation, PlainActivation
from nnjax.config.schema import Config
from nnjax.config.training_options import Loss
from nnjax.data.dataset_spec import DatasetSpec
from nnjax.models.activations import activation
from nnjax.models.layers import Activate, Head
from nnjax.models.network import Network
from nnjax.training.losses import example_loss
from nnjax.training.state import Pytree, SplitNetwork, build_network, split_network

Numbers = NDArray[np.float64]
ByLayer = dict[str, Array]
"""A value of each dense layer, by its name, from the first layer to the output."""


@dataclass(frozen=True)
class Weights:
    """Weights of a layer, or what goes with each of them: a gradient, an adjustment.

    Attributes:
        kernel: [inputs, neurons].
        bias: [neurons]; None where there is none, or, of gradients and adjustments, where it is not learnt.
    """

    kernel: Numbers
    bias: Numbers | None


@dataclass(frozen=True)
class LayerValues:
    """What a layer computes for a batch; each is [b, neurons].

    Attributes:
        z: the weighted sums.
        y: the activations of z, y = f(z).
        d_activation: f′(z).
        d_y: ∂E/∂y of each example's own loss E.
        delta: the error terms, ∂E/∂z of each example's own loss E.
    """

    z: Numbers
    y: Numbers
    d_activation: Numbers
    d_y: Numbers
    delta: Numbers


@dataclass(frozen=True)
class Passes:
    """A forward and a backward pass over a batch.

    Attributes:
        layers: from the first to the output layer.
        losses: [b] of each example; the loss of the batch is their mean.
        gradients: of the mean loss; shaped like the parameters.
    """

    layers: tuple[LayerValues, ...]
    losses: Numbers
    gradients: Pytree


def traced_network(config: Config, spec: DatasetSpec) -> tuple[SplitNetwork, Pytree, Pytree]:
    """A config's network in float64, split as for training.

    Weights that the config gives are its very numbers (0.1, not the nearest float32); weights that are drawn are the numbers
    that training starts from.

    Args:
        config: one of a fully connected network, as `trace_checks` lets through.
        spec: of its data.

    Returns:
        The static half; the parameters, ``params["neuron_a"]["kernel"]`` [inputs, neurons] and ``["bias"]`` [neurons]; and the
        state, where biases stand that are not learnt. Arrays are float64.
    """
    with jax.enable_x64(True):
        return split_network(build_network(config, spec, precision="float64"))


def layer_activations(network: Network) -> dict[str, Activation]:
    """The activation of each dense layer, by the layer's name; identity where none follows."""
    found: dict[str, Activation] = {}
    for name, layer in network.layers():
        if isinstance(layer, nnx.Linear):
            found[name] = PlainActivation("identity")
        elif isinstance(layer, Activate):
            found[next(reversed(found))] = layer.config
    return found


def forward(
    network: SplitNetwork,
    params: Pytree,
    model_state: Pytree,
    inputs: Array,
    z_probes: ByLayer | None = None,
    y_probes: ByLayer | None = None,
) -> tuple[ByLayer, ByLayer]:
    """The weighted sums z and the activations y of each dense layer, [b, neurons].

    Args:
        network: as from `traced_network`.
        params: likewise.
        model_state: likewise.
        inputs: [b, ...] float64, normalised.
        z_probes: added to each z; the derivative by a probe of zeros is the error term of its neuron.
        y_probes: likewise added to each y.
    """
    merged: Network = nnx.merge(network.eval_graph, params, model_state, copy=True)
    zs: ByLayer = {}
    ys: ByLayer = {}
    values, activations = inputs, layer_activations(merged)
    for name, layer in merged.layers():
        if isinstance(layer, Head):
            values = layer(values)
        elif isinstance(layer, nnx.Linear):  # with its activation, which follows as a layer of its own
            values = layer(values)
            zs[name] = values if z_probes is None else values + z_probes[name]
            values = activation(activations[name])(zs[name])
            ys[name] = values = values if y_probes is None else values + y_probes[name]
    return zs, ys


def batch_losses(
    loss: Loss, network: SplitNetwork, params: Pytree, model_state: Pytree, inputs: ArrayLike, targets: ArrayLike
) -> tuple[Array, Array]:
    """The loss of each example [b], and the outputs [b, k]; arguments as of `passes`."""
    _, ys = forward(network, params, model_state, jnp.asarray(inputs))
    outputs = next(reversed(ys.values()))
    return example_loss(loss, outputs, jnp.asarray(targets)), outputs


def passes(
    loss: Loss, network: SplitNetwork, params: Pytree, model_state: Pytree, inputs: ArrayLike, targets: ArrayLike
) -> Passes:
    """Runs a batch forward and backward; call it under `jax.enable_x64`.

    Args:
        loss: which one.
        network: as from `traced_network`.
        params: likewise.
        model_state: likewise.
        inputs: [b, ...] float64, normalised.
        targets: [b] class numbers or [b, k] float64.
    """
    layers, losses, gradients = jax.device_get(_passes(loss, network, params, model_state, inputs, targets))
    return Passes(tuple(LayerValues(*values) for values in layers), losses, gradients)


@partial(jax.jit, static_argnums=(0, 1))
def _passes(
    loss: Loss, network: SplitNetwork, params: Pytree, model_state: Pytree, inputs: Array, targets: Array
) -> tuple[list[tuple[Any, ...]], Array, Pytree]:
    zs, ys = forward(network, params, model_state, inputs)

    # By each example's own loss: the examples do not touch each other, so the derivatives of the sum are theirs.
    def total(z_probes: ByLayer, y_probes: ByLayer) -> Array:
        _, probed = forward(network, params, model_state, inputs, z_probes, y_probes)
        return example_loss(loss, next(reversed(probed.values())), targets).sum()

    def mean(params: Pytree) -> tuple[Array, Array]:
        losses, _ = batch_losses(loss, network, params, model_state, inputs, targets)
        return losses.mean(), losses

    zeros = jax.tree.map(jnp.zeros_like, zs)
    delta, d_y = jax.grad(total, argnums=(0, 1))(zeros, zeros)
    gradients, losses = jax.grad(mean, has_aux=True)(params)
    activations = layer_activations(nnx.merge(network.eval_graph, params, model_state, copy=True))
    layers = [(zs[name], ys[name], _slope(activations[name], zs[name]), d_y[name], delta[name]) for name in zs]
    return layers, losses, gradients


def _slope(config: Activation, z: Array) -> Array:
    """f′(z), of the same shape."""
    slope: Array = jax.grad(lambda z: activation(config)(z).sum())(z)
    return slope


def weights_of(names: Iterable[str], params: Pytree, model_state: Pytree) -> tuple[Weights, ...]:
    """The weights of the layers called `names` as NumPy arrays; of gradients, with an empty `model_state`, what is learnt."""

    def one(name: str) -> Weights:
        parts = {**params[name], **model_state.get(name, {})}
        bias = parts.get("bias")
        return Weights(np.asarray(parts["kernel"]), None if bias is None else np.asarray(bias))

    return tuple(map(one, names))
