"""A program runs batches of any size, and compiles for few."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from forged import FACTS, function, program_of, small_program, weights

from nnjax.config.errors import DataError, OutOfMemoryError
from nnjax.serving import running
from nnjax.serving.program import PLATFORMS, Program, signature_of
from nnjax.serving.program_checks import check_program
from nnjax.serving.running import RunProgram, export_program

INPUTS = np.random.default_rng(0).integers(0, 256, (600, 4, 4, 1)).astype(np.uint8)


@pytest.fixture
def run():
    return RunProgram(small_program(), FACTS)


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 3, 7, 64, 256, 257, 600])
def test_any_number_of_examples(run, count):
    outputs = run(INPUTS[:count])
    assert (outputs.shape, outputs.dtype) == ((2, count, 3), np.float32)
    np.testing.assert_allclose(outputs, function(weights(), INPUTS[:count]), rtol=1e-5, atol=1e-6)


def test_what_is_compiled_is_not_compiled_again(run, monkeypatch):
    for count in (5, 8, 1):
        run(INPUTS[:count])
    assert list(run._compiled) == [8, 1]
    monkeypatch.setattr(run, "_call", None)  # what compiles
    for count in (1, 5, 8):
        run(INPUTS[:count])
    with pytest.raises(AttributeError):
        run(INPUTS[:9])


def test_several_threads_compile_once(run, monkeypatch):
    counted = []
    call = run._call

    class Counted:
        def lower(self, *arguments):
            counted.append(arguments)
            return call.lower(*arguments)

    monkeypatch.setattr(run, "_call", Counted())
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(run, [INPUTS[:3]] * 16))
    assert len(counted) == 1
    assert all(np.array_equal(results[0], result) for result in results)


@pytest.mark.parametrize(
    ("inputs", "found"),
    [(INPUTS[:2, :3], r"\[2, 3, 4, 1\] uint8"), (INPUTS[0], r"\[4, 4, 1\] uint8"), (INPUTS[:2].astype(np.float32), "float32")],
)
def test_inputs_that_do_not_fit_are_refused(run, inputs, found):
    with pytest.raises(ValueError, match=rf"inputs must be \[n, 4, 4, 1\] uint8; they are .*{found}"):
        run(inputs)


def test_no_example_is_no_batch(run):
    assert run(INPUTS[:0]).shape == (2, 0, 3)


def test_a_program_that_needs_much_memory_is_not_run(run, monkeypatch):
    monkeypatch.setattr(running, "_MOST_MEMORY", 50)
    with pytest.raises(OutOfMemoryError, match="bytes for a batch of 4, and 50 is the most"):
        run(INPUTS[:4])


def test_a_batch_that_grows_without_bound_is_refused_before_it_runs():
    """The sizes of a program's arrays follow from the number of examples, so the operations alone do not show them."""

    def greedy(weights, inputs):
        count = inputs.shape[0]
        large = jnp.arange(count * 2**20, dtype=jnp.float32)[:, None] + jnp.arange(2**15)
        return jnp.zeros((2, count, 3)) + jnp.sort(large, axis=0).sum()

    program = export_program(greedy, {}, FACTS, ["cpu"])
    with pytest.raises(OutOfMemoryError, match="is the most for a model's file"):
        RunProgram(program, FACTS)(INPUTS[:1])


def test_a_program_whose_sizes_do_not_fit_is_refused_when_it_is_compiled():
    """With two examples and one, a symbolic size is another than what a forged program says."""
    text = """func.func @main(%0: tensor<2x16x8xf32>, %1: tensor<2x8x3xf32>, %2: tensor<?x4x4x1xui8>) -> tensor<2x?x3xf32> {
      %3 = stablehlo.constant dense<[2, 5, 3]> : tensor<3xi32>
      %4 = stablehlo.constant dense<0.0> : tensor<f32>
      %5 = stablehlo.dynamic_broadcast_in_dim %4, %3, dims = [] : (tensor<f32>, tensor<3xi32>) -> tensor<2x?x3xf32>
      return %5 : tensor<2x?x3xf32>
    }"""
    forged = Program(program_of(text), small_program().calling_convention, ("cpu",), weights())
    check_program(forged.stablehlo, signature_of(forged, FACTS))
    with pytest.raises(DataError, match="small: its program cannot be compiled: ") as refused:
        RunProgram(forged, FACTS)(INPUTS[:1])
    assert "\n" not in str(refused.value)


@pytest.mark.slow
@pytest.mark.parametrize("platform", PLATFORMS)
def test_it_is_lowered_for_each_platform(run, platform):
    """As far as a machine without the platform's devices can: not compiled."""
    arguments = run._arguments[0], jax.ShapeDtypeStruct((3, 4, 4, 1), np.uint8)
    lowered = run._call.trace(*arguments).lower(lowering_platforms=(platform,))
    assert "call_exported" in lowered.as_text()
    alone = RunProgram(export_program(function, weights(), FACTS, ["cpu"]), FACTS)
    if platform != "cpu":
        with pytest.raises(ValueError, match="was exported for platforms"):
            alone._call.trace(*arguments).lower(lowering_platforms=(platform,))


def test_outputs_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="its program takes and returns"):
        export_program(lambda weights, inputs: jnp.zeros((inputs.shape[0], 3)), {}, FACTS)


def test_another_version_of_the_calling_convention_is_refused():
    with pytest.raises(ValueError, match=r"version 99 of jax.export's calling convention, and JAX .* reads"):
        RunProgram(dataclasses.replace(small_program(), calling_convention=99), FACTS)


def test_a_program_that_fails_while_it_runs_is_named(run, monkeypatch):
    def fails(weights, inputs):
        raise jax.errors.JaxRuntimeError("INTERNAL: out of\nsomething")

    monkeypatch.setitem(run._compiled, 1, fails)
    with pytest.raises(DataError, match=f"{FACTS.name}: its program cannot be run: INTERNAL: out of something"):
        run(INPUTS[:1])


def test_a_program_for_another_platform_is_refused():
    with pytest.raises(ValueError, match=r"its program is for tpu, and JAX runs on (cpu|gpu) here"):
        RunProgram(dataclasses.replace(small_program(), platforms=("tpu",)), FACTS)
