"""The program of a model: a function of weights and inputs as StableHLO, which later versions of JAX compile, too.

    program = export_program(function, weights, facts)     # of nnjax.serving.running
    signature_of(program, facts)                           # "(tensor<i32>, tensor<784x10xf32>, …) -> tensor<1x?x10xf32>"

Weights are arguments of the program, which so stays small. This module needs no JAX.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nnjax.serving.facts import ModelFacts

Platform = Literal["cpu", "cuda", "rocm", "tpu"]
PLATFORMS: tuple[Platform, ...] = ("cpu", "cuda", "rocm", "tpu")
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
"""The batch sizes that are compiled; other numbers of examples are padded to the next, or cut into several batches."""


@dataclass(frozen=True)
class Program:
    """A program and the arrays that it is called with.

    Attributes:
        stablehlo: a portable artifact of StableHLO.
        calling_convention: the version of `jax.export`'s.
        platforms: those it was lowered for.
        weights: by name, [trials, ...] with several trials.
    """

    stablehlo: bytes
    calling_convention: int
    platforms: tuple[Platform, ...]
    weights: Mapping[str, NDArray[Any]]


def signature_of(program: Program, facts: ModelFacts) -> str:
    """The type of a program's main function, as its weights and facts require it, in MLIR's words."""
    platform = ["tensor<i32>"] if len(program.platforms) > 1 else []  # which of the platforms it runs on
    weights = [_tensor(weight.shape, weight.dtype) for _, weight in sorted(program.weights.items())]
    inputs = _tensor(("?", *facts.inputs.shape), np.dtype(facts.inputs.dtype))
    outputs = _tensor((facts.num_trials, "?", facts.num_outputs), np.dtype(np.float32))
    return f"({', '.join([*platform, *weights, inputs])}) -> {outputs}"


def _tensor(shape: Sequence[int | str], dtype: np.dtype[Any]) -> str:
    kinds = {"b": "i1", "i": f"i{8 * dtype.itemsize}", "u": f"ui{8 * dtype.itemsize}", "f": f"f{8 * dtype.itemsize}"}
    kind = "bf16" if dtype.name == "bfloat16" else kinds[dtype.kind]
    return f"tensor<{''.join(f'{size}x' for size in shape)}{kind}>"
