"""Finds jobs of a sweep that one program could train together: they differ only in their seed, or in their learning rate.

for joint in joint_trials(configs):
    joint.jobs, joint.words            # (0, 1, 2, 3), ("seed=0", "training.seeds=4")

`training.seeds` and `training.vary.learning_rate` give each trial the numbers of a run of its own, and start and compile once.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from nnjax.checks.experiment_checks import check_config
from nnjax.checks.trials import num_trials
from nnjax.config.errors import ConfigError
from nnjax.config.parsing import to_mapping
from nnjax.config.schema import Config, TrainConfig

FEWEST = 3
"""The number of jobs from which training them together is worth a word."""


@dataclass(frozen=True)
class JointTrials:
    """Jobs that one program could train.

    Attributes:
        jobs: their places among the jobs that were looked at.
        words: the overrides that replace those of the jobs in which they differ.
    """

    jobs: tuple[int, ...]
    words: tuple[str, ...]


def joint_trials(configs: Sequence[Config | None]) -> list[JointTrials]:
    """Finds the jobs that could be trained together.

    Args:
        configs: of all jobs; None for one that cannot run.

    Returns:
        One entry for each group of at least FEWEST jobs, the largest first. The seeds of a group follow one another, and each
        of its learning rates comes with each of its seeds.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for number, config in enumerate(configs):
        if config is not None and num_trials(config) == 1 and config.debug.max_steps is None:
            groups[_rest(config)].append(number)
    found = []
    for numbers in groups.values():
        if len(numbers) >= FEWEST and (words := _together([config for n in numbers if (config := configs[n])])) is not None:
            found.append(JointTrials(tuple(numbers), words))
    return sorted(found, key=lambda joint: -len(joint.jobs))


def _together(configs: Sequence[Config]) -> tuple[str, ...] | None:
    """The overrides that train these configs in one program; None if it cannot."""
    seeds = sorted({config.seed for config in configs})
    rates = list(dict.fromkeys(config.optimizer.learning_rate for config in configs))
    pairs = {(config.seed, config.optimizer.learning_rate) for config in configs}
    if len(configs) != len(pairs) or len(pairs) != len(seeds) * len(rates) or seeds[-1] - seeds[0] != len(seeds) - 1:
        return None
    first = configs[0]
    several = tuple(rates) if len(rates) > 1 else None
    training = replace(first.training, seeds=len(seeds), vary=replace(first.training.vary, learning_rate=several))
    try:
        check_config(replace(first, seed=seeds[0], training=training))
    except ConfigError:  # such as a stop rule, which ends one trial
        return None
    words = [f"seed={seeds[0]}"]
    if len(seeds) > 1:
        words.append(f"training.seeds={len(seeds)}")
    if several:
        words.append(f"training.vary.learning_rate=[{','.join(f'{rate:.12g}' for rate in rates)}]")
    return tuple(words)


def _rest(config: Config) -> str:
    """A config without seed and learning rate, as text."""
    same = replace(config, seed=0, optimizer=replace(config.optimizer, learning_rate=1.0))
    if isinstance(same, TrainConfig):
        same = replace(same, resume=None, rerun=None)
    return json.dumps(to_mapping(same), sort_keys=True, default=str)
