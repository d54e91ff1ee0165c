"""The config of `experiments.predict`.

PredictConfig(run="outputs/train/…", checkpoint="tested", image="photo.png", rows=None, format="table", top=3, explain=False)
"""

from dataclasses import dataclass
from typing import Literal

from nnjax.config.parallel_options import MemoryLimit
from nnjax.config.types import NonNegativeInt, PositiveInt


@dataclass(frozen=True)
class PredictConfig:
    """`python -m experiments.predict run=outputs/… image=photo.png`.

    Attributes:
        run: folder of the run.
        checkpoint: `last`, `best`, `tested` (the one that training tested), or a step.
        image: a picture, a folder of pictures, a pattern such as `scans/*.png`, or `-` for a picture on standard input.
        rows: a CSV file, for a network of vectors or of a series.
        format: `table` for people; `jsonl` and `csv` print the answers alone, to be piped.
        top: the number of classes that are named, the most probable first.
        explain: draw a figure for each picture: how it was prepared, where the network looked, and the probabilities.
        memory_limit: like `parallel.memory_limit`.
    """

    run: str
    checkpoint: Literal["last", "best", "tested"] | NonNegativeInt
    image: str | None
    rows: str | None
    format: Literal["table", "jsonl", "csv"]
    top: PositiveInt
    explain: bool
    memory_limit: MemoryLimit
