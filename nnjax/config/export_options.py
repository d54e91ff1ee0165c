"""The config of `experiments.export`.

ExportConfig(run="outputs/train/…", checkpoint="tested", to="model.nnjax", format="nnjax", platforms=("cpu",), …)
"""

from dataclasses import dataclass
from typing import Literal

from nnjax.config.parallel_options import MemoryLimit
from nnjax.config.types import NonNegativeInt


@dataclass(frozen=True)
class ExportConfig:
    """`python -m experiments.export run=outputs/…`.

    Attributes:
        run: folder of the run.
        checkpoint: `last`, `best`, `tested` (the one that training tested), or a step.
        to: the file to write; by default one in the command's own folder.
        format: `nnjax`, for `python -m nnjax.serving`; or `onnx`, for other runtimes, with the extra of that name.
        platforms: that the file's program runs on.
        memory_limit: like `parallel.memory_limit`.
    """

    run: str
    checkpoint: Literal["last", "best", "tested"] | NonNegativeInt
    to: str | None
    format: Literal["nnjax", "onnx", "tflite"]
    platforms: tuple[Literal["cpu", "cuda", "rocm", "tpu"], ...]
    memory_limit: MemoryLimit
