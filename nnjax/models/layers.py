"""The layers of all networks.

A layer with weights is an NNX module (Flax's own where there is one); a layer without is a frozen dataclass. Both map an array
to an array; the first axis is the batch. Parameters are float32 (float64 in a dense layer that computes in float64); `dtype` is
the type of a layer's computation and result::

    layers = {"conv_1": Conv(1, 32, 3, dtype=jnp.float32, rngs=rngs), "pool_1": Pool("max", 2)}
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import jax
import jax.numpy as jnp
from flax import nnx
from flax.nnx.nn.dtypes import promote_dtype
from jax import Array, lax
from jax.nn import initializers
from jax.typing import DTypeLike

from nnjax.config.options import Activation, Initializer
from nnjax.models.activations import activation
from nnjax.models.batch_norm import BatchNorm
from nnjax.models.convolution import convolve
from nnjax.models.layer_norm import LayerNorm
from nnjax.models.pooling import max_pool, mean_pool
from nnjax.models.product import dot_general
from nnjax.models.recurrent import Recurrent
from nnjax.models.whitening import Whitening
from nnjax.parallel.placement import AXIS

_Arrays = TypeVar("_Arrays", bound=tuple[Array | None, ...])

BATCH_AXIS = AXIS  # devices share a batch over it; BatchNorm and dropout work on the whole batch


def initializer(name: Initializer) -> initializers.Initializer:
    """Returns the initializer `name`: mean 0, variance 2/fan-in (he), 1/fan-in (lecun) or 2/(fan-in + fan-out) (glorot)."""
    factories: dict[Initializer, Callable[[], initializers.Initializer]] = {
        "he_normal": initializers.he_normal,
        "he_uniform": initializers.he_uniform,
        "glorot_normal": initializers.glorot_normal,
        "glorot_uniform": initializers.glorot_uniform,
        "lecun_normal": initializers.lecun_normal,
        "lecun_uniform": initializers.lecun_uniform,
    }
    draw = factories[name]()

    def initial(key: Array, shape: Any, dtype: Any = jnp.float32, out_sharding: Any = None) -> Array:
        # Drawn in float32 for any dtype, so that a float64 trace and a float32 training start from the same weights.
        return draw(key, shape, jnp.float32, out_sharding).astype(dtype)

    return initial


def identity_init(others: initializers.Initializer) -> initializers.Initializer:
    """Initializes a convolution's filter i to copy input channel i; `others` draws the filters beyond the last channel.

    Dirac initialisation, as in "Training Vanilla Deep Nets" (Zagoruyko and Komodakis, DiracNets, 2017).
    """

    def initial(key: Array, shape: Any, dtype: Any = jnp.float32, out_sharding: Any = None) -> Array:
        height, width, channels, features = shape
        centre = jnp.zeros((height, width, 1, 1), dtype).at[(height - 1) // 2, (width - 1) // 2].set(1)
        passes = centre * jnp.eye(channels, features, dtype=dtype)
        return jnp.where(jnp.arange(features) < channels, passes, others(key, shape, dtype, out_sharding))

    return initial


class Conv(nnx.Module):
    """A 2-D convolution with a square kernel, stride 1 and borders padded with zeros: [b, h, w, c] → [b, h, w, features].

    Args:
        channels: input channels c.
        features: output channels.
        size: side of the kernel, which is [size, size, c, features].
        use_bias: add a bias to each output channel; a BatchNorm right after would subtract it again.
        kernel_init: draws the kernel; the bias starts at 0.
        dtype: type of the computation and the result.
        rngs: its `params` stream draws the kernel.
    """

    def __init__(
        self,
        channels: int,
        features: int,
        size: int,
        *,
        use_bias: bool,
        kernel_init: initializers.Initializer,
        dtype: DTypeLike,
        rngs: nnx.Rngs,
    ):
        self.kernel = nnx.Param(kernel_init(rngs.params(), (size, size, channels, features), jnp.float32))
        self.bias = nnx.Param(jnp.zeros(features, jnp.float32)) if use_bias else None
        self.dtype = dtype

    def __call__(self, inputs: Array) -> Array:
        """Convolves `inputs` [b, h, w, c]."""
        return self.add_bias(self.convolve(inputs))

    def convolve(self, inputs: Array) -> Array:
        """The first half of a call: [b, h, w, c] → [b, h, w, features]."""
        return convolve(inputs.astype(self.dtype), self.kernel[...].astype(self.dtype))

    def add_bias(self, outputs: Array) -> Array:
        """The second half of a call: adds the bias, if there is one, to `outputs` [..., features]."""
        return outputs if self.bias is None else outputs + self.bias[...].astype(self.dtype)


def dense(
    num_inputs: int,
    num_outputs: int,
    *,
    kernel_init: initializers.Initializer,
    dtype: DTypeLike,
    rngs: nnx.Rngs,
    bias_init: initializers.Initializer = initializers.zeros,
    use_bias: bool = True,
    learn_bias: bool = True,
) -> nnx.Linear:
    """A dense layer: z = a · kernel + bias, [..., num_inputs] → [..., num_outputs].

    A bias that is not learnt is a `Constant`, part of the model's state and not of its parameters.
    """
    layer = nnx.Linear(
        num_inputs,
        num_outputs,
        use_bias=use_bias,
        kernel_init=kernel_init,
        bias_init=bias_init,
        dtype=dtype,
        param_dtype=jnp.promote_types(dtype, jnp.float32),
        dot_general=dot_general,
        rngs=rngs,
    )
    if layer.bias is not None and not learn_bias:
        layer.bias = Constant(layer.bias[...])  # type: ignore[assignment]
    return layer


class Constant(nnx.Variable[Array]):
    """An array of the network that training does not change."""


def batch_norm(
    num_features: int,
    *,
    dtype: DTypeLike,
    rngs: nnx.Rngs,
    momentum: float = 0.9,
    epsilon: float = 1e-5,
    use_scale: bool = True,
) -> BatchNorm:
    """BatchNorm over all axes but the last (Ioffe and Szegedy, 2015), computed in float32 whatever the `dtype`.

    Training uses the statistics of the whole batch, over all devices of the axis `BATCH_AXIS`, which must be bound. Evaluation
    uses the running statistics; each step keeps the share `momentum` of them.
    """
    return BatchNorm(
        num_features,
        momentum=momentum,
        epsilon=epsilon,
        use_scale=use_scale,
        axis_name=BATCH_AXIS,
        dtype=dtype,
        promote_dtype=_to_float32,
        rngs=rngs,
    )


def layer_norm(num_features: int, *, dtype: DTypeLike, rngs: nnx.Rngs) -> LayerNorm:
    """LayerNorm over the last axis (Ba et al., 2016), computed in float32 whatever the `dtype`."""
    return LayerNorm(num_features, dtype=dtype, promote_dtype=_to_float32, rngs=rngs)


def _to_float32(arrays: _Arrays, /, *, dtype: object = None, inexact: bool = True) -> _Arrays:
    """Replaces Flax's promotion to `dtype`, so that only the result has that type."""
    return promote_dtype(arrays, dtype=jnp.float32)


@dataclass(frozen=True)
class Activate:
    """Applies an activation function."""

    config: Activation

    def __call__(self, z: Array) -> Array:
        """The activation of `z`, of the same shape."""
        return activation(self.config)(z)


@dataclass(frozen=True)
class Pool:
    """The maximum or mean of each window: [b, h, w, c] → [b, h // size, w // size, c].

    Windows do not overlap; rows at the bottom and columns at the right that do not fill a window are dropped. A maximum's
    gradient is split evenly among ties.
    """

    kind: Literal["max", "average"]
    size: int

    def __call__(self, inputs: Array) -> Array:
        """Pools `inputs` [b, h, w, c]."""
        _, h, w, _ = inputs.shape
        inputs = inputs[:, : h // self.size * self.size, : w // self.size * self.size]
        return max_pool(inputs, self.size) if self.kind == "max" else mean_pool(inputs, self.size)


@dataclass(frozen=True)
class Head:
    """Turns a feature map into a vector: flattened, or each channel's mean or maximum. Flatten leaves a vector as it is."""

    kind: Literal["flatten", "average", "max"]

    def __call__(self, inputs: Array) -> Array:
        """[b, h, w, c] → [b, h·w·c] or [b, c]."""
        match self.kind:
            case "flatten":
                return inputs.reshape(inputs.shape[0], -1)
            case "average":
                return inputs.mean((1, 2))
            case "max":
                return inputs.max((1, 2))


@dataclass(frozen=True)
class Scale:
    """Multiplies by a fixed number."""

    factor: float

    def __call__(self, inputs: Array) -> Array:
        """`inputs` times the factor, of the same shape."""
        return inputs * self.factor


@dataclass(frozen=True)
class Rows:
    """Turns an image into a sequence, one step a row from the top: [b, h, w, c] → [b, h, w·c]."""

    def __call__(self, inputs: Array) -> Array:
        """The rows of `inputs` [b, h, w, c]."""
        return inputs.reshape(*inputs.shape[:2], -1)


class Dropout(nnx.Module):
    """Zeroes a share of the values in training, and scales the others up to keep the expected value.

    An example's mask depends on its index in the global batch, and not on the number of devices.

    Args:
        rate: share of the values that is zeroed.
    """

    def __init__(self, rate: float):
        self.rate = rate
        self.deterministic = False

    def __call__(self, inputs: Array, rngs: nnx.Rngs | None, kept: Array | None = None) -> Array:
        """Drops values of `inputs` [b, ...].

        Args:
            inputs: any values.
            rngs: its `dropout` stream draws the masks, equal on every device of `BATCH_AXIS`; needed in training.
            kept: the share of the values that is kept, as a traced scalar; None for 1 − `rate`.
        """
        if self.deterministic:
            return inputs
        if rngs is None:
            raise ValueError("dropout in training needs rngs with a dropout stream")
        key, examples = rngs.dropout(), len(inputs)
        share = 1 - self.rate if kept is None else kept

        def keep(place: Array) -> Array:
            return jax.random.bernoulli(jax.random.fold_in(key, place), share, inputs.shape[1:])

        are_kept = jax.vmap(keep)(lax.axis_index(BATCH_AXIS) * examples + jnp.arange(examples))
        return jnp.where(are_kept, inputs * jnp.asarray(1 / share, inputs.dtype), 0)

    def set_view(self, deterministic: bool | None = None) -> None:
        """Sets the mode; called by `nnx.view`."""
        if deterministic is not None:
            self.deterministic = deterministic


Layer = (
    nnx.Linear | Conv | Whitening | Recurrent | nnx.BatchNorm | nnx.LayerNorm | Dropout | Activate | Pool | Head | Rows | Scale
)
