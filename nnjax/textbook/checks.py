"""What the trace is held against: the formulas by hand in NumPy, finite differences, and the sum of weight and adjustment.

    check = hand_formula(layers, config.loss, step)
    check["agrees"], check["largest_difference"]     # True, about 1e-17

Each check is a dict ready for `trace.json`; `agrees` is None where there was nothing to compare.
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

MOST_DIFFERENCES = 500
"""Weights that finite differences are taken by; of more, a sample that is always the same."""

_ROUNDING = 1e-9  # relative to the largest number compared, and 1e-12 besides, for what cancels to almost nothing
_CANCELLED = 1e-12
_DIFFERENCES = 1e-6  # likewise relative, of finite differences
_STEP = 1e-5
_EPSILON = 20 * 2.0**-52  # of float64, and room for an activation's own rounding
_KINKED = {"relu", "leaky_relu", "elu"}  # their derivative, or elu's second one, jumps at z = 0

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
    """f(z) and f′(z) as `nnjax.models.activations` lists them, computed without JAX."""
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
    """The textbook's formulas, on the weighted sums that the trace shows.

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
    """The new weights against the old ones plus the learning rate, with its sign, times the gradient."""
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
    """The gradients against (E(w + h) − E(w − h)) / 2h, weight by weight; arguments as of `passes.passes`, under its precision.

    The step h keeps the change of a weighted sum near 1e-5. A difference is trusted as far as it agrees with the one over
    2h and as float64 resolves it. Where a weighted sum passes the kink of its activation within the step, the derivative
    has no meaning for the difference: such weights are left out, and counted.

    Args:
        step: whose gradients.
        loss: which one.
        network: as from `traced_network`.
        params: before the step.
        model_state: likewise.
        inputs: of the batch.
        targets: of the batch.
        kinked: names of the layers whose activation has a kink.
    """
    flat, _ = ravel_pytree(params)
    gradients, _ = ravel_pytree(step.passes.gradients)
    total = len(flat)
    chosen = np.arange(total)
    if total > MOST_DIFFERENCES:
        chosen = np.sort(np.random.default_rng(0).choice(total, MOST_DIFFERENCES, replace=False))
    largest_input = max(1.0, *(float(np.abs(step.layer_inputs(index)).max()) for index in range(len(step.weights))))
    steps = _STEP / largest_input * np.maximum(1, np.abs(np.asarray(flat)[chosen]))
    measured = _slopes(loss, network, tuple(kinked), params, model_state, inputs, targets, chosen, steps)
    slope, wide, smooth = (np.asarray(part) for part in measured)
    expected = np.asarray(gradients)[chosen]
    difference, scale = np.abs(slope - expected), float(np.abs(expected).max(initial=0))
    wrong = difference > _DIFFERENCES * scale + np.abs(wide - slope) + _rounded_loss(step) / steps + _CANCELLED
    largest = float(difference[smooth].max(initial=0))
    notes = []
    if total > len(chosen):
        notes.append(f"a sample of {len(chosen)} of {total} weights")
    if left_out := int((~smooth).sum()):
        notes.append(f"{left_out} left out, as a weighted sum passes the kink of its activation within the step")
    relative = largest / scale if scale else largest
    agrees = not wrong[smooth].any() if smooth.any() else None
    return _result(step, "finite differences", largest, relative, agrees, int(smooth.sum()), total, "; ".join(notes))


def _rounded_loss(step: Step) -> float:
    """What rounding every product, sum and output can do to the mean loss: near its minimum, more than the loss itself."""
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
    """For each chosen weight: the central difference over h, the one over 2h, and whether no kink is near."""
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
