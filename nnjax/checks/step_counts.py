"""The durations of a config, in optimizer steps.

steps = step_counts(config, spec)    # StepCounts(total=600, duration=600, planned=600, per_epoch=20, …)
steps.of(Duration(5, "%"))           # 30
"""

from dataclasses import dataclass

from nnjax.config.schema import Config
from nnjax.config.types import Duration
from nnjax.data.dataset_spec import DatasetSpec


@dataclass(frozen=True)
class StepCounts:
    """How long a training and its parts are, in optimizer steps.

    Attributes:
        total: steps that are taken unless a stop rule ends the training earlier: `duration`, or `debug.max_steps` if smaller.
        duration: steps of `training.duration`.
        planned: steps of `training.planned`, or else of `training.duration`. Schedules span them and percents refer to them, so
            that `debug.max_steps` shows the beginning of the training and not the whole training in small.
        per_epoch: steps that make an epoch; an incomplete last batch is dropped.
        batch_size: examples per step, over all devices.
        evaluate_every: steps between two evaluations.
        checkpoint_every: steps between two checkpoints; None saves at the end only.
    """

    total: int
    duration: int
    planned: int
    per_epoch: int
    batch_size: int
    evaluate_every: int
    checkpoint_every: int | None

    def of(self, duration: Duration, whole: int | None = None) -> int:
        """Converts a duration to steps, at least 1.

        Args:
            duration: in any unit.
            whole: the steps that a percentage refers to; by default `planned`.
        """
        return duration.in_steps(self.per_epoch, self.batch_size, self.planned if whole is None else whole)


def step_counts(config: Config, spec: DatasetSpec) -> StepCounts:
    """Computes the step counts of a config.

    Args:
        config: its `training.duration` and `training.planned` are not in percent, as `check_config` makes sure.
        spec: the dataset, whose size sets the length of an epoch.

    Raises:
        ValueError: if `training.duration` or `training.planned` is in percent.
    """
    training, per_epoch = config.training, steps_per_epoch(config, spec)
    duration = training.duration.in_steps(per_epoch, training.global_batch_size)
    planned = duration if training.planned is None else training.planned.in_steps(per_epoch, training.global_batch_size)

    def of(some: Duration) -> int:
        return some.in_steps(per_epoch, training.global_batch_size, planned)

    return StepCounts(
        total=duration if config.debug.max_steps is None else min(duration, config.debug.max_steps),
        duration=duration,
        planned=planned,
        per_epoch=per_epoch,
        batch_size=training.global_batch_size,
        evaluate_every=of(training.evaluate_every),
        checkpoint_every=None if training.checkpoint_every is None else of(training.checkpoint_every),
    )


def steps_per_epoch(config: Config, spec: DatasetSpec) -> int:
    """Whole batches in the training split; 0 if it is smaller than one batch."""
    return spec.num_train // config.training.global_batch_size
