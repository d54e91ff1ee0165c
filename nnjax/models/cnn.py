"""Convolutional networks.

whitening → ((convolution → BatchNorm → activation) × convolutions → pooling → dropout) × blocks → head → dense layers → output
"""

from flax import nnx
from jax.typing import DTypeLike

from nnjax.config.options import CNN, Activation
from nnjax.data.dataset_spec import DatasetSpec
from nnjax.models.fnn import dense_layers
from nnjax.models.layers import Activate, Conv, Dropout, Head, Layer, Pool, batch_norm, identity_init, initializer
from nnjax.models.network import Network
from nnjax.models.whitening import Whitening


def cnn(model: CNN, activation: Activation, spec: DatasetSpec, *, rngs: nnx.Rngs, dtype: DTypeLike) -> Network:
    """Builds a convolutional network for the input and output shapes in `spec`.

    Convolutions are numbered across blocks (`conv_1`, `conv_2`, …), pooling and dropout by block.

    Args:
        model: whitening, blocks, head, dense layers, dropout, initializers and output activation.
        activation: applied after convolutions and hidden dense layers.
        spec: the inputs must be images.
        rngs: its `params` stream draws the weights.
        dtype: type of the computation.
    """
    layers: dict[str, Layer] = {}
    height, width, channels = spec.input_shape
    if model.whitening is not None:
        size = model.whitening.size
        layers["whitening"] = Whitening(channels, size, dtype=dtype)
        layers["whitening_activation"] = Activate(activation)
        height, width, channels = height - size + 1, width - size + 1, 2 * size * size * channels
    kernel_init = initializer(model.initializer)
    if model.identity_init:
        kernel_init = identity_init(kernel_init)
    convolutions = 0
    for number, block in enumerate(model.blocks, start=1):
        for _ in range(block.convolutions):
            convolutions += 1
            name = f"conv_{convolutions}"
            layers[name] = Conv(
                channels,
                block.features,
                block.kernel,
                use_bias=not block.batch_norm,
                kernel_init=kernel_init,
                dtype=dtype,
                rngs=rngs,
            )
            if block.batch_norm:
                layers[f"{name}_norm"] = batch_norm(block.features, dtype=dtype, rngs=rngs)
            layers[f"{name}_activation"] = Activate(activation)
            channels = block.features
        if block.pool > 1:
            layers[f"pool_{number}"] = Pool(block.pooling, block.pool)
            height, width = height // block.pool, width // block.pool
        if block.dropout:
            layers[f"dropout_{number}"] = Dropout(block.dropout)
    layers["head"] = Head(model.head)
    num_features = height * width * channels if model.head == "flatten" else channels
    layers |= dense_layers(
        (num_features, *model.dense, spec.num_outputs),
        activation=activation,
        normalization="none",
        dropout=model.dropout,
        initializer_name=model.initializer,
        output_activation=model.output_activation,
        rngs=rngs,
        dtype=dtype,
    )
    return Network(layers)
