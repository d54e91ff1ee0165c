"""The config of `experiments.forecast`, in a module of its own because `schema` is long enough.

config = parse(ForecastConfig, values)
config.horizon, config.data.file                # 12, "newer.csv"
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from nnjax.config.parallel_options import MemoryLimit
from nnjax.config.types import Bounds, NonNegativeInt, Seed

Horizon = Annotated[int, Bounds(at_least=1, at_most=100_000)]
Level = Annotated[float, Bounds(above=0, below=1)]
Paths = Annotated[int, Bounds(at_least=10, at_most=1_000_000)]
ErrorSource = Literal["auto", "unseen", "trained"]


@dataclass(frozen=True)
class NewerData:
    """Where the known rows come from.

    Attributes:
        file: a CSV file of the same series, with more rows; null takes the run's own data.
    """

    file: str | None


@dataclass(frozen=True, kw_only=True)
class ForecastConfig:
    """`python -m experiments.forecast run=outputs/…`: the rows after the end of a series, with intervals.

    Attributes:
        run: folder of a run that was trained on a series.
        checkpoint: `last`, `best`, `tested` (the one that training tested), or a step.
        horizon: number of rows; null: the dated rows without a value at the end of the file, else a season.
        data: the known rows.
        levels: of the intervals: 0.8 holds eight of ten values, if errors stay as they were.
        paths: number of simulated courses that the intervals are quantiles of, over all trials.
        residuals: the one-step errors that they draw from: `unseen`, of rows that training did not see, or `trained`, of those
            that it did, which are too small where it overfits; `auto` takes the first if there are at least 20.
        seed: of the draws.
        figures: whether to draw the forecast.
        memory_limit: like `parallel.memory_limit`.
    """

    run: str
    checkpoint: Literal["last", "best", "tested"] | NonNegativeInt
    horizon: Horizon | None
    data: NewerData
    levels: tuple[Level, ...]
    paths: Paths
    residuals: ErrorSource
    seed: Seed
    figures: bool
    memory_limit: MemoryLimit
