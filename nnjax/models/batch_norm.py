"""BatchNorm whose training takes half the time: its gradient is written with as few passes over the images as it needs.

layer = BatchNorm(32, axis_name="data", dtype=jnp.float32, rngs=rngs)
layer(inputs)                                              # [..., 32] → [..., 32]
"""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array, lax

T = TypeVar("T")

_LARGEST_SHARE = 100.0  # E[x²] by the variance: a quotient of two of them loses two digits


class BatchNorm(nnx.BatchNorm):
    """Flax's BatchNorm over all but the last axis, computed in float32; in training by `normalize_batch`.

    Of Flax's options it takes `momentum`, `epsilon`, `use_scale`, `use_bias`, `axis_name`, `dtype` (of the result, needed) and,
    for evaluation, `promote_dtype`.
    """

    def __call__(self, inputs: Array) -> Array:  # type: ignore[override]
        """Normalises `inputs` [..., c], by the batch in training and by the running statistics in evaluation."""
        if self.use_running_average:
            outputs: Array = super().__call__(inputs)
            return outputs
        bias = jnp.zeros(self.num_features) if self.bias is None else self.bias[...]
        scale = jnp.ones(self.num_features) if self.scale is None else self.scale[...]
        outputs, mean, variance = normalize_batch(inputs, scale, bias, self.epsilon, self.axis_name)
        for running, new in ((self.mean, mean), (self.var, variance)):
            running[...] = self.momentum * running[...] + (1 - self.momentum) * new
        return outputs.astype(self.dtype)


@partial(jax.custom_vjp, nondiff_argnums=(3, 4))
def normalize_batch(
    inputs: Array, scale: Array, bias: Array, epsilon: float, axis_name: str | None
) -> tuple[Array, Array, Array]:
    """(inputs − mean) / √(variance + epsilon) · scale + bias, with the statistics of the batch (Ioffe and Szegedy, 2015).

    Only the first result can be differentiated, in reverse mode, once.

    Args:
        inputs: [..., c], of any type of floating point.
        scale: [c].
        bias: [c].
        epsilon: added to the variance.
        axis_name: of the devices that share the batch; None for one.

    Returns:
        The outputs [..., c]; the mean and the variance [c], of all devices; all float32.
    """
    results, _ = _forward(inputs, scale, bias, epsilon, axis_name)
    return results


def _forward(
    inputs: Array, scale: Array, bias: Array, epsilon: float, axis_name: str | None
) -> tuple[tuple[Array, Array, Array], tuple[Array, ...]]:
    x = inputs.astype(jnp.float32)
    is_easy, centre, rest, variance = _moments(x)
    mean = centre + rest
    if axis_name is not None and lax.axis_size(axis_name) > 1:
        # One message; then the devices' means and variances are combined as Chan, Golub and LeVeque (1983) do it. Means are
        # taken against the first device's centre, so that all devices come to the same bits.
        centres, rests, variances = lax.all_gather(jnp.stack([centre, rest, variance]), axis_name, axis=1)
        means = (centres - centres[0]) + rests
        rest = means.mean(0)
        variance = (variances + jnp.square(means - rest)).mean(0)
        mean = centres[0] + rest
        rest = rest - (centre - centres[0])
    inverse = lax.rsqrt(variance + epsilon)
    # Where values lie far from 0, no float32 number is near enough to their mean; the difference from the centre is exact.
    outputs = ((x - centre) - rest) * (inverse * scale) + bias
    return (outputs, mean, variance), (inputs, scale, is_easy, centre, rest, inverse)


def _backward(epsilon: float, axis_name: str | None, residuals: Any, gradients: Any) -> tuple[Array, Array, Array]:
    inputs, scale, is_easy, centre, rest, inverse = residuals
    grads, _, _ = gradients
    x = inputs.astype(jnp.float32)
    count = x.size // x.shape[-1]
    by_output = _mean(grads)
    by_product = _choose(
        is_easy,
        lambda: _mean(grads * x) - centre * by_output,
        lambda: _mean(grads * (x - centre)),
    )
    by_normalized = inverse * (by_product - rest * by_output)
    by_bias, by_scale = count * by_output, count * by_normalized
    if axis_name is not None and lax.axis_size(axis_name) > 1:
        by_output, by_normalized = lax.pmean((by_output, by_normalized), axis_name)
    # Of each channel a straight line in gradient and input, so that one pass does it.
    factor = scale * inverse
    slope = -factor * inverse * by_normalized
    by_inputs = _choose(
        is_easy,
        lambda: factor * grads + slope * x - (factor * by_output + slope * (centre + rest)),
        # Of a product with one input XLA computes x anew here, contracted with what follows, and then it is another number than
        # the moments were taken of; not so in a branch.
        lambda: factor * (grads - by_output) + slope * ((x - centre) - rest),
    )
    return by_inputs.astype(inputs.dtype), by_scale, by_bias


normalize_batch.defvjp(_forward, _backward)


def _moments(x: Array) -> tuple[Array, Array, Array, Array]:
    """The statistics of each channel on this device, true to float32 however far from 0 the values lie.

    E[x²] − E[x]² takes one pass, and loses as many digits as E[x²] is larger than the variance. So where a channel would lose
    more than two of its seven, further passes take the moments about the mean. In every step they would make a CNN's step
    3 to 7 % longer on the CPU, where XLA stores x − mean before it adds its squares up.

    Args:
        x: [..., c] float32.

    Returns:
        A boolean, whether one pass was enough; a number near the mean [c]; what the mean is more than that [c], which can be
        smaller than the spacing of float32 numbers there; the variance [c].
    """
    mean, squares = _mean(x), _mean(x * x)
    variance, centre = squares - mean * mean, _without_last_bit(mean)

    def about_the_mean() -> tuple[Array, Array]:
        rest = _mean(x - centre)
        return rest, _mean(jnp.square((x - centre) - rest))

    is_easy = (squares <= _LARGEST_SHARE * variance).all()
    rest, variance = _choose(is_easy, lambda: (mean - centre, variance), about_the_mean)
    return is_easy, centre, rest, variance


def _choose(is_easy: Array, easy: Callable[[], T], careful: Callable[[], T]) -> T:
    """What `easy` computes where that is good enough, else what `careful` does, which is always right.

    On an accelerator always the latter: a branch would make the host wait for each step's values, and a pass costs little.
    """
    result: T = lax.platform_dependent(cpu=lambda: lax.cond(is_easy, easy, careful), default=careful)
    return result


def _without_last_bit(mean: Array) -> Array:
    """A float32 number next to the mean, which is the same wherever it is subtracted.

    XLA may contract x − sum · (1 / n) to one operation in one place and not in another, and then two different numbers are
    subtracted. It cannot do so across an operation on bits.
    """
    bits = lax.bitcast_convert_type(mean, jnp.int32) & ~1
    return lax.bitcast_convert_type(bits, jnp.float32)


def _mean(array: Array) -> Array:
    """The mean of each channel, [..., c] → [c], on this device."""
    return array.mean(tuple(range(array.ndim - 1)))
