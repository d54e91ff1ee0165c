"""Losses: how far outputs are from targets, one number per example; with the gradient by hand and the formulas in words.

    loss = example_loss(config.loss, outputs, targets)        # [b]
    accuracy = jnp.mean(is_correct(outputs, targets))

A new loss is a dataclass of options, derived from `nnjax.config.training_options.LossOptions`, and its entry in `LOSSES`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from nnjax.config.errors import ConfigError
from nnjax.config.registry import registered_as
from nnjax.config.training_options import CrossEntropy, Loss

_Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class LossWords:
    """The formulas of a loss and of its derivative, as a trace writes them.

    In braces: t is the target, y the output, (y) the output in brackets if it is negative, p its softmax probability, k the
    number of outputs, terms the sum of the terms.

    Attributes:
        term: what one output contributes, such as "({t} − {(y)})²".
        of_terms: the loss of an example.
        of_one_term: the same, where there is one term.
        gradient: ∂E/∂y of an output.
        gradient_of_one: the same, where there is one output.
        skips_zero_targets: whether an output with a target of 0 contributes nothing.
    """

    term: str
    of_terms: str
    of_one_term: str
    gradient: str
    gradient_of_one: str
    skips_zero_targets: bool = False


@dataclass(frozen=True)
class LossDefinition:
    """Everything about a loss except its options.

    Each function takes the options first. Their numbers may be traced arrays, so the functions do not branch on them.

    Attributes:
        function: (options, outputs [b, k], targets [b, k]) → the loss of each example, [b].
        gradient: (options, outputs [b, k], targets [b, k]) → the derivative by the outputs, [b, k] float64; by hand in NumPy,
            as a trace is checked against it. Without one, a trace is checked by finite differences alone.
        words: the formulas; without them, a trace gives the numbers only.
        targets: (options, targets [b, k]) → the targets that the other two functions take; of NumPy or JAX. By default the
            targets stay as they are.
    """

    function: Callable[[Any, jax.Array, jax.Array], jax.Array]
    gradient: Callable[[Any, _Numbers, _Numbers], _Numbers] | None = None
    words: LossWords | None = None
    targets: Callable[[Any, Any], Any] = lambda options, targets: targets


def _smoothed(options: CrossEntropy, targets: Any) -> Any:
    """Label smoothing s: q = (1 − s)·y + s/k (Szegedy et al., 2016, eq. 7)."""
    return (1 - options.label_smoothing) * targets + options.label_smoothing / targets.shape[-1]


def _softmax_gradient(options: Any, outputs: _Numbers, targets: _Numbers) -> _Numbers:
    powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    gradient: _Numbers = powers / powers.sum(axis=1, keepdims=True) - targets
    return gradient


# With y the target, ŷ the output and k outputs:
LOSSES: dict[str, LossDefinition] = {
    # −Σ q log softmax(ŷ), q the smoothed target; by log-softmax, since the softmax of a large logit rounds to 1, and its
    # logarithm to 0.
    "cross_entropy": LossDefinition(
        lambda options, outputs, targets: -jnp.sum(targets * jax.nn.log_softmax(outputs), axis=-1),
        _softmax_gradient,
        LossWords("{t} ln {p}", "−({terms})", "−ln {p}", "{p} − {t}", "{p} − {t}", skips_zero_targets=True),
        _smoothed,
    ),
    # (1/k) Σ (y − ŷ)²
    "mse": LossDefinition(
        lambda options, outputs, targets: jnp.square(targets - outputs).mean(axis=-1),
        lambda options, outputs, targets: (outputs - targets) * (2 / outputs.shape[1]),
        LossWords("({t} − {(y)})²", "[{terms}] / {k}", "{terms}", "−2/{k} × ({t} − {(y)})", "−2 × ({t} − {(y)})"),
    ),
    # ½ Σ (y − ŷ)²
    "half_mse": LossDefinition(
        lambda options, outputs, targets: 0.5 * jnp.square(targets - outputs).sum(axis=-1),
        lambda options, outputs, targets: outputs - targets,
        LossWords("({t} − {(y)})²", "½ × [{terms}]", "½ × {terms}", "−({t} − {(y)})", "−({t} − {(y)})"),
    ),
}


def definition_of(loss: Loss) -> LossDefinition:
    """Returns the definition of the loss that the options choose; `nnjax.register_loss` gives one that is a function alone."""
    registered = registered_as(loss)
    return LOSSES[loss.name] if registered is None else LossDefinition(registered.build)


def example_loss(loss: Loss, outputs: jax.Array, targets: jax.Array) -> jax.Array:
    """Computes the loss of each example.

    Args:
        loss: the options, whose name is an entry of `LOSSES`; their numbers may be traced arrays.
        outputs: [b, k] float32.
        targets: [b] integer class numbers, which stand for 1 at the class and 0 elsewhere, or [b, k] float32 values.

    Returns:
        [b] float32, in nats for cross-entropy, in squared units of the targets for squared errors.

    Raises:
        ConfigError: if a registered loss returns another shape.
    """
    values = targets if targets.ndim == outputs.ndim else jax.nn.one_hot(targets, outputs.shape[-1], dtype=outputs.dtype)
    definition = definition_of(loss)
    losses = definition.function(loss, outputs, definition.targets(loss, values))
    if jnp.shape(losses) != outputs.shape[:1]:
        wanted = f"must return the loss of each example, {list(outputs.shape[:1])}"
        raise ConfigError(f"loss={loss.name}: its function {wanted}; it returned {list(jnp.shape(losses))}")
    return losses


def is_correct(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    """Whether the largest output is the true class's: outputs [b, k], targets [b] → [b] float32, 1 or 0."""
    return (jnp.argmax(outputs, axis=-1) == targets).astype(jnp.float32)
