"""Lookahead: slow weights that follow the trained ones ("Lookahead Optimizer: k steps forward, 1 step back", 2019).

slow, (params, model_state) = look_ahead(options, slow, (params, model_state), step=step + 1, total_steps=475)

optax.lookahead keeps both kinds of weights in `params`, has a constant step size only, and takes BatchNorm's running
statistics from the last few batches, which do not fit the slow weights.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from nnjax.config.training_options import Lookahead

Pytree = Any


def look_ahead(
    options: Lookahead,
    slow: Pytree,
    fast: Pytree,
    *,
    step: Array,
    total_steps: int | Array,
    ends: Sequence[int] | Array | None = None,
) -> tuple[Pytree, Pytree]:
    """Moves slow and fast weights towards each other, if it is time.

    Args:
        options: the period and the step size; their numbers may be traced arrays.
        slow: arrays after the last meeting.
        fast: arrays of the same shapes, as trained since then.
        step: int32, steps done, this one included.
        total_steps: steps of the training as planned; past them, its share stays 1.
        ends: the steps after which the fast weights become the slow ones; None is `total_steps` alone.

    Returns:
        Slow and fast arrays.
    """
    share = jnp.minimum(step / total_steps, 1)
    step_size = 1 - (1 - options.slow_step_size) * share**options.power  # share**0 is 1, for a plain 0 too

    def meet() -> tuple[Pytree, Pytree]:
        met = jax.tree.map(lambda s, f: s + step_size.astype(s.dtype) * (f - s), slow, fast)
        return met, met

    def end() -> tuple[Pytree, Pytree]:
        return slow, slow

    def go_on() -> tuple[Pytree, Pytree]:
        return slow, fast

    is_end = jnp.isin(step, jnp.asarray((total_steps,) if ends is None else ends, step.dtype))
    which = jnp.where(step % options.sync_period == 0, 2, jnp.where(is_end, 1, 0))
    slow, fast = lax.switch(which, [go_on, end, meet])
    return slow, fast
