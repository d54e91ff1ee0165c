"""The share of a run that each device gets: whole trials with whole batches, or a part of every batch.

shares = device_shares(config, spec, num_devices=2)
shares.batch_size                # 32 examples of each step, where one network is trained with batches of 64
"""

import math
from dataclasses import dataclass

from nnjax.checks.trials import num_trials
from nnjax.config.schema import Config
from nnjax.data.dataset_spec import DatasetSpec


@dataclass(frozen=True)
class DeviceShares:
    """The share of one device.

    Attributes:
        whole_trials: whether each device trains trials of its own, on whole batches; else every batch is split.
        num_trials: the most trials that one device trains.
        batch_size: examples of a training step, of each trial.
        eval_batch_size: examples of an evaluation batch.
        global_eval_batch_size: examples of an evaluation batch over all devices: `training.eval_batch_size`, or fewer where
            the splits that are evaluated are smaller, so that these are not padded to a whole batch.
    """

    whole_trials: bool
    num_trials: int
    batch_size: int
    eval_batch_size: int
    global_eval_batch_size: int


def device_shares(config: Config, spec: DatasetSpec, num_devices: int) -> DeviceShares:
    """Computes the share of each of so many devices.

    Args:
        config: its trials and batch sizes.
        spec: the sizes of the validation and test splits.
        num_devices: at least 1.
    """
    trials, batch_size = num_trials(config), config.training.global_batch_size
    whole = has_whole_trials(trials, num_devices)
    largest_split = max(spec.num_validation, spec.num_test) or spec.num_train  # nothing may be held out of a series
    largest_split = math.ceil(largest_split / num_devices) * num_devices
    eval_batch_size = min(config.training.eval_batch_size, largest_split)
    return DeviceShares(
        whole_trials=whole,
        num_trials=math.ceil(trials / num_devices) if whole else trials,
        batch_size=batch_size if whole else math.ceil(batch_size / num_devices),
        eval_batch_size=eval_batch_size if whole else math.ceil(eval_batch_size / num_devices),
        global_eval_batch_size=eval_batch_size,
    )


def has_whole_trials(trials: int, num_devices: int) -> bool:
    """Whether each device trains trials of its own: with several trials, at least one for each device."""
    return 1 < trials >= num_devices


def step_examples(config: Config, num_devices: int) -> float:
    """Returns the examples that a device computes in a training step, those of all its trials together.

    Args:
        config: its trials and batch size.
        num_devices: at least 1; of those with unequal numbers of trials, the busiest counts.
    """
    trials, batch_size = num_trials(config), config.training.global_batch_size
    if has_whole_trials(trials, num_devices):
        return math.ceil(trials / num_devices) * batch_size
    return trials * batch_size / num_devices
