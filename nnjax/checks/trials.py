"""The trials of a run: networks trained at once that differ in seed, learning rate or both.

trials(compose_train(["training.seeds=2", "training.vary.learning_rate=[0.1,0.3]"]))
# (Trial(seed=0, learning_rate=0.1), Trial(seed=1, learning_rate=0.1), Trial(seed=0, learning_rate=0.3), …)
"""

from dataclasses import dataclass

from nnjax.config.schema import Config


@dataclass(frozen=True)
class Trial:
    """The values of a trial that differ from the other trials'.

    Attributes:
        seed: draws its initial weights, shuffles, augmentation and dropout.
        learning_rate: its peak, which the schedule multiplies.
    """

    seed: int
    learning_rate: float


def trials(config: Config) -> tuple[Trial, ...]:
    """Returns a trial for each learning rate and seed, grouped by learning rate; one trial for an ordinary run."""
    seeds = range(config.seed, config.seed + config.training.seeds)
    rates = config.training.vary.learning_rate or (config.optimizer.learning_rate,)
    return tuple(Trial(seed, rate) for rate in rates for seed in seeds)


def num_trials(config: Config) -> int:
    """Returns the number of trials without listing them."""
    return config.training.seeds * len(config.training.vary.learning_rate or (None,))
