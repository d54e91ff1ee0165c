"""What does not go together with several trials, or in their learning rates and seeds.

problems = list(trial_problems(config, spec))
"""

from collections import Counter

from nnjax.checks.data_checks import Problems
from nnjax.checks.trials import num_trials
from nnjax.config.diagnostics import Problem
from nnjax.config.schema import Config, TraceConfig
from nnjax.config.training_options import Textbook
from nnjax.data.dataset_spec import DatasetSpec

_LARGEST_SEED = 2**32 - 1


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
            "debug.strict", True, f"works with one network only; {many} trains more; choose training.seeds=1 and no vary"
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
