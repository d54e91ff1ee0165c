"""The trace's checks: formulas written by hand in NumPy, finite differences, and new weight = weight + adjustment.

    check = hand_formula(layers, config.loss, step)
    check["agrees"], check["largest_difference"]     # True, about 1e-17

Each check is a dict ready for `trace.json`; `agrees` is None if there was nothing to compare.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.flatten_util import ravel_pytree
from jax.typing import ArrayLike

from nnjax.config.options import ELU, Activation, LeakyReLU, PlainActivation, PlainActivationName
from nnjax.config.training_options import Loss
from nnjax.textbook.passes import Numbers, batch_losses, forward
from nnjax.textbook.rows import Step, TracedLayer
from nnjax.training.losses import definition_of
from nnjax.training.state import Pytree, SplitNetwork

Check = dict[str, Any]

MAX_DIFFERENCES = 500
"""Largest number of weights checked by finite differences; a larger network is checked on a fixed sample."""

_ROUNDING = 1e-9  # tolerance relative to the largest compared number
_CANCELLED = 1e-12  # absolute tolerance, for differences that cancel to almost 0
_DIFFERENCES = 1e-6  # relative tolerance of finite differences
_STEP = 1e-5
_EPSILON = 20 * 2.0**-52  # float64's epsilon, with room for an activation's rounding
_KINKED = {"relu", "leaky_relu", "elu"}  # their derivative (elu's second derivative) jumps at z = 0

_erf = np.vectorize(math.erf, otypes=[float])


def _sigmoid(z: Numbers) -> Numbers:
    return 0.5 * (1 + np.tanh(z / 2))


def _normal(z: Numbers) -> Numbers:
    return np.asarray(0.5 * (1 + _erf(z / math.sqrt(2))))


_BY_HAND: dict[PlainActivationName, tuple[Callable[[Numbers], Numbers], Callable[[Numbers], Numbers]]] = {
    "relu": (lambda z: np.maximum(z, 0), lambda z: np.where(z > 0, 1.0, 0.0)),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "sigmoid": (_sigmoid, lambda z: _sigmoid(z) * (1 - _sigmoid(z))),
    "gelu": (lambda z: z * _normal(z), lambda z: _normal(z) + z * np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)),
    "silu": (lambda z: z * _sigmoid(z), lambda z: _sigmoid(z) * (1 + z * (1 - _sigmoid(z)))),
    "softplus": (lambda z: np.logaddexp(z, 0), _sigmoid),
    "identity": (lambda z: z, np.ones_like),
}


def by_hand(config: Activation, z: Numbers) -> tuple[Numbers, Numbers]:
    """f(z) and f′(z) by the table in `nnjax.models.activations`, computed without JAX."""
    match config:
        case LeakyReLU(negative_slope=slope):
            return np.where(z >= 0, z, slope * z), np.where(z >= 0, 1.0, slope)
        case ELU(alpha=alpha):
            below = np.exp(np.minimum(z, 0))
            return np.where(z > 0, z, alpha * (below - 1)), np.where(z > 0, 1.0, alpha * below)
        case PlainActivation(name=name):
            f, slope_of = _BY_HAND[name]
            return f(z), slope_of(z)


def hand_formula(layers: Sequence[TracedLayer], loss: Loss, step: Step) -> Check:
    """Checks a step against the textbook's formulas, applied to the trace's weighted sums.

    Forward: z = Σ w · x + w₀ and y = f(z). Backward: δ = f′(z) · ∂E/∂y in the output layer, with the loss's `gradient` for
    ∂E/∂y; δ = f′(z) · Σ w · δ of the next layer in the others. A weight's gradient is the mean over the batch of δ · input.
    """
    pairs: list[tuple[Numbers, Numbers]] = []
    values, outputs = step.passes.layers, step.passes.layers[-1].y
    by_loss = definition_of(loss).gradient
    back = values[-1].d_y if by_loss is None else by_loss(loss, outputs, step.targets)
    for index in reversed(range(len(layers))):
        inputs, weights, found = step.layer_inputs(index), step.weights[index], values[index]
        f, slope = by_hand(layers[index].activation, found.z)
        z = inputs @ weights.kernel + (0.0 if weights.bias is None else weights.bias)
        delta = back * slope
        gradient, kernel = step.gradients[index], inputs.T @ delta / len(inputs)
        pairs += [(found.z, z), (found.y, f), (found.d_activation, slope), (found.d_y, back), (found.delta, delta)]
        pairs += [(gradient.kernel, kernel)]
        if gradient.bias is not None:
            pairs += [(gradient.bias, delta.mean(axis=0))]
        back = delta @ weights.kernel.T
    return _check(step, "hand formula", pairs)


def optimizer_update(step: Step) -> Check:
    """Checks that new weight = old weight + signed learning rate × gradient."""
    pairs = []
    for old, gradient, new in zip(step.weights, step.gradients, step.new_weights, strict=True):
        pairs.append((new.kernel, old.kernel + step.rate * gradient.kernel))
        if gradient.bias is not None and old.bias is not None and new.bias is not None:
            pairs.append((new.bias, old.bias + step.rate * gradient.bias))
    return _check(step, "optimizer update", pairs)


def _check(step: Step, what: str, pairs: Iterable[tuple[Numbers, Numbers]]) -> Check:
    compared, largest, relative, agrees = 0, 0.0, 0.0, True
    for found, expected in pairs:
        difference = float(np.abs(found - expected).max(initial=0))
        scale = float(np.abs(expected).max(initial=0))
        agrees &= difference <= _ROUNDING * scale + _CANCELLED
        largest, relative = max(largest, difference), max(relative, difference / scale if scale else difference)
        compared += found.size
    return _result(step, what, largest, relative, agrees, compared, compared, "")


def finite_differences(
    step: Step,
    loss: Loss,
    network: SplitNetwork,
    params: Pytree,
    model_state: Pytree,
    inputs: ArrayLike,
    targets: ArrayLike,
    kinked: Sequence[str],
) -> Check:
    """Checks each weight's gradient against (E(w + h) − E(w − h)) / 2h; call it under `jax.enable_x64`.

    The step h changes a weighted sum by about 1e-5. The tolerance includes the gap to the difference over 2h and float64's
    resolution. If a weighted sum crosses its activation's kink within the step, the difference does not approximate the
    derivative: such weights are left out and counted, and so are those whose step is lost to rounding.

    Args:
        step: the step whose gradients are checked.
        loss: its loss function.
        network: from `traced_network`.
        params: before the step.
        model_state: before the step.
        inputs: the batch's, as for `passes.passes`.
        targets: the batch's, as for `passes.passes`.
        kinked: names of the layers whose activation has a kink.
    """
    flat, _ = ravel_pytree(params)
    gradients, _ = ravel_pytree(step.passes.gradients)
    total = len(flat)
    chosen = np.arange(total)
    if total > MAX_DIFFERENCES:
        chosen = np.sort(np.random.default_rng(0).choice(total, MAX_DIFFERENCES, replace=False))
    largest_input = max(1.0, *(float(np.abs(step.layer_inputs(index)).max()) for index in range(len(step.weights))))
    steps = _STEP / largest_input * np.maximum(1, np.abs(np.asarray(flat)[chosen]))
    measured = _slopes(loss, network, tuple(kinked), params, model_state, inputs, targets, chosen, steps)
    slope, wide, smooth = (np.asarray(part) for part in measured)
    measurable = np.isfinite(slope) & np.isfinite(wide)  # not where w + h rounds to w − h, as with inputs of 1e20
    usable = smooth & measurable
    expected = np.asarray(gradients)[chosen]
    difference, scale = np.abs(slope - expected), float(np.abs(expected).max(initial=0))
    allowed = _DIFFERENCES * scale + np.abs(wide - slope) + _rounded_loss(step) / steps + _CANCELLED
    wrong = ~(difference <= allowed)  # also where the gradient is NaN
    largest = float(difference[usable].max(initial=0))
    notes = []
    if total > len(chosen):
        notes.append(f"a sample of {len(chosen)} of {total} weights")
    if unmeasurable := int((~measurable).sum()):
        notes.append(f"{unmeasurable} left out, as their step is too small for float64 beside such inputs")
    if left_out := int((measurable & ~smooth).sum()):
        notes.append(f"{left_out} left out, as a weighted sum passes the kink of its activation within the step")
    relative = largest / scale if scale else largest
    agrees = not wrong[usable].any() if usable.any() else None
    return _result(step, "finite differences", largest, relative, agrees, int(usable.sum()), total, "; ".join(notes))


def _rounded_loss(step: Step) -> float:
    """Bound on the mean loss's rounding error, from all products, sums and outputs; near the minimum it exceeds the loss."""
    errors = step.passes.losses.copy()
    for index, (weights, values) in enumerate(zip(step.weights, step.passes.layers, strict=True)):
        summed = np.abs(step.layer_inputs(index)) @ np.abs(weights.kernel)
        if weights.bias is not None:
            summed += np.abs(weights.bias)
        errors += (np.abs(values.delta) * summed + np.abs(values.d_y * values.y)).sum(axis=1)
    return _EPSILON * float(errors.mean())


def kinked_layers(layers: Iterable[TracedLayer]) -> list[str]:
    """Names of the layers whose activation has a kink at 0."""
    return [layer.name for layer in layers if layer.activation.name in _KINKED]


@partial(jax.jit, static_argnums=(0, 1, 2))
def _slopes(
    loss: Loss,
    network: SplitNetwork,
    kinked: tuple[str, ...],
    params: Pytree,
    model_state: Pytree,
    inputs: Array,
    targets: Array,
    chosen: Array,
    steps: Array,
) -> tuple[Array, Array, Array]:
    """For each chosen weight: the central difference over h, the one over 2h, and whether both steps cross no kink."""
    flat, unravel = ravel_pytree(params)

    def at(point: Array) -> tuple[Array, list[Array]]:
        losses, _ = batch_losses(loss, network, unravel(point), model_state, inputs, targets)
        zs, _ = forward(network, unravel(point), model_state, inputs)
        return losses.mean(), [jnp.sign(zs[name]) for name in kinked]

    _, signs = at(flat)

    def one(weight: tuple[Array, Array]) -> tuple[Array, Array, Array]:
        index, h = weight
        slopes, smooth = [], jnp.array(True)
        for size in (h, 2 * h):
            above, below = flat.at[index].add(size), flat.at[index].add(-size)
            (high, signs_above), (low, signs_below) = at(above), at(below)
            slopes.append((high - low) / (above[index] - below[index]))
            for there in (signs_above, signs_below):
                smooth &= jnp.array([jnp.all(a == b) for a, b in zip(signs, there, strict=True)]).all()
        return slopes[0], slopes[1], smooth

    slopes: tuple[Array, Array, Array] = jax.lax.map(one, (chosen, steps))
    return slopes


def _result(
    step: Step, what: str, largest: float, relative: float, agrees: bool | None, compared: int, of: int, note: str
) -> Check:
    return {
        "iteration": step.number,
        "what": what,
        "largest_difference": largest,
        "relative": relative,
        "agrees": None if agrees is None else bool(agrees),
        "compared": compared,
        "of": of,
        "note": note,
    }
