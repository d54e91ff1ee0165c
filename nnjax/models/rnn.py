"""Recurrent networks.

recurrent layer × hidden sizes → dropout → dense on the last state → output activation

Images are read row by row from the top: a step's inputs are one row's values.
"""

import math
from itertools import pairwise

from flax import nnx
from jax.typing import DTypeLike

from nnjax.config.options import RNN, Activation
from nnjax.data.dataset_spec import DatasetSpec
from nnjax.models.activations import activation as activation_function
from nnjax.models.activations import default_activation
from nnjax.models.layers import Activate, Dropout, Layer, Rows, dense, initializer
from nnjax.models.network import Network
from nnjax.models.recurrent import Recurrent


def rnn(model: RNN, activation: Activation, spec: DatasetSpec, *, rngs: nnx.Rngs, dtype: DTypeLike) -> Network:
    """Builds a recurrent network for the input and output shapes in `spec`; its layers are `rnn_1`, `rnn_2`, …, `output`.

    Args:
        model: cell, hidden sizes, dropout and output activation.
        activation: the cells' activation.
        spec: the inputs may be sequences or images.
        rngs: its `params` stream draws the weights.
        dtype: type of the computation.
    """
    layers: dict[str, Layer] = {}
    _, *row = spec.input_shape
    num_features = math.prod(row)
    if spec.is_image:
        layers["rows"] = Rows()
    for number, (num_inputs, size) in enumerate(pairwise((num_features, *model.hidden)), start=1):
        layers[f"rnn_{number}"] = Recurrent(
            model.cell,
            num_inputs,
            size,
            activation=activation_function(activation),
            every_step=number < len(model.hidden),
            dtype=dtype,
            rngs=rngs,
        )
    if model.dropout:
        layers["dropout"] = Dropout(model.dropout)
    layers["output"] = dense(
        model.hidden[-1], spec.num_outputs, kernel_init=initializer("lecun_normal"), dtype=dtype, rngs=rngs
    )
    if model.output_activation != "identity":
        layers["output_activation"] = Activate(default_activation(model.output_activation))
    return Network(layers)
