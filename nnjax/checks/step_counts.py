"""The durations of a config, in optimizer steps.

lengths(config, dataset.spec)    # Lengths(total_steps=600, planned_steps=600, steps_per_epoch=20, …)
"""

from dataclasses import dataclass

from nnjax.config.schema import Config
from nnjax.config.types import Duration
from nnjax.data.dataset_spec import DatasetSpec


@dataclass(frozen=True)
class Lengths:
    """How long, in optimizer steps.

    Attributes:
        total_steps: steps that are taken, unless a stop rule ends the training before.
        planned_steps: steps that `training.planned` asks for, or else `training.duration`; what schedules span and percents are
            of, so that `debug.max_steps` shows the beginning of the training and not a small copy of it.
        steps_per_epoch: steps that make an epoch; an epoch drops what does not fill a last batch.
        evaluate_every: steps between two evaluations.
        checkpoint_every: steps between two checkpoints; None saves at the end only.
    """

    total_steps: int
    planned_steps: int
    steps_per_epoch: int
    evaluate_every: int
    checkpoint_every: int | None


def lengths(config: Config, spec: DatasetSpec) -> Lengths:
    """All lengths of a config that `check_config` found right."""
    every = config.training.checkpoint_every
    return Lengths(
        total_steps=total_steps(config, spec),
        planned_steps=planned_steps(config, spec),
        steps_per_epoch=steps_per_epoch(config, spec),
        evaluate_every=in_steps(config.training.evaluate_every, config, spec),
        checkpoint_every=None if every is None else in_steps(every, config, spec),
    )


def steps_per_epoch(config: Config, spec: DatasetSpec) -> int:
    """Whole batches in the training split."""
    return spec.num_train // config.training.global_batch_size


def duration_steps(config: Config, spec: DatasetSpec) -> int:
    """`training.duration` in steps."""
    return config.training.duration.in_steps(steps_per_epoch(config, spec), config.training.global_batch_size)


def planned_steps(config: Config, spec: DatasetSpec) -> int:
    """`training.planned` in steps; `training.duration` where that is null."""
    training = config.training
    planned = training.duration if training.planned is None else training.planned
    return planned.in_steps(steps_per_epoch(config, spec), training.global_batch_size)


def total_steps(config: Config, spec: DatasetSpec) -> int:
    """Steps that are taken: `training.duration`, or `debug.max_steps` where that is less."""
    asked = duration_steps(config, spec)
    return asked if config.debug.max_steps is None else min(asked, config.debug.max_steps)


def in_steps(duration: Duration, config: Config, spec: DatasetSpec) -> int:
    """Any duration of the config in steps; percents are of `training.planned`, or else of `training.duration`."""
    batch_size = config.training.global_batch_size
    return duration.in_steps(steps_per_epoch(config, spec), batch_size, planned_steps(config, spec))
