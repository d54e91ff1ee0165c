"""The group of the config that each parameter belongs to, and the step from which it is frozen.

    frozen_from = first_frozen_steps(config.optimizer.parameter_groups, params, in_steps)      # {"conv_1": {"kernel": 3}, …}
    params = where_frozen(frozen_from, step, before, after)

All update rules freeze in the same way: `update_unfrozen` calls an optimizer, and `where_frozen` is for what follows it.
Both select whole arrays, so neither 0 · ∞, a rounding, nor the sign of a zero can move a frozen parameter.
"""

import math
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

import jax
import jax.numpy as jnp
import optax

from nnjax.config.diagnostics import NO_ORIGINS, Problem
from nnjax.config.errors import ConfigError
from nnjax.config.option_numbers import is_off
from nnjax.config.training_options import ParameterGroup
from nnjax.config.types import Duration

Pytree = Any

OTHERS = "others"


def group_labels(groups: tuple[ParameterGroup, ...], params: Pytree) -> Pytree:
    """A tree with the number of each parameter's group, as text: the last one that fits, or "others".

    Raises:
        ConfigError: where a group's `parameters` fit no parameter.
    """
    found: set[int] = set()

    def label(path: Any, _: Any) -> str:
        name = parameter_name(path)
        fitting = [index for index, group in enumerate(groups) if fnmatchcase(name, group.parameters)]
        found.update(fitting)
        return str(fitting[-1]) if fitting else OTHERS

    labels = jax.tree_util.tree_map_with_path(label, params)
    for index, group in enumerate(groups):
        if index not in found:
            names = ", ".join(parameter_name(path) for path, _ in jax.tree_util.tree_leaves_with_path(params))
            problem = Problem(
                f"optimizer.parameter_groups.{index}.parameters", group.parameters, "fits no parameter of the model"
            )
            raise ConfigError(f"{problem.line(NO_ORIGINS)}\n  parameters: {names}")
    return labels


def parameter_name(path: Any) -> str:
    """LAYER.NAME of a parameter, from its path in the tree."""
    return jax.tree_util.keystr(path, simple=True, separator=".")


def first_frozen_steps(
    groups: tuple[ParameterGroup, ...], params: Pytree, in_steps: Callable[[Duration], int] | None
) -> Pytree | None:
    """A tree with the first step, counted from 0, that leaves each parameter unchanged; ∞ where none does.

    Args:
        groups: the config's groups.
        params: the parameters that they name.
        in_steps: from a duration to optimizer steps, which may be a traced array; needed where a group has an end.

    Returns:
        The tree, of numbers; None where no group freezes anything.
    """

    def first(group: ParameterGroup) -> Any:
        if is_off(group.multiplier):
            return 0
        return math.inf if group.until is None or in_steps is None else in_steps(group.until)

    steps = {OTHERS: math.inf} | {str(index): first(group) for index, group in enumerate(groups)}
    if all(_is_never(step) for step in steps.values()):
        return None
    return jax.tree.map(lambda label: steps[label], group_labels(groups, params))


def _is_never(first: Any) -> bool:
    return isinstance(first, float) and first == math.inf


def where_frozen(frozen_from: Pytree | None, step: Any, frozen: Pytree, otherwise: Pytree) -> Pytree:
    """Takes the arrays of `frozen` for the parameters that a step leaves unchanged, and those of `otherwise` for the others.

    Args:
        frozen_from: as from `first_frozen_steps`.
        step: int32, which step, counted from 0; can be traced.
        frozen: arrays, one for each parameter.
        otherwise: arrays of the same shapes.
    """
    if frozen_from is None:
        return otherwise

    def select(first: Any, held: Any, free: Any) -> Any:
        if is_off(first):
            return held
        return free if _is_never(first) else jnp.where(step >= first, held, free)

    return jax.tree.map(select, frozen_from, frozen, otherwise)


def update_unfrozen(
    optimizer: optax.GradientTransformation, frozen_from: Pytree | None, step: Any, grads: Pytree, state: Any, params: Pytree
) -> tuple[Pytree, Any]:
    """An optimizer's update that neither moves frozen parameters nor uses their gradients.

    The step is the training's: an optimizer need not count steps, and one that accumulates gradients counts its updates.

    Args:
        optimizer: any.
        frozen_from: as from `first_frozen_steps`.
        step: int32, which step, counted from 0; can be traced.
        grads: arrays, one for each parameter.
        state: the optimizer's memory.
        params: arrays of the shapes of `grads`.

    Returns:
        The updates, and the optimizer's new memory.
    """
    # A frozen parameter's gradient must not count in the norm that clip_norm limits, above all where it is not finite.
    grads = where_frozen(frozen_from, step, jax.tree.map(jnp.zeros_like, grads), grads)
    updates, state = optimizer.update(grads, state, params)
    # x + −0 is x for every x; −0 + 0 is not −0.
    return where_frozen(frozen_from, step, jax.tree.map(lambda u: -jnp.zeros_like(u), updates), updates), state
