"""LayerNorm that is true however far from 0 the values of an example lie.

layer = LayerNorm(32, dtype=jnp.float32, rngs=rngs)
layer(inputs)                                              # [..., 32] → [..., 32]
"""

import jax.numpy as jnp
from flax import nnx
from jax import Array, lax


class LayerNorm(nnx.LayerNorm):
    """Flax's LayerNorm over the last axis, of values that are centred before it sees them.

    Flax takes the variance as E[x²] − E[x]², which loses all digits where the mean is a few thousand times the spread, and a
    mean that is rounded to float32. The layer's outputs and gradients do not depend on what is subtracted from all values of an
    example; of centred ones nothing is lost.
    """

    def __call__(self, inputs: Array) -> Array:  # type: ignore[override]
        """Normalises each example of `inputs` [..., features]."""
        x = inputs.astype(jnp.promote_types(inputs.dtype, jnp.float32))
        outputs: Array = super().__call__(x - lax.stop_gradient(x.mean(-1, keepdims=True)))
        return outputs
