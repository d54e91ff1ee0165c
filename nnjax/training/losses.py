"""Losses: how far outputs are from targets, one number an example.

loss = example_loss(config.loss, outputs, targets)        # [b]
accuracy = jnp.mean(is_correct(outputs, targets))
"""

import jax
import jax.numpy as jnp

from nnjax.config.registry import registered_as
from nnjax.config.training_options import CrossEntropy, Loss


def example_loss(loss: Loss, outputs: jax.Array, targets: jax.Array) -> jax.Array:
    """The loss of each example.

    With y the target (for class numbers: 1 for the true class and 0 for the others), ŷ the output and k outputs:

    - cross_entropy: −Σ q log softmax(ŷ), q = (1 − s)·y + s/k with label smoothing s (Szegedy et al., 2016, eq. 7). It is
      computed from logits by log-softmax, since the softmax of a large logit rounds to 1 and its logarithm to 0.
    - mse: (1/k) Σ (y − ŷ)².
    - half_mse: ½ Σ (y − ŷ)².

    Args:
        loss: which one.
        outputs: [b, k] float32.
        targets: [b] integer class numbers, or [b, k] float32 values.

    Returns:
        [b] float32, in nats for cross-entropy, in squared units of the targets otherwise.
    """
    y = targets if targets.ndim == outputs.ndim else jax.nn.one_hot(targets, outputs.shape[-1], dtype=outputs.dtype)
    option = registered_as(loss)
    if option is not None:
        losses: jax.Array = option.build(loss, outputs, y)
        return losses
    if isinstance(loss, CrossEntropy):
        q = (1 - loss.label_smoothing) * y + loss.label_smoothing / outputs.shape[-1]
        return -jnp.sum(q * jax.nn.log_softmax(outputs), axis=-1)
    squares = jnp.square(y - outputs)
    return squares.mean(axis=-1) if loss.name == "mse" else 0.5 * squares.sum(axis=-1)


def is_correct(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    """Whether the largest output is the true class's: outputs [b, k], targets [b] → [b] float32, 1 or 0."""
    return (jnp.argmax(outputs, axis=-1) == targets).astype(jnp.float32)
