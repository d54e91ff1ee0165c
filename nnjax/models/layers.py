"""The layers that networks are stacked from.

What has weights is an NNX module (Flax's own where it has one); what has none is a frozen dataclass. Both map an array to an
array, a batch first. Parameters are float32 (a dense layer's are float64 where it computes in that); `dtype` is what a layer
computes and returns::

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
from nnjax.models.recurrent import Recurrent
from nnjax.models.whitening import Whitening
from nnjax.parallel.placement import AXIS

_Arrays = TypeVar("_Arrays", bound=tuple[Array | None, ...])

BATCH_AXIS = AXIS  # the device axis that shares a batch, which BatchNorm and dropout see as one


def initializer(name: Initializer) -> initializers.Initializer:
    """The initializer of that name: mean 0, variance 2/fan-in (he), 1/fan-in (lecun) or 2/(fan-in + fan-out) (glorot)."""
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
        # Drawn in float32 whatever the type, so that a float64 trace starts from the very weights that training starts from.
        return draw(key, shape, jnp.float32, out_sharding).astype(dtype)

    return initial


def identity_init(others: initializers.Initializer) -> initializers.Initializer:
    """The i-th filter of a convolution passes its i-th input channel on, as far as there are both; `others` draws the rest.

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
        use_bias: add a bias to each output channel; BatchNorm right after would take it away again.
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

    A bias that is not learnt is a `Constant`: it stands with the model's state, not among its parameters.
    """
    layer = nnx.Linear(
        num_inputs,
        num_outputs,
        use_bias=use_bias,
        kernel_init=kernel_init,
        bias_init=bias_init,
        dtype=dtype,
        param_dtype=jnp.promote_types(dtype, jnp.float32),
        rngs=rngs,
    )
    if layer.bias is not None and not learn_bias:
        layer.bias = Constant(layer.bias[...])  # type: ignore[assignment]
    return layer


class Constant(nnx.Variable[Array]):
    """A number of the network that training leaves as it is."""


def batch_norm(
    num_features: int,
    *,
    dtype: DTypeLike,
    rngs: nnx.Rngs,
    momentum: float = 0.9,
    epsilon: float = 1e-5,
    use_scale: bool = True,
) -> BatchNorm:
    """BatchNorm over everything but the last axis (Ioffe and Szegedy, 2015), computed in float32 whatever the `dtype`.

    In training the statistics are those of the whole batch, on all devices of the axis `BATCH_AXIS`, which has to be bound; the
    running ones, used in evaluation, keep the share `momentum` at each step.
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
    """Takes the place of Flax's promotion to `dtype`, so that only the result has that type."""
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
    """The largest or mean value of each window: [b, h, w, c] → [b, h // size, w // size, c].

    Windows lie side by side; rows and columns that do not fill one are left out, at the bottom and the right. The gradient of
    a largest value that several places share is split evenly among them.
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
    """Makes a vector of a feature map: all of it, or each channel's mean or largest value; a vector stays as it is."""

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
    """Multiplies by a number that is not trained."""

    factor: float

    def __call__(self, inputs: Array) -> Array:
        """`inputs` times the factor, of the same shape."""
        return inputs * self.factor


@dataclass(frozen=True)
class Rows:
    """Makes a sequence of an image, a step of each row from the top: [b, h, w, c] → [b, h, w·c]."""

    def __call__(self, inputs: Array) -> Array:
        """The rows of `inputs` [b, h, w, c]."""
        return inputs.reshape(*inputs.shape[:2], -1)


class Dropout(nnx.Module):
    """Zeroes a share of the values in training, and scales the others up so that the expected value stays.

    Each example's mask is drawn by its place in the global batch, so it does not depend on how many devices share the batch.

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
            rngs: its `dropout` stream draws the masks, the same on every device of `BATCH_AXIS`; needed in training.
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
        """What `nnx.view` calls."""
        if deterministic is not None:
            self.deterministic = deterministic


Layer = (
    nnx.Linear | Conv | Whitening | Recurrent | nnx.BatchNorm | nnx.LayerNorm | Dropout | Activate | Pool | Head | Rows | Scale
)
