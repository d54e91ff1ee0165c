"""Optimizers and learning-rate schedules, from config to optax.

relative = relative_schedule(config.schedule, total_steps=1000, steps_per_epoch=100, batch_size=64)
optimizer = make_optimizer(config.optimizer, relative)
"""

from typing import Any

import jax
import optax
from optax.contrib import MuonDimensionNumbers

from nnjax.config.training_options import (
    SGD,
    Adam,
    Constant,
    Cosine,
    Lion,
    Muon,
    OneCycle,
    Optimizer,
    Schedule,
    Steps,
    Textbook,
    WarmupCosine,
)


def relative_schedule(schedule: Schedule, *, total_steps: int, steps_per_epoch: int, batch_size: int) -> optax.Schedule:
    """The learning rate over the steps, as a share of its peak.

    Args:
        schedule: which form.
        total_steps: length of the training, which ends at its last value.
        steps_per_epoch: what durations in epochs are multiplied by.
        batch_size: global; what durations in examples are divided by.

    Returns:
        A function from the step (0 for the first) to a factor; traceable by JAX.
    """
    match schedule:
        case Constant():
            return optax.constant_schedule(1.0)
        case Steps():
            boundaries = [end.in_steps(steps_per_epoch, batch_size, total_steps) for end in schedule.boundaries]
            return optax.piecewise_constant_schedule(1.0, dict.fromkeys(boundaries, schedule.factor))
        case Cosine():
            return optax.cosine_decay_schedule(1.0, total_steps, alpha=schedule.final)
        case WarmupCosine():
            warmup = schedule.warmup.in_steps(steps_per_epoch, batch_size, total_steps)
            return optax.warmup_cosine_decay_schedule(0.0, 1.0, warmup, total_steps, schedule.final)
        case OneCycle():
            warmup = schedule.warmup.in_steps(steps_per_epoch, batch_size, total_steps)
            up = optax.linear_schedule(schedule.start, 1.0, warmup)
            down = optax.linear_schedule(1.0, schedule.final, total_steps - warmup)
            return optax.join_schedules([up, down], [warmup])


def make_optimizer(config: Optimizer, relative: optax.Schedule) -> optax.GradientTransformation:
    """The optimizer of a config: clipping, then weight decay where it belongs to the gradient, then the rule itself.

    Args:
        config: which rule and its constants.
        relative: the learning rate over the steps, as a share of `config.learning_rate`.
    """
    if isinstance(config, Textbook):
        return optax.scale_by_learning_rate(lambda step: config.learning_rate * relative(step), flip_sign=False)
    clip = optax.identity() if config.clip_norm is None else optax.clip_by_global_norm(config.clip_norm)
    return optax.chain(clip, _rule(config, relative))


def _rule(config: SGD | Adam | Lion | Muon, relative: optax.Schedule) -> optax.GradientTransformation:
    def learning_rate(step: Any) -> Any:
        return config.learning_rate * relative(step)

    decay = optax.add_decayed_weights(config.weight_decay, mask=_is_weight)
    match config:
        case SGD():
            momentum = config.momentum or None
            return optax.chain(decay, optax.sgd(learning_rate, momentum, nesterov=config.nesterov))
        case Adam(name="adam"):
            return optax.chain(decay, optax.adam(learning_rate, config.b1, config.b2, config.eps))
        case Adam():
            return optax.adamw(
                learning_rate, config.b1, config.b2, config.eps, weight_decay=config.weight_decay, mask=_is_weight
            )
        case Lion():
            return optax.lion(learning_rate, config.b1, config.b2, weight_decay=config.weight_decay, mask=_is_weight)
        case Muon():
            return optax.contrib.muon(
                learning_rate,
                ns_steps=config.newton_schulz_steps,
                beta=config.momentum,
                nesterov=config.nesterov,
                weight_decay=config.weight_decay,
                weight_decay_mask=_is_weight,
                adam_learning_rate=lambda step: config.adam_learning_rate * relative(step),
                muon_weight_dimension_numbers=_matrix_axes,
            )


def _is_weight(params: Any) -> Any:
    """A tree of booleans: what is a matrix or kernel, neither a bias nor a scale."""
    return jax.tree.map(lambda p: p.ndim > 1, params)


def _matrix_axes(params: Any) -> Any:
    """How Muon reads each weight as a matrix: all axes but the last, the inputs, against the last, the outputs."""

    def axes(p: Any) -> MuonDimensionNumbers | None:
        return MuonDimensionNumbers(tuple(range(p.ndim - 1)), p.ndim - 1) if p.ndim > 1 else None

    return jax.tree.map(axes, params)
