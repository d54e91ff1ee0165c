"""BatchNorm that trains in half the time of Flax's: its hand-written gradient needs fewer passes over the images.

layer = BatchNorm(32, axis_name="data", dtype=jnp.float32, rngs=rngs)
layer(inputs)                                              # [..., 32] → [..., 32]
layer.max_pool(images, 2)                                  # [n, h, w, 32] → [n, h // 2, w // 2, 32]
"""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array, lax

from nnjax.models.pooling import WINDOW, split_windows, spread

T = TypeVar("T")

_MAX_CANCELLATION = 100.0  # largest E[x²] / variance for one pass: there E[x²] − E[x]² loses two digits


class BatchNorm(nnx.BatchNorm):
    """Flax's BatchNorm over all axes but the last, in float32; training uses `normalize_batch`.

    Supports Flax's options `momentum`, `epsilon`, `use_scale`, `use_bias`, `axis_name`, `dtype` (of the result, required) and
    `promote_dtype` (evaluation only).
    """

    def __call__(self, inputs: Array) -> Array:  # type: ignore[override]
        """Normalises `inputs` [..., c]: by batch statistics in training, by running statistics in evaluation."""
        return self._normalize(inputs)

    def max_pool(self, inputs: Array, size: int) -> Array:
        """The largest normalised value of each window, without storing the others: [n, h, w, c] → [n, h / size, w / size, c].

        `size` divides h and w. A maximum's gradient is split evenly among those inputs of the window that are equal.
        """
        return self._normalize(split_windows(inputs, size), in_windows=True)

    def _normalize(self, inputs: Array, *, in_windows: bool = False) -> Array:
        """The normalised inputs [..., c]; or, of inputs in windows [n, h, size, w, size, c], the largest of each window."""
        scale = jnp.ones(self.num_features) if self.scale is None else self.scale[...]
        if self.use_running_average:
            outputs: Array = super().__call__(_decisive(inputs, scale) if in_windows else inputs)
            return outputs
        bias = jnp.zeros(self.num_features) if self.bias is None else self.bias[...]
        outputs, mean, variance = normalize_batch(inputs, scale, bias, self.epsilon, self.axis_name, in_windows)
        for running, new in ((self.mean, mean), (self.var, variance)):
            running[...] = self.momentum * running[...] + (1 - self.momentum) * new
        return outputs.astype(self.dtype)


@partial(jax.custom_vjp, nondiff_argnums=(3, 4, 5))
def normalize_batch(
    inputs: Array, scale: Array, bias: Array, epsilon: float, axis_name: str | None, in_windows: bool = False
) -> tuple[Array, Array, Array]:
    """(inputs − mean) / √(variance + epsilon) · scale + bias, with batch statistics (Ioffe and Szegedy, 2015).

    Only the first result is differentiable, once and in reverse mode.

    Of inputs in windows only the largest result of each window is computed: it belongs to the window's largest input, or to
    its smallest where the scale is negative. The statistics are still those of all inputs.

    Args:
        inputs: [..., c], of any floating-point type; in windows [n, h, size, w, size, c].
        scale: [c].
        bias: [c].
        epsilon: added to the variance.
        axis_name: name of the mapped axis over which devices share the batch; None for one device.
        in_windows: whether the inputs are those of `pooling.split_windows`.

    Returns:
        The outputs [..., c], in windows [n, h, w, c], and the mean and variance [c] over all devices; all float32.
    """
    results, _ = _forward(inputs, scale, bias, epsilon, axis_name, in_windows)
    return results


def _forward(
    inputs: Array, scale: Array, bias: Array, epsilon: float, axis_name: str | None, in_windows: bool
) -> tuple[tuple[Array, Array, Array], tuple[Array, ...]]:
    x = inputs.astype(jnp.float32)
    is_easy, centre, rest, variance = _moments(x)
    mean = centre + rest
    if axis_name is not None and lax.axis_size(axis_name) > 1:
        # One all-gather; the devices' means and variances are combined after Chan, Golub and LeVeque (1983). Means are relative
        # to the first device's centre, so that all devices compute the same bits.
        centres, rests, variances = lax.all_gather(jnp.stack([centre, rest, variance]), axis_name, axis=1)
        means = (centres - centres[0]) + rests
        rest = means.mean(0)
        variance = (variances + jnp.square(means - rest)).mean(0)
        mean = centres[0] + rest
        rest = rest - (centre - centres[0])
    inverse = lax.rsqrt(variance + epsilon)
    # For values far from 0, no float32 number is close enough to the mean; the difference from the centre is exact.
    decisive = _decisive(inputs, scale) if in_windows else inputs
    outputs = ((decisive.astype(jnp.float32) - centre) - rest) * (inverse * scale) + bias
    return (outputs, mean, variance), (inputs, decisive, scale, is_easy, centre, rest, inverse)


def _backward(
    epsilon: float, axis_name: str | None, in_windows: bool, residuals: Any, gradients: Any
) -> tuple[Array, Array, Array]:
    inputs, decisive, scale, is_easy, centre, rest, inverse = residuals
    grads, _, _ = gradients
    x = inputs.astype(jnp.float32)
    count = x.size // x.shape[-1]
    # Means over all inputs, where those that decide nothing have no gradient.
    values = decisive.astype(jnp.float32)
    share = 1 / (x.shape[2] * x.shape[4]) if in_windows else 1
    by_output = share * _mean(grads)
    by_product = _choose(
        is_easy,
        lambda: share * _mean(grads * values) - centre * by_output,
        lambda: share * _mean(grads * (values - centre)),
    )
    if in_windows:
        grads = spread(grads, inputs, decisive)
    by_normalized = inverse * (by_product - rest * by_output)
    by_bias, by_scale = count * by_output, count * by_normalized
    if axis_name is not None and lax.axis_size(axis_name) > 1:
        by_output, by_normalized = lax.pmean((by_output, by_normalized), axis_name)
    # In each channel the result is linear in gradient and input, so one pass suffices.
    factor = scale * inverse
    slope = -factor * inverse * by_normalized
    by_inputs = _choose(
        is_easy,
        lambda: factor * grads + slope * x - (factor * by_output + slope * (centre + rest)),
        # If x is the output of a dense layer with one input, XLA recomputes it here, fused with the operations that follow, and
        # gets other numbers than those of the moments. Inside a branch it does not.
        lambda: factor * (grads - by_output) + slope * ((x - centre) - rest),
    )
    return by_inputs.astype(inputs.dtype), by_scale, by_bias


normalize_batch.defvjp(_forward, _backward)


def _decisive(windows: Array, scale: Array) -> Array:
    """The value of each window whose product with the scale is largest, of the windows' type.

    In another type, XLA might compare a rounded number with one that it did not round.
    """
    sign = jnp.where(scale < 0, -1, 1).astype(windows.dtype)
    largest: Array = (windows * sign).max(WINDOW)
    return largest * sign


def _moments(x: Array) -> tuple[Array, Array, Array, Array]:
    """Each channel's statistics on this device, accurate to float32 however far from 0 the values lie.

    E[x²] − E[x]² takes one pass, but loses digits where E[x²] is much larger than the variance. If a channel would lose more
    than two of its seven digits, further passes compute the moments about the mean. Always doing that would lengthen a CNN's
    step by 3 to 7 % on the CPU, where XLA stores x − mean before it sums the squares.

    Args:
        x: [..., c] float32.

    Returns:
        Whether one pass was enough (a boolean array); the centre [c], a number near the mean; mean − centre [c], possibly
        smaller than the spacing of float32 numbers at the mean; the variance [c].
    """
    mean, squares = _mean(x), _mean(x * x)
    variance, centre = squares - mean * mean, _without_last_bit(mean)

    def about_the_mean() -> tuple[Array, Array]:
        rest = _mean(x - centre)
        return rest, _mean(jnp.square((x - centre) - rest))

    is_easy = (squares <= _MAX_CANCELLATION * variance).all()
    rest, variance = _choose(is_easy, lambda: (mean - centre, variance), about_the_mean)
    return is_easy, centre, rest, variance


def _choose(is_easy: Array, easy: Callable[[], T], careful: Callable[[], T]) -> T:
    """Returns `easy()` where it is accurate enough, else `careful()`, which always is.

    On an accelerator, always `careful()`: a branch would make the host wait for each step's values, and a pass costs little.
    """
    result: T = lax.platform_dependent(cpu=lambda: lax.cond(is_easy, easy, careful), default=careful)
    return result


def _without_last_bit(mean: Array) -> Array:
    """Returns a float32 number next to the mean that is the same number wherever it is subtracted.

    XLA may fuse x − sum · (1 / n) into one operation in one place and not in another, which then subtract different numbers. It
    cannot fuse across an operation on bits.
    """
    bits = lax.bitcast_convert_type(mean, jnp.int32) & ~1
    return lax.bitcast_convert_type(bits, jnp.float32)


def _mean(array: Array) -> Array:
    """Each channel's mean on this device, [..., c] → [c]."""
    return array.mean(tuple(range(array.ndim - 1)))
