"""The config of `experiments.report`.

ReportConfig(run="outputs/train/2026-11-23/14-05-09_cnn_mnist")
"""

from dataclasses import dataclass
from typing import Literal

from nnjax.config.parallel_options import MemoryLimit


@dataclass(frozen=True)
class ReportConfig:
    """`python -m experiments.report run=outputs/…`, or `sweep=…`, or `compare=[…]`: one of the three.

    Attributes:
        run: folder of a run.
        sweep: folder of a sweep, or any folder with runs below it.
        compare: runs, sweeps, or patterns of them, side by side.
        measure: whether to test the run's network again for what its folder does not hold, which takes its data; `auto` does if
            the folder lacks it and has a checkpoint that was tested.
        memory_limit: like `parallel.memory_limit`, for that test.
    """

    run: str | None
    sweep: str | None
    compare: tuple[str, ...]
    measure: Literal["auto"] | bool
    memory_limit: MemoryLimit = "auto"
