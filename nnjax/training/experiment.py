"""A config made ready to run: the devices, the recipe of a step, and its compiled forms.

experiment, state = set_up(config, dataset, devices)
evaluation = experiment.evaluate(state, dataset.test)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import numpy as np
import optax

from nnjax.checks.plan import Plan, make_plan
from nnjax.checks.rates import rate_from
from nnjax.config.errors import ConfigError
from nnjax.config.schema import Config
from nnjax.data.dataset import Dataset
from nnjax.models.layer_summary import num_params
from nnjax.models.whitening import whitening_kernel
from nnjax.parallel.abstract_placement import AbstractPlacement
from nnjax.parallel.placement import Placement
from nnjax.parallel.program_store import PROGRAMS
from nnjax.training.evaluation import Evaluator
from nnjax.training.hyperparams import Hyperparams, TrialParams, as_arrays, trial_params
from nnjax.training.initial_state import abstract_state, create_state
from nnjax.training.optimizers import make_optimizer
from nnjax.training.program_use import ProgramUse
from nnjax.training.recipe import hyperparams, lookahead_of, make_recipe
from nnjax.training.state import TrainState
from nnjax.training.state_layout import StateLayout
from nnjax.training.step import StepRecipe

_FLOPS_AT_ONCE = 1e6  # up to here an operation takes the CPU less time than its dispatch

_WHITENING_EXAMPLES = 5000  # as many as airbench94 takes; a hundredth of them would give nearly the same filters


@dataclass(frozen=True)
class Experiment:
    """Everything that stays the same through a run.

    Attributes:
        plan: step counts, schedule and trials of the config and its dataset.
        dataset: the data for training and tests.
        placement: the devices, and the layout of the trials on them.
        layout: how a state lies on them.
        trial_params: each trial's numbers, as NumPy arrays.
        hyperparams: the numbers that all trials share, as NumPy arrays.
        recipe: the step of the first trial, with plain numbers.
        relative_schedule: from the step to the learning rate, as a share of its peak.
        evaluate: measures a split.
    """

    plan: Plan
    dataset: Dataset
    placement: Placement
    layout: StateLayout
    trial_params: TrialParams
    hyperparams: Hyperparams
    recipe: StepRecipe
    relative_schedule: optax.Schedule
    evaluate: Evaluator

    @property
    def config(self) -> Config:
        """The config of the plan."""
        return self.plan.config

    @property
    def classification(self) -> bool:
        """Whether targets are classes."""
        return self.dataset.spec.task == "classification"

    def learning_rate(self, step: int, trial: int = 0) -> float:
        """A trial's learning rate in the step after `step` steps."""
        return self.plan.trials[trial].learning_rate * float(self.relative_schedule(step))

    def recipe_of(self, trial: TrialParams, shared: Hyperparams) -> StepRecipe:
        """The step's recipe for one trial's traced numbers, inside a compiled function."""
        return make_recipe(self.plan, self.recipe.network, trial, shared)


def set_up(
    config: Config,
    dataset: Dataset,
    devices: Sequence[jax.Device],
    *,
    standing_for: int | None = None,
    draws: bool = True,
) -> tuple[Experiment, TrainState]:
    """Makes an experiment and its initial state, as NumPy arrays or on the first device.

    Args:
        config: the experiment's config.
        dataset: the data of `config.data`.
        devices: as from `nnjax.parallel.devices.select_devices`.
        standing_for: a number of devices, for an experiment of which programs are compiled and never run: the state has shapes
            in the place of arrays, and each device has the share of one of so many.
        draws: whether to draw the initial state; else it has shapes in the place of arrays, for those of a checkpoint.

    Raises:
        ConfigError: if the dataset turns out smaller than its kind usually is, without one whole batch.
    """
    spec, training = dataset.spec, config.training
    if spec.num_train < training.global_batch_size:
        raise ConfigError(
            f"training.global_batch_size={training.global_batch_size}: must be at most {spec.num_train}, "
            f"the training examples that this copy of data={spec.name} has"
        )
    plan = make_plan(config, spec)
    optimizer = make_optimizer(config.optimizer, plan.relative_rate)
    is_drawn = draws and standing_for is None
    if is_drawn:
        network, state = create_state(config, spec, optimizer)
        state = _with_whitening(state, config, dataset)
    else:
        network, state = abstract_state(config, spec, optimizer)
    if lookahead_of(config.optimizer) is not None:
        state = replace(state, slow=(state.params, state.model_state))
    numbers = hyperparams(plan, dataset, network.kept)
    trial = TrialParams(config.seed, plan.trials[0].learning_rate)
    recipe = make_recipe(plan, network, trial, numbers)
    at_once = _trials_at_once(plan, state, devices[0].platform)
    places = (config.parallel.name, devices, plan.num_trials, at_once)
    placement = Placement(*places) if standing_for is None else AbstractPlacement(*places, standing_for)
    layout = StateLayout(placement, recipe.averaging, optimizer, state.params)
    if layout.is_sharded and is_drawn:  # no device holds all of the optimizer's memory
        state = replace(state, opt_state=jax.device_get(state.opt_state))
    use = partial(ProgramUse, config, spec, network, devices)
    trials = (plan.num_trials, at_once) if placement.many else 1
    evaluation = "evaluate", config.parallel.name, trials, training.precision, training.test_views

    def rate_program() -> Callable[[Any, Any], jax.Array]:  # one small program, where eager operations are ten
        return jax.jit(lambda courses, step: rate_from(config.schedule, courses)(step))

    experiment = Experiment(
        plan=plan,
        dataset=dataset,
        placement=placement,
        layout=layout,
        trial_params=trial_params(plan.trials),
        hyperparams=as_arrays(numbers),
        recipe=recipe,
        relative_schedule=partial(PROGRAMS.get(use("rate").key, rate_program), as_arrays(numbers.schedule)),
        evaluate=Evaluator(
            recipe,
            placement,
            plan.shares(len(devices)).global_eval_batch_size,
            training.test_views,
            use=use(evaluation, parts=("model", "activation", "loss")),
        ),
    )
    return experiment, state


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
