"""Builds a network from its configs.

    network = build(config.model, config.activation, spec, rngs=nnx.Rngs(params=key))

A new model needs a dataclass in `nnjax/config/options.py`, a module beside this one, a line in `BUILDERS` and a YAML file.
`nnjax.register_model` adds one from outside of this package.
"""

from collections.abc import Callable
from typing import Any, Literal

import jax.numpy as jnp
from flax import nnx

from nnjax.config.errors import ConfigError
from nnjax.config.options import CNN, FNN, RNN, Activation, Airbench, Model, Neurons, TwoNeuron
from nnjax.config.registry import registered_as
from nnjax.data.dataset_spec import DatasetSpec
from nnjax.models.airbench import airbench
from nnjax.models.cnn import cnn
from nnjax.models.fnn import fnn
from nnjax.models.network import Network
from nnjax.models.neurons import neurons
from nnjax.models.rnn import rnn
from nnjax.models.two_neuron import two_neuron

BUILDERS: dict[type[Any], Callable[..., Network]] = {
    TwoNeuron: two_neuron,
    Neurons: neurons,
    FNN: fnn,
    CNN: cnn,
    Airbench: airbench,
    RNN: rnn,
}


def build(
    model: Model,
    activation: Activation,
    spec: DatasetSpec,
    *,
    rngs: nnx.Rngs,
    precision: Literal["float64", "float32", "bfloat16"] = "float32",
) -> Network:
    """Builds a config's network with fresh weights, in training mode.

    Args:
        model: kind and size of the network.
        activation: hidden activation.
        spec: shapes of inputs and outputs.
        rngs: its `params` stream draws the weights.
        precision: the layers' computation type. Parameters, BatchNorm and outputs stay float32, except that float64 (for
            tracing; needs `jax.enable_x64`) makes the dense layers' parameters float64.
    """
    option = registered_as(model)
    builder = BUILDERS[type(model)] if option is None else option.build
    try:
        built = builder(model, activation, spec, rngs=rngs, dtype=jnp.dtype(precision))
    except Exception as error:
        if option is not None:
            error.add_note(f"in the function that was registered as model={model.name}")
        raise
    if isinstance(built, Network):
        return built
    if not isinstance(built, nnx.Module):
        raise ConfigError(f"model={model.name}: its function must return a Flax NNX module; it returned {type(built).__name__}")
    layer: Any = built
    return Network({model.name: layer})


def check_outputs(model: Model, output_shape: tuple[int, ...], spec: DatasetSpec) -> None:
    """Checks that a network has an output for each class or target value; a registered model may have any.

    Raises:
        ConfigError: if not.
    """
    if output_shape != (spec.num_outputs,):
        kind = "class" if spec.task == "classification" else "value of a target"
        raise ConfigError(
            f"model={model.name}: its outputs are {['b', *output_shape]!s} for a batch of b; "
            f"data={spec.name} needs [b, {spec.num_outputs}], one for each {kind}".replace("'", "")
        )
