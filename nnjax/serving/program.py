"""The program of a model: a function of weights and inputs as StableHLO, which every later JAX can compile.

    program = export_program(function, weights, facts)     # function(weights, inputs), traced once
    run = RunProgram(program, facts)
    run(inputs)                                            # [trials, n, num_outputs]

`jax.export` traces the function with a symbolic number of examples, for CPU, GPU and TPU at once. Weights are arguments, so
the program stays small. A reader takes nothing but StableHLO from a file: what surrounds it (arguments, shapes, platforms)
follows from the facts and the weights' shapes, by exporting an empty function of the same signature.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

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


def export_program(
    function: Callable[[Mapping[str, Any], Any], Any],
    weights: Mapping[str, NDArray[Any]],
    facts: ModelFacts,
    platforms: Sequence[Platform] = PLATFORMS,
) -> Program:
    """Traces a function and lowers it.

    Args:
        function: of weights by name and inputs [b, *shape] of the stored type; returns [trials, b, num_outputs] float32.
        weights: NumPy arrays by name.
        facts: give the inputs' shape and type, and the outputs'.
        platforms: to lower for.

    Raises:
        ValueError: if the outputs have another shape, or the program holds operations that a file may not.
    """
    raise NotImplementedError


class RunProgram:
    """Compiles a program for the batch sizes that are needed, and runs it; safe to be called from several threads.

    A number of examples that is in `SIZES` is computed as one batch of exactly this size.
    """

    def __init__(self, program: Program, facts: ModelFacts) -> None:
        raise NotImplementedError

    def compile(self, sizes: Sequence[int]) -> None:
        """Compiles for the given numbers of examples, so that calls with them, or fewer, need not."""
        raise NotImplementedError

    def __call__(self, inputs: NDArray[Any]) -> NDArray[Any]:
        """[n, *shape] inputs of the stored type → [trials, n, num_outputs] float32."""
        raise NotImplementedError
