"""The trials of a run: networks trained at once that differ in seed, learning rate or both.

trials(compose_train(["training.seeds=2", "training.vary.learning_rate=[0.1,0.3]"]))
# (Trial(seed=0, learning_rate=0.1), Trial(seed=1, learning_rate=0.1), Trial(seed=0, learning_rate=0.3), …)
"""

from collections import Counter
from dataclasses import dataclass

from nnjax.checks.data_checks import Problems
from nnjax.config.diagnostics import Problem
from nnjax.config.schema import Config, TraceConfig
from nnjax.config.training_options import Textbook
from nnjax.data.dataset_spec import DatasetSpec

_LARGEST_SEED = 2**32 - 1


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


def trial_problems(config: Config, spec: DatasetSpec) -> Problems:
    """Yields problems of the learning rates and seeds, and settings that do not go together with several trials."""
    training, rates = config.training, config.training.vary.learning_rate
    yield from _learning_rate_problems(config)
    last_seed = config.seed + training.seeds - 1
    if last_seed > _LARGEST_SEED:
        reason = f"with training.seeds={training.seeds} the last seed is {last_seed}; must be at most {_LARGEST_SEED}"
        yield Problem("seed", config.seed, reason)
    if num_trials(config) == 1 or isinstance(config, TraceConfig):  # its own check refuses several trials
        return
    many = (
        f"training.seeds={training.seeds}"
        if training.seeds > 1
        else f"{len(rates or ())} values of training.vary.learning_rate"
    )
    if config.debug.strict:
        yield Problem(
            "debug.strict", True, f"looks at one network, and {many} trains more; choose training.seeds=1 and no vary"
        )
    if training.test == "best":
        reason = f"{many} trains trials whose best steps differ; choose training.test=last"
        yield Problem("training.test", "best", reason)
    for name in ("loss_below", "accuracy_above", "patience"):
        value = getattr(training.stop, name)
        if value is not None:
            reason = f"{many} trains trials that end together, after training.duration; choose training.stop.{name}=null"
            yield Problem(f"training.stop.{name}", value, reason)


def _learning_rate_problems(config: Config) -> Problems:
    key, rates = "training.vary.learning_rate", config.training.vary.learning_rate
    if rates is None:
        return
    if len(rates) < 2:
        alone = f"optimizer.learning_rate={rates[0]:g} sets one" if rates else "null varies nothing"
        yield Problem(key, rates, f"must hold at least two learning rates; {alone}")
    for rate, times in Counter(rates).items():
        if times > 1:
            yield Problem(key, rates, f"holds {rate:g} {times} times; training.seeds={times} repeats a learning rate")
    for index, rate in enumerate(rates):
        if rate <= 0 and not isinstance(config.optimizer, Textbook):
            yield Problem(f"{key}.{index}", rate, "must be a number greater than 0")
