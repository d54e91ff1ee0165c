"""A config made ready to run: the devices, the recipe of a step, and its compiled forms.

experiment, state = set_up(config, dataset, devices)
evaluation = experiment.evaluate(state, dataset.test)
"""

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import optax

from nnjax.config.dataset_spec import DatasetSpec
from nnjax.config.errors import ConfigError
from nnjax.config.lengths import Lengths, lengths
from nnjax.config.schema import Config
from nnjax.data.dataset import Dataset
from nnjax.parallel.data_parallel import DataParallel
from nnjax.training.evaluation import Evaluator
from nnjax.training.optimizers import make_optimizer, relative_schedule
from nnjax.training.state import TrainState, create_state
from nnjax.training.step import StepRecipe


@dataclass(frozen=True)
class Experiment:
    """What stays the same through a run.

    Attributes:
        config: what was asked for.
        dataset: what is trained and tested on.
        parallel: the devices.
        recipe: what a step is made of.
        lengths: the durations of the config, in steps.
        relative_schedule: from the step to the learning rate, as a share of its peak.
        evaluate: measures a split.
    """

    config: Config
    dataset: Dataset
    parallel: DataParallel
    recipe: StepRecipe
    lengths: Lengths
    relative_schedule: optax.Schedule
    evaluate: Evaluator

    @property
    def classification(self) -> bool:
        """Whether targets are classes."""
        return self.dataset.spec.task == "classification"

    def learning_rate(self, step: int) -> float:
        """The learning rate of the step after `step` steps."""
        return self.config.optimizer.learning_rate * float(self.relative_schedule(step))


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
    durations, relative = lengths(config, spec), learning_rate_schedule(config, spec)
    optimizer = make_optimizer(config.optimizer, relative)
    network, state = create_state(config, spec, optimizer)
    augment = config.data.augment
    augmented = spec.is_image and not config.debug.overfit and (augment.flip or augment.crop or augment.cutout)
    recipe = StepRecipe(
        network=network,
        optimizer=optimizer,
        loss=config.loss,
        augment=augment if augmented else None,
        mean=dataset.mean,
        std=dataset.std,
        classification=spec.task == "classification",
        seed=config.seed,
    )
    parallel = DataParallel(config.parallel.name, devices)
    evaluate = Evaluator(recipe, parallel, training.eval_batch_size)
    return Experiment(config, dataset, parallel, recipe, durations, relative, evaluate), state


def learning_rate_schedule(config: Config, spec: DatasetSpec) -> optax.Schedule:
    """From the step (0 for the first) to the learning rate, as a share of its peak, over the whole training of a config."""
    durations = lengths(config, spec)
    return relative_schedule(
        config.schedule,
        total_steps=durations.planned_steps,
        steps_per_epoch=durations.steps_per_epoch,
        batch_size=config.training.global_batch_size,
    )
