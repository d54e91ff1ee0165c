"""Exports a function as a program, and runs programs.

    program = export_program(function, weights, facts)     # function(weights, inputs), traced once
    run = RunProgram(program, facts)
    run(inputs)                                            # [trials, n, num_outputs]

`jax.export` traces the function with a symbolic number of examples, for CPU, GPU and TPU at once. Weights are arguments, so
the program stays small. A reader takes nothing but StableHLO from a file: what surrounds it (arguments, shapes, platforms)
follows from the facts and the weights' shapes, by exporting an empty function of the same signature.
"""

import dataclasses
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import export
from numpy.typing import NDArray

from nnjax.config.errors import DataError, OutOfMemoryError
from nnjax.config.stored_files import one_line
from nnjax.serving.facts import ModelFacts
from nnjax.serving.program import PLATFORMS, SIZES, Platform, Program, signature_of
from nnjax.serving.program_checks import check_program

_MOST_MEMORY = 2**32  # bytes that a batch may take besides weights and inputs: a forged program can ask for any number


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
    with _without_source_lines():
        exported = export.export(jax.jit(function), platforms=platforms)(*_arguments(weights, facts))
    program = Program(
        bytes(exported.mlir_module_serialized), exported.calling_convention_version, tuple(platforms), dict(weights)
    )
    check_program(program.stablehlo, signature_of(program, facts))
    return program


class RunProgram:
    """Compiles a program for the batch sizes that are needed, and runs it; safe to be called from several threads.

    A number of examples that is in `SIZES` is computed as one batch of exactly this size.

    Args:
        program: whose operations are checked; see `nnjax.serving.program_checks`.
        facts: of the model.

    Raises:
        ValueError: if this JAX is too old or too new for the program, or has none of its platforms.
    """

    def __init__(self, program: Program, facts: ModelFacts) -> None:
        oldest, newest = (
            export.minimum_supported_calling_convention_version,
            export.maximum_supported_calling_convention_version,
        )
        if not oldest <= program.calling_convention <= newest:
            found = f"its program has version {program.calling_convention} of jax.export's calling convention"
            raise ValueError(f"{found}, and JAX {jax.__version__} reads {oldest} to {newest}")
        here = jax.default_backend()
        if not set(program.platforms) & ({"cuda", "rocm"} if here == "gpu" else {here}):
            raise ValueError(f"its program is for {', '.join(program.platforms)}, and JAX runs on {here} here")
        self._name = facts.name
        self._arguments = _arguments(program.weights, facts)
        # A program of the same signature, which computes nothing, gives everything besides the program itself.
        empty = export.export(
            jax.jit(lambda _, inputs: jnp.zeros((facts.num_trials, inputs.shape[0], facts.num_outputs), jnp.float32)),
            platforms=program.platforms,
        )(*self._arguments)
        self._call = jax.jit(
            dataclasses.replace(
                empty, mlir_module_serialized=program.stablehlo, calling_convention_version=program.calling_convention
            ).call
        )
        self._weights = jax.device_put(dict(program.weights))
        self._inputs = facts.inputs
        self._outputs = (facts.num_trials, facts.num_outputs)
        self._compiled: dict[int, Any] = {}
        self._lock = threading.Lock()

    def __call__(self, inputs: NDArray[Any]) -> NDArray[np.float32]:
        """[n, *shape] inputs of the stored type → [trials, n, num_outputs] float32.

        Raises:
            ValueError: for inputs of another shape or type.
            DataError: if the program cannot be compiled or run.
            OutOfMemoryError: if a batch would take more memory than a program may.
        """
        wanted = self._inputs
        if inputs.shape[1:] != wanted.shape or inputs.dtype != wanted.dtype:
            shape = ", ".join(map(str, wanted.shape))
            raise ValueError(f"inputs must be [n, {shape}] {wanted.dtype}; they are {list(inputs.shape)} {inputs.dtype}")
        trials, width = self._outputs
        outputs = np.empty((trials, len(inputs), width), np.float32)
        for first in range(0, len(inputs), SIZES[-1]):
            batch = inputs[first : first + SIZES[-1]]
            size = _size(len(batch))
            # Padded with zeros: examples do not depend on each other.
            padded = np.concatenate([batch, np.zeros((size - len(batch), *wanted.shape), batch.dtype)])
            program = self._program(size)
            try:
                results = np.asarray(program(self._weights, padded))
            except RuntimeError as error:  # such as of a program whose sizes only its inputs tell
                raise DataError(f"{self._name}: its program cannot be run: {one_line(error)}") from error
            outputs[:, first : first + len(batch)] = results[:, : len(batch)]
        return outputs

    def _program(self, size: int) -> Any:
        """The compiled program for a batch of one of `SIZES`."""
        with self._lock:
            if size not in self._compiled:
                weights, inputs = self._arguments
                inputs = jax.ShapeDtypeStruct((size, *self._inputs.shape), inputs.dtype)
                try:
                    compiled = self._call.lower(weights, inputs).compile()
                except (ValueError, TypeError, RuntimeError) as error:  # such as for a forged file: sizes that do not fit
                    raise DataError(f"{self._name}: its program cannot be compiled: {one_line(error)}") from error
                _check_memory(compiled, size)
                self._compiled[size] = compiled
            return self._compiled[size]


def _arguments(weights: Mapping[str, NDArray[Any]], facts: ModelFacts) -> tuple[dict[str, Any], Any]:
    """The shapes and types of a program's arguments, with a symbolic number of examples."""
    (batch,) = export.symbolic_shape("b")
    shapes = {name: jax.ShapeDtypeStruct(weight.shape, weight.dtype) for name, weight in weights.items()}
    return shapes, jax.ShapeDtypeStruct((batch, *facts.inputs.shape), np.dtype(facts.inputs.dtype))


def _size(count: int) -> int:
    return next((size for size in SIZES if size >= count), SIZES[-1])


def _check_memory(compiled: Any, size: int) -> None:
    analysis = compiled.memory_analysis()
    if analysis is None:  # not every platform has one
        return
    taken = analysis.temp_size_in_bytes + analysis.output_size_in_bytes
    if taken > _MOST_MEMORY:
        raise OutOfMemoryError(
            f"the program takes {taken:,} bytes for a batch of {size}, and {_MOST_MEMORY:,} is the most for a model's file"
        )


@contextmanager
def _without_source_lines() -> Iterator[None]:
    """Leaves the paths of source files, and so the names of folders, out of programs."""
    before = jax.config.values["jax_traceback_in_locations_limit"]
    jax.config.update("jax_traceback_in_locations_limit", 0)
    try:
        yield
    finally:
        jax.config.update("jax_traceback_in_locations_limit", before)
