"""The config of `experiments.search`: ranges to search in, how settings are chosen, and what is minimised.

config = parse(SearchConfig, values)
config.search.space[0]                          # SearchRange(key="optimizer.learning_rate", low=1e-4, high=0.1, log=True)
"""

from dataclasses import dataclass
from typing import Any, Literal

from nnjax.config.schema import Config
from nnjax.config.types import NonNegativeInt, PositiveFloat, PositiveInt, Seed

Sampler = Literal["tpe", "cmaes", "random", "grid"]
Pruner = Literal["none", "median", "halving", "hyperband"]
Objective = Literal["error", "loss", "parameters", "flops", "seconds"]

SEARCH_RESUMABLE = ("search.trials", "search.seconds", "data.directory", "data.file", "data.placement", "parallel", "report")
"""The keys that a resumed or joined search may change: how long and where it searches, not what it searches."""


@dataclass(frozen=True, kw_only=True)
class SearchRange:
    """The values of one key that a search may choose.

    A range of a key that holds a whole number gives whole numbers.

    Attributes:
        key: of the experiment, such as `optimizer.learning_rate`; or a group, such as `activation`.
        low: the smallest value; with `high`, in place of `choices`.
        high: the largest value.
        log: whether equal ratios are equally likely, in place of equal differences.
        step: distance of neighbouring values; null is 1 for whole numbers, and any distance else.
        points: how many values a grid takes of the range, both ends among them; null is every value that `step` allows.
        choices: the values themselves, or the names of a group's options.
    """

    key: str
    low: float | None = None
    high: float | None = None
    log: bool = False
    step: PositiveFloat | None = None
    points: PositiveInt | None = None
    choices: tuple[Any, ...] = ()

    @property
    def ends(self) -> tuple[float, float]:
        """The smallest and the largest value of a range without choices."""
        assert self.low is not None
        assert self.high is not None
        return self.low, self.high


@dataclass(frozen=True, kw_only=True)
class Search:
    """What is searched, and how.

    Attributes:
        space: the keys that vary, each with its range.
        objectives: what is minimised, measured on the validation split: `error` (1 − accuracy) or `loss`, as of the last
            evaluation, and the number of `parameters`, the `flops` of a forward pass, or the `seconds` of training. Several
            give the settings that no other one beats in all of them.
        trials: settings tried in all, by all processes together; pruned and diverged ones count.
        seconds: no further trial begins after so many seconds of this process; null sets no limit.
        sampler: `tpe` and `cmaes` learn from the earlier trials, `random` and `grid` do not.
        startup: random trials before the sampler and the pruner begin to judge.
        pruner: ends trials early that are worse than others were at the same evaluation: `median`, `halving`, `hyperband`.
        warmup: evaluations before a trial may be pruned.
        generation: trials that one process asks for at once. Those that differ in the learning rate alone are trained in one
            program, as with `training.vary.learning_rate`.
        rates: of a generation, so many trials in a row share all but the learning rate.
        seed: draws the settings; not the experiment's `seed`.
    """

    space: tuple[SearchRange, ...]
    objectives: tuple[Objective, ...]
    trials: PositiveInt
    seconds: PositiveFloat | None
    sampler: Sampler
    startup: NonNegativeInt
    pruner: Pruner
    warmup: NonNegativeInt
    generation: PositiveInt
    rates: PositiveInt
    seed: Seed


@dataclass(frozen=True, kw_only=True)
class SearchConfig(Config):
    """`python -m experiments.search`: an experiment, some of whose settings are searched.

    Attributes:
        search: what is searched, and how.
        resume: folder of an earlier search to go on with, or of a running one to take part in; null starts a new search.
    """

    search: Search
    resume: str | None
