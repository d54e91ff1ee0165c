"""A config made ready to run: the devices, the recipe of a step, and its compiled forms.

experiment, state = set_up(config, dataset, devices)
evaluation = experiment.evaluate(state, dataset.test)
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import jax
import numpy as np
import optax

from nnjax.checks.plan import Plan, make_plan
from nnjax.config.errors import ConfigError
from nnjax.config.schema import Config
from nnjax.config.training_options import Optimizer, Textbook
from nnjax.data.dataset import Dataset
from nnjax.models.layer_summary import num_params
from nnjax.models.whitening import whitening_kernel
from nnjax.parallel.placement import Placement
from nnjax.training.evaluation import Evaluator
from nnjax.training.hyperparams import TrialParams
from nnjax.training.optimizers import make_optimizer
from nnjax.training.parameter_groups import first_frozen_steps
from nnjax.training.state import TrainState, create_state
from nnjax.training.step import StepRecipe

_FLOPS_AT_ONCE = 1e6  # up to here an operation takes the CPU less time than its dispatch

_WHITENING_EXAMPLES = 5000  # as many as airbench94 takes; a hundredth of them would give nearly the same filters


@dataclass(frozen=True)
class Experiment:
    """What stays the same through a run.

    Attributes:
        config: what was asked for.
        dataset: what is trained and tested on.
        placement: the devices, and the layout of the trials on them.
        recipe: what a step is made of.
        plan: what follows from the config and the dataset: step counts, schedule, trials.
        relative_schedule: from the step to the learning rate, as a share of its peak.
        evaluate: measures a split.
    """

    config: Config
    dataset: Dataset
    placement: Placement
    recipe: StepRecipe
    plan: Plan
    relative_schedule: optax.Schedule
    evaluate: Evaluator

    @property
    def classification(self) -> bool:
        """Whether targets are classes."""
        return self.dataset.spec.task == "classification"

    def learning_rate(self, step: int, trial: int = 0) -> float:
        """The learning rate of a trial in the step after `step` steps."""
        return self.plan.trials[trial].learning_rate * float(self.relative_schedule(step))

    def recipe_of(self, draws: TrialParams | None) -> StepRecipe:
        """The recipe of one trial, inside of a compiled function; None for the only network."""
        if draws is None:
            return self.recipe
        recipe = replace(self.recipe, seed=draws.seed)
        if draws.learning_rate is None:
            return recipe
        rule = replace(self.config.optimizer, learning_rate=draws.learning_rate)
        return replace(recipe, optimizer=_optimizer(rule, self.plan))


def set_up(config: Config, dataset: Dataset, devices: Sequence[jax.Device]) -> tuple[Experiment, TrainState]:
    """Makes an experiment and its freshly initialised state, which lies on no device in particular.

    Args:
        config: what to run.
        dataset: the data that `config.data` names, read.
        devices: as `nnjax.parallel.devices.select_devices` gives them.

    Raises:
        ConfigError: if the dataset turns out smaller than its kind usually is, and has not one whole batch.
    """
    spec, training = dataset.spec, config.training
    if spec.num_train < training.global_batch_size:
        raise ConfigError(
            f"training.global_batch_size={training.global_batch_size}: must be at most {spec.num_train}, "
            f"the training examples that this copy of data={spec.name} has"
        )
    plan = make_plan(config, spec)
    optimizer = _optimizer(config.optimizer, plan)
    network, state = create_state(config, spec, optimizer)
    lookahead = frozen_from = None
    if not isinstance(config.optimizer, Textbook):
        lookahead, groups = config.optimizer.lookahead, config.optimizer.parameter_groups
        frozen_from = first_frozen_steps(groups, state.params, plan.steps.of)
    state = _with_whitening(state, config, dataset)
    if lookahead is not None:
        state = replace(state, slow=(state.params, state.model_state))
    augment = config.data.augment
    augmented = spec.is_image and not config.debug.overfit and (augment.flip != "off" or augment.crop or augment.cutout)
    recipe = StepRecipe(
        network=network,
        optimizer=optimizer,
        lookahead=lookahead,
        frozen_from=frozen_from,
        loss=config.loss,
        augment=augment if augmented else None,
        mean=dataset.mean,
        std=dataset.std,
        classification=spec.task == "classification",
        seed=config.seed,
        steps_per_epoch=plan.steps.per_epoch,
        planned_steps=plan.steps.planned,
        ends=plan.course_ends,
    )
    at_once = _trials_at_once(plan, state, devices[0].platform)
    placement = Placement(config.parallel.name, devices, plan.num_trials, at_once)
    evaluate = Evaluator(recipe, placement, plan.shares(len(devices)).global_eval_batch_size, training.test_views)
    relative = jax.jit(plan.relative_rate)  # one small program, where eager operations are ten
    return Experiment(config, dataset, placement, recipe, plan, relative, evaluate), state


def _optimizer(optimizer: Optimizer, plan: Plan) -> optax.GradientTransformation:
    return make_optimizer(optimizer, plan.relative_rate, plan.steps.of)


def _trials_at_once(plan: Plan, state: TrainState, platform: str) -> int:
    """How many trials a device computes as one batch of networks; the others come after them.

    Convolutions of several kernels at once are grouped ones, which are slow. On the CPU the trials of all but the smallest
    networks are as fast one after another, and stay in its caches.
    """
    if any(np.ndim(leaf) == 5 for leaf in jax.tree.leaves(state.params)):  # [trials, height, width, channels, features]
        return 1
    if platform != "cpu":
        return plan.num_trials
    step_flops = 6 * plan.global_batch_size * num_params(state.params) / plan.num_trials
    return max(1, int(_FLOPS_AT_ONCE / step_flops))


def _with_whitening(state: TrainState, config: Config, dataset: Dataset) -> TrainState:
    """The state with the kernel of a whitening layer, if its model has one, from examples spread over the training split."""
    whitening = getattr(config.model, "whitening", None)
    if whitening is None:
        return state
    inputs = dataset.train.inputs[:: max(1, len(dataset.train) // _WHITENING_EXAMPLES)][:_WHITENING_EXAMPLES]
    kernel = whitening_kernel((inputs - dataset.mean) / dataset.std, whitening.size, whitening.eps)
    layer = {"kernel": np.broadcast_to(kernel, state.model_state["whitening"]["kernel"].shape)}
    return replace(state, model_state={**state.model_state, "whitening": layer})
