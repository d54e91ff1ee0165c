"""A training step's forward and backward pass in float64, with every value in between.

Uses training's network, loss and differentiation; only the precision differs::

    with jax.enable_x64(True):
        network, params, model_state = traced_network(config, dataset.spec)
        zs, ys = forward(network, params, model_state, inputs)         # each dense layer's, by the layer's name
        found = passes(config.loss, network, params, model_state, inputs, targets)
        found.layers[-1].delta                                         # [b, k] the output layer's error terms

Call these functions under `jax.enable_x64`; otherwise JAX rounds their arguments to float32.
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
from nnjax.training.initial_state import build_network
from nnjax.training.losses import example_loss
from nnjax.training.state import Pytree, SplitNetwork, split_network

Numbers = NDArray[np.float64]
ByLayer = dict[str, Array]
"""Each dense layer's value, by the layer's name, from the first layer to the output."""


@dataclass(frozen=True)
class Weights:
    """A layer's weights, or the weights' gradients or adjustments.

    Attributes:
        kernel: [inputs, neurons].
        bias: [neurons]; None if there is no bias, and among gradients and adjustments if it is not learnt.
    """

    kernel: Numbers
    bias: Numbers | None


@dataclass(frozen=True)
class LayerValues:
    """A layer's values for a batch, each [b, neurons]; E is each example's own loss.

    Attributes:
        z: the weighted sums.
        y: the activations, y = f(z).
        d_activation: f′(z).
        d_y: ∂E/∂y.
        delta: the error terms ∂E/∂z.
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
        layers: from the first layer to the output layer.
        losses: [b] each example's loss; the batch's loss is their mean.
        gradients: the mean loss's, shaped like the parameters.
    """

    layers: tuple[LayerValues, ...]
    losses: Numbers
    gradients: Pytree


def traced_network(config: Config, spec: DatasetSpec) -> tuple[SplitNetwork, Pytree, Pytree]:
    """Builds a config's network in float64, split as for training.

    Weights given in the config are exact (0.1, not the nearest float32); drawn weights equal training's initial weights.

    Args:
        config: must pass `trace_checks`, which accept fully connected networks only.
        spec: the facts of its data.

    Returns:
        The static half; the parameters, ``params["neuron_a"]["kernel"]`` [inputs, neurons] and ``["bias"]`` [neurons]; and the
        state, with the biases that are not learnt. Arrays are float64.
    """
    with jax.enable_x64(True):
        return split_network(build_network(config, spec, precision="float64"))


def layer_activations(network: Network) -> dict[str, Activation]:
    """Each dense layer's activation, by the layer's name; identity if none follows."""
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
    """Each dense layer's weighted sums z and activations y, [b, neurons].

    Args:
        network: from `traced_network`.
        params: from `traced_network`.
        model_state: from `traced_network`.
        inputs: [b, ...] float64, normalised.
        z_probes: added to each z; the derivative with respect to a zero probe is the neuron's error term.
        y_probes: added to each y.
    """
    merged: Network = nnx.merge(network.eval_graph, params, model_state, copy=True)
    zs: ByLayer = {}
    ys: ByLayer = {}
    values, activations = inputs, layer_activations(merged)
    for name, layer in merged.layers():
        if isinstance(layer, Head):
            values = layer(values)
        elif isinstance(layer, nnx.Linear):  # includes its activation, the next layer
            values = layer(values)
            zs[name] = values if z_probes is None else values + z_probes[name]
            values = activation(activations[name])(zs[name])
            ys[name] = values = values if y_probes is None else values + y_probes[name]
    return zs, ys


def batch_losses(
    loss: Loss, network: SplitNetwork, params: Pytree, model_state: Pytree, inputs: ArrayLike, targets: ArrayLike
) -> tuple[Array, Array]:
    """Each example's loss [b], and the outputs [b, k]; arguments as for `passes`."""
    _, ys = forward(network, params, model_state, jnp.asarray(inputs))
    outputs = next(reversed(ys.values()))
    return example_loss(loss, outputs, jnp.asarray(targets)), outputs


def passes(
    loss: Loss, network: SplitNetwork, params: Pytree, model_state: Pytree, inputs: ArrayLike, targets: ArrayLike
) -> Passes:
    """Runs a batch forward and backward; call it under `jax.enable_x64`.

    Args:
        loss: the loss function.
        network: from `traced_network`.
        params: from `traced_network`.
        model_state: from `traced_network`.
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

    # Examples are independent, so the sum's derivatives are those of each example's own loss.
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
    layers = [(zs[name], ys[name], slope_of(activations[name], zs[name]), d_y[name], delta[name]) for name in zs]
    return layers, losses, gradients


def slope_of(config: Activation, z: Array) -> Array:
    """The derivative f′(z) of an activation, of the same shape as `z`."""
    slope: Array = jax.grad(lambda z: activation(config)(z).sum())(z)
    return slope


def weights_of(names: Iterable[str], params: Pytree, model_state: Pytree) -> tuple[Weights, ...]:
    """The weights of the layers `names` as NumPy arrays; also for gradients, with an empty `model_state`."""

    def one(name: str) -> Weights:
        parts = {**params[name], **model_state.get(name, {})}
        bias = parts.get("bias")
        return Weights(np.asarray(parts["kernel"]), None if bias is None else np.asarray(bias))

    return tuple(map(one, names))
