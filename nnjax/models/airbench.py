"""The airbench94 network for images: whitening, groups of two convolutions, global max pooling, output.

whitening → activation → (convolution → pooling → BatchNorm → activation → convolution → BatchNorm → activation) × widths → …
"""

from flax import nnx
from jax.nn import initializers
from jax.typing import DTypeLike

from nnjax.config.options import Activation, Airbench
from nnjax.data.dataset_spec import DatasetSpec
from nnjax.models.layers import Activate, Conv, Head, Layer, Pool, Scale, batch_norm, dense, identity_init
from nnjax.models.network import Network
from nnjax.models.whitening import Whitening

_EPSILON = 1e-12  # for BatchNorm; a convolution's outputs are far from constant


def airbench(model: Airbench, activation: Activation, spec: DatasetSpec, *, rngs: nnx.Rngs, dtype: DTypeLike) -> Network:
    """Builds the airbench94 network for the input and output shapes in `spec`.

    Args:
        model: whitening, widths, BatchNorm's momentum and the output scale.
        activation: applied after the whitening and after each BatchNorm.
        spec: the inputs must be images.
        rngs: its `params` stream draws the weights.
        dtype: type of the computation.
    """
    kernel_init = initializers.variance_scaling(1 / 3, "fan_in", "uniform")  # between ±1/√fan-in
    height, width, channels = spec.input_shape
    size = model.whitening.size
    side = min(height, width) - size + 1  # of the feature map; groups pool it until it is one pixel
    layers: dict[str, Layer] = {
        "whitening": Whitening(channels, size, dtype=dtype),
        "whitening_activation": Activate(activation),
    }
    channels *= 2 * size * size
    for group, features in enumerate(model.widths, start=1):
        for name in (f"conv_{2 * group - 1}", f"conv_{2 * group}"):
            layers[name] = Conv(
                channels, features, 3, use_bias=False, kernel_init=identity_init(kernel_init), dtype=dtype, rngs=rngs
            )
            channels = features
            if name == f"conv_{2 * group - 1}" and side > 1:
                layers[f"pool_{group}"] = Pool("max", 2)
                side //= 2
            layers[f"{name}_norm"] = batch_norm(
                features,
                momentum=model.batch_norm_momentum,
                epsilon=_EPSILON,
                use_scale=False,
                dtype=dtype,
                rngs=rngs,
            )
            layers[f"{name}_activation"] = Activate(activation)
    layers["head"] = Head("max")
    layers["output"] = dense(channels, spec.num_outputs, use_bias=False, kernel_init=kernel_init, dtype=dtype, rngs=rngs)
    layers["output_scale"] = Scale(model.output_scale)
    return Network(layers)
