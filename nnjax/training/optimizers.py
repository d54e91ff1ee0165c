"""Optimizers, from config to optax.

optimizer = make_optimizer(config.optimizer, relative_rate(config, dataset.spec))
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import optax
from optax.contrib import MuonDimensionNumbers

from nnjax.config.errors import ConfigError
from nnjax.config.option_numbers import is_off
from nnjax.config.registry import registered_as
from nnjax.config.training_options import (
    SGD,
    Adam,
    Lion,
    Muon,
    MuonSGD,
    Optimizer,
    Textbook,
)
from nnjax.training.parameter_groups import OTHERS, group_labels, parameter_name

_Rule = SGD | Adam | Lion | Muon | MuonSGD


def make_optimizer(
    config: Optimizer,
    relative: optax.Schedule,
    complements: Mapping[str, Any] = MappingProxyType({}),
    norm: Callable[[Any], Any] | None = None,
) -> optax.GradientTransformation:
    """The optimizer of a config: clipping, then weight decay where it belongs to the gradient, then the rule itself.

    Left out are what freezes a parameter group (`nnjax.training.parameter_groups.update_unfrozen`), and `config.lookahead`:
    `nnjax.training.lookahead` also moves BatchNorm's statistics.

    Args:
        config: which rule and its constants. A number may be a traced array; a plain 0 leaves its operation out.
        relative: the learning rate over the steps, as a share of `config.learning_rate`.
        complements: as from `complements_of`; needed where the numbers are traced.
        norm: the L2 norm of a tree of gradients, where an update gets a share of each only; None computes it from them alone.

    Raises:
        ConfigError: by `init`, where a group's `parameters` fit no parameter.
    """
    if isinstance(config, Textbook):
        return optax.scale_by_learning_rate(lambda step: config.learning_rate * relative(step), flip_sign=False)
    clip = optax.identity() if config.clip_norm is None else _clip(config.clip_norm, norm)
    groups = config.parameter_groups
    if not groups:
        return optax.chain(clip, _rule(config, relative, _is_weight, complements))
    rules = {OTHERS: _rule(config, relative, _is_weight, complements)}
    for index, group in enumerate(groups):
        own = config if group.weight_decay is None else replace(config, weight_decay=group.weight_decay)
        decays = _is_weight if group.weight_decay is None else _is_any
        rules[str(index)] = _rule(own, _multiplied(relative, group.multiplier), decays, complements)
    return optax.chain(clip, optax.partition(rules, lambda params: group_labels(groups, params)))


def _clip(most: Any, norm: Callable[[Any], Any] | None) -> optax.GradientTransformation:
    """`optax.clip_by_global_norm`, with another norm if one is given."""
    if norm is None:
        return optax.clip_by_global_norm(most)

    def scaled(grads: Any, params: Any) -> Any:
        found = norm(grads)
        return jax.tree.map(lambda g: jnp.where(found < most, g, g / found.astype(g.dtype) * most), grads)

    return optax.stateless(scaled)


def _multiplied(relative: optax.Schedule, multiplier: float) -> optax.Schedule:
    return lambda step: multiplier * relative(step)


def complements_of(config: Optimizer) -> dict[str, float]:
    """1 − b1 and 1 − b2 of Adam and Lion, by name, computed in float64.

    As the difference of two float32 numbers, 1 − 0.999 would be off by 1e-5 of itself, and 1 − 0.99999999 would be 0. Muon
    needs none: it normalises its updates, and their scale with them.
    """
    return {"b1": 1 - config.b1, "b2": 1 - config.b2} if isinstance(config, Adam | Lion) else {}


def _rule(
    config: _Rule, relative: optax.Schedule, decays: Callable[[Any], Any], complements: Mapping[str, Any]
) -> optax.GradientTransformation:
    """The update rule.

    Args:
        config: which, and its constants.
        relative: as in `make_optimizer`.
        decays: from parameters to a tree of booleans: whether weight decay applies.
        complements: as in `make_optimizer`.
    """

    def learning_rate(step: Any) -> Any:
        return config.learning_rate * relative(step)

    decay = optax.add_decayed_weights(config.weight_decay, mask=decays)
    match config:
        case SGD():
            return optax.chain(decay, optax.sgd(learning_rate, _unless_off(config.momentum), nesterov=config.nesterov))
        case Adam(name="adam"):
            adam = _scale_by_adam(config, complements or complements_of(config))
            return optax.chain(decay, optax.chain(adam, optax.scale_by_learning_rate(learning_rate)))
        case Adam():
            adam = _scale_by_adam(config, complements or complements_of(config))
            return optax.chain(adam, decay, optax.scale_by_learning_rate(learning_rate))
        case Lion():
            lion = _scale_by_lion(config, complements or complements_of(config))
            return optax.chain(lion, decay, optax.scale_by_learning_rate(learning_rate))
        case Muon():
            # As optax.contrib.muon, whose AdamW looks ahead as Muon does, and decays nothing.
            muon = optax.chain(_scale_by_muon(config), _widened(), decay, optax.scale_by_learning_rate(learning_rate))
            adam = optax.chain(
                optax.scale_by_adam(),
                decay,
                optax.scale_by_learning_rate(lambda step: config.adam_learning_rate * relative(step)),
            )
            return optax.partition({"muon": muon, "adam": adam}, _muon_or_adam)
        case MuonSGD():
            sgd = optax.sgd(
                lambda step: config.sgd_learning_rate * relative(step),
                _unless_off(config.sgd_momentum),
                nesterov=config.nesterov,
            )
            rules = {
                "muon": optax.chain(_scale_by_muon(config), optax.scale_by_learning_rate(learning_rate), _renormalize()),
                "sgd": optax.chain(decay, sgd),
            }
            return optax.partition(rules, _muon_or_sgd)
        case _:
            option = registered_as(config)
            assert option is not None, "an optimizer without a rule"
            built = option.build(config, learning_rate)
            if not isinstance(built, optax.GradientTransformation):
                wanted = "must return an optax.GradientTransformation"
                raise ConfigError(f"optimizer={config.name}: its function {wanted}; it returned {type(built).__name__}")
            return optax.chain(decay, built)


def _scale_by_adam(config: Adam, complements: Mapping[str, Any]) -> optax.GradientTransformation:
    """`optax.scale_by_adam`, whose 1 − b1 and 1 − b2 are given."""

    def update(grads: Any, state: optax.ScaleByAdamState, params: Any = None) -> tuple[Any, optax.ScaleByAdamState]:
        mu = jax.tree.map(lambda g, m: complements["b1"] * g + config.b1 * m, grads, state.mu)
        nu = jax.tree.map(lambda g, v: complements["b2"] * g**2 + config.b2 * v, grads, state.nu)
        count = optax.safe_increment(state.count)
        mu_hat = _unbiased(mu, complements["b1"], count)
        nu_hat = _unbiased(nu, complements["b2"], count)
        updates = jax.tree.map(lambda m, v: m / (jnp.sqrt(v) + config.eps), mu_hat, nu_hat)
        return updates, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(optax.scale_by_adam().init, update)


def _unbiased(moment: Any, complement: Any, count: Any) -> Any:
    """Moments divided by 1 − bᵗ, from 1 − b: `optax.tree.bias_correction` divides by 0 where b is 1 in float32."""
    share = -jnp.expm1(count * jnp.log1p(-complement))
    return jax.tree.map(lambda m: m / share.astype(m.dtype), moment)


def _scale_by_lion(config: Lion, complements: Mapping[str, Any]) -> optax.GradientTransformation:
    """`optax.scale_by_lion`, whose 1 − b1 and 1 − b2 are given."""

    def update(grads: Any, state: optax.ScaleByLionState, params: Any = None) -> tuple[Any, optax.ScaleByLionState]:
        updates = jax.tree.map(lambda g, m: jnp.sign(complements["b1"] * g + config.b1 * m), grads, state.mu)
        mu = jax.tree.map(lambda g, m: complements["b2"] * g + config.b2 * m, grads, state.mu)
        return updates, optax.ScaleByLionState(optax.safe_increment(state.count), mu)

    return optax.GradientTransformation(optax.scale_by_lion().init, update)


def _unless_off(momentum: Any) -> Any:
    """The momentum; None where it is a plain 0, as then the optimizer keeps no memory of it."""
    return None if is_off(momentum) else momentum


def _scale_by_muon(config: Muon | MuonSGD) -> optax.GradientTransformation:
    return optax.contrib.scale_by_muon(
        ns_steps=config.newton_schulz_steps,
        beta=config.momentum,
        nesterov=config.nesterov,
        weight_dimension_numbers=_matrix_axes,
    )


def _widened() -> optax.GradientTransformation:
    """Makes an update √(outputs / inputs) times as large where there are more outputs, so that rates suit all widths."""

    def scaled(update: jax.Array) -> jax.Array:
        outputs = update.shape[-1]
        return update * math.sqrt(max(1, outputs * outputs / update.size))

    return optax.stateless(lambda updates, params: jax.tree.map(scaled, updates))


def _renormalize() -> optax.GradientTransformation:
    """Makes an update start from the kernels scaled to the norm √n, with n their outputs."""

    def scaled(update: jax.Array, kernel: jax.Array) -> jax.Array:
        norm = jnp.linalg.norm(kernel.ravel())
        factor: jax.Array = jnp.sqrt(kernel.shape[-1]) / jnp.where(norm > 0, norm, 1)  # zeros stay zeros
        return update + kernel * (factor - 1)

    return optax.stateless(lambda updates, params: jax.tree.map(scaled, updates, params))


def _muon_or_sgd(params: Any) -> Any:
    """A tree of the labels "muon", for kernels of all layers but the output layer, and "sgd"."""

    def label(path: Any, p: Any) -> str:
        return "muon" if p.ndim > 1 and not parameter_name(path).startswith("output.") else "sgd"

    return jax.tree_util.tree_map_with_path(label, params)


def _muon_or_adam(params: Any) -> Any:
    """A tree of the labels "muon", for matrices and kernels, and "adam"."""
    return jax.tree.map(lambda p: "muon" if p.ndim > 1 else "adam", params)


def _is_weight(params: Any) -> Any:
    """A tree of booleans: true for matrices and kernels, false for biases and scales."""
    return jax.tree.map(lambda p: p.ndim > 1, params)


def _is_any(params: Any) -> Any:
    """A tree of booleans: every parameter."""
    return jax.tree.map(lambda _: True, params)


def _matrix_axes(params: Any) -> Any:
    """How Muon flattens each weight to a matrix: all axes but the last are inputs, the last are outputs."""

    def axes(p: Any) -> MuonDimensionNumbers | None:
        return MuonDimensionNumbers(tuple(range(p.ndim - 1)), p.ndim - 1) if p.ndim > 1 else None

    return jax.tree.map(axes, params)
