"""The recipe of a step, from the structure of a plan and from numbers, plain or traced.

shared = hyperparams(plan, dataset, network.kept)
recipe = make_recipe(plan, network, TrialParams(seed=0, learning_rate=0.1), shared)
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from nnjax.checks.plan import Plan
from nnjax.checks.rates import rate_from, schedule_numbers
from nnjax.config.data_options import Augment
from nnjax.config.option_numbers import numbers_of, with_numbers
from nnjax.config.training_options import Lookahead, Optimizer, Textbook
from nnjax.config.types import Duration
from nnjax.data.dataset import Dataset
from nnjax.parallel.averaging import Averaging
from nnjax.training.hyperparams import Hyperparams, TrialParams, normalization_of
from nnjax.training.optimizers import complements_of, make_optimizer
from nnjax.training.parameter_groups import first_frozen_steps
from nnjax.training.state import SplitNetwork
from nnjax.training.step import StepRecipe


def hyperparams(plan: Plan, dataset: Dataset, kept: Mapping[str, float]) -> Hyperparams:
    """Collects the numbers that all trials share, as plain numbers.

    Args:
        plan: the config's plan.
        dataset: whose inputs are normalised.
        kept: by dropout layer, the share of values that it keeps.
    """
    config = plan.config
    augment = _augment(plan)
    return Hyperparams(
        optimizer=numbers_of(replace(config.optimizer, learning_rate=0.0)),  # a 0 is left out: each trial has its own
        complements=complements_of(config.optimizer),
        loss=numbers_of(config.loss),
        augment={} if augment is None else numbers_of(augment),
        schedule=schedule_numbers(config.schedule, plan.steps),
        frozen_from=tuple(plan.steps.of(until) for until in _ends_of_groups(config.optimizer)),
        kept=dict(kept),
        normalization=normalization_of(dataset.mean, dataset.std),
        steps_per_epoch=plan.steps.per_epoch,
        planned_steps=plan.steps.planned,
        ends=np.array(plan.course_ends, np.int32),
    )


def make_recipe(plan: Plan, network: SplitNetwork, trial: TrialParams, shared: Hyperparams) -> StepRecipe:
    """Puts a step together.

    Args:
        plan: the structure: which rule, which loss, what is switched on.
        network: the static half of the network.
        trial: one trial's numbers, plain or traced.
        shared: the numbers of all trials, likewise.
    """
    config = plan.config
    rule = with_numbers(config.optimizer, {**shared.optimizer, "learning_rate": trial.learning_rate})
    steps_of = dict(zip(_ends_of_groups(rule), shared.frozen_from, strict=True))
    groups = () if isinstance(rule, Textbook) else rule.parameter_groups
    augment, relative = _augment(plan), rate_from(config.schedule, shared.schedule)
    averaging = Averaging(config.parallel.gradients, config.parallel.bucket_bytes.bytes, network.layer_names)
    norm = averaging.norm if averaging.is_sharded else None
    return StepRecipe(
        network=network,
        optimizer=make_optimizer(rule, relative, shared.complements, norm),
        lookahead=lookahead_of(rule),
        frozen_from=lambda params: first_frozen_steps(groups, params, steps_of.__getitem__),
        loss=with_numbers(config.loss, shared.loss),
        augment=None if augment is None else with_numbers(augment, shared.augment),
        normalization=shared.normalization,
        classification=plan.spec.task == "classification",
        kept=shared.kept,
        seed=trial.seed,
        steps_per_epoch=shared.steps_per_epoch,
        planned_steps=shared.planned_steps,
        ends=shared.ends,
        averaging=averaging,
    )


def _augment(plan: Plan) -> Augment | None:
    """The random changes of training images; None where inputs are no images or nothing is switched on."""
    augment = plan.config.data.augment
    is_on = augment.flip != "off" or augment.crop or augment.cutout
    return augment if is_on and plan.spec.is_image and not plan.config.debug.overfit else None


def lookahead_of(optimizer: Optimizer) -> Lookahead | None:
    """The options of slow weights besides the trained ones, if there are any."""
    return None if isinstance(optimizer, Textbook) else optimizer.lookahead


def _ends_of_groups(optimizer: Optimizer) -> list[Duration]:
    """The durations after which parameter groups freeze."""
    groups = () if isinstance(optimizer, Textbook) else optimizer.parameter_groups
    return [group.until for group in groups if group.until is not None]
