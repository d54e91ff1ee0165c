"""A program may compute, and nothing else."""

import re
from contextlib import nullcontext

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from forged import FACTS, forged_program, module_text, program_of, small_program

from nnjax.serving import program_checks
from nnjax.serving.program import signature_of
from nnjax.serving.program_checks import check_program

TEXT, SIGNATURE = module_text()
PRODUCT = "    %1 = stablehlo.multiply %arg0, %0 : tensor<4xf32>\n"


CALL = "%9 = stablehlo.custom_call @{} : (tensor<4xf32>) -> tensor<4xf32>"


def with_lines(*lines):
    """The module's text with lines more, the last of which makes %9 [4], a factor of the result: MLIR drops what is unused."""
    assert PRODUCT in TEXT
    return TEXT.replace(PRODUCT, "".join(f"    {line}\n" for line in lines) + PRODUCT.replace("%0", "%9"))


def huge(shape):
    return with_lines(
        f"%5 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<{shape}xf32>",
        f"%6 = stablehlo.slice %5 [0:1, 0:4] : (tensor<{shape}xf32>) -> tensor<1x4xf32>",
        "%9 = stablehlo.reshape %6 : (tensor<1x4xf32>) -> tensor<4xf32>",
    )


SORT = """%9 = "stablehlo.sort"(%arg0) ({{
    ^bb0(%a: tensor<f32>, %b: tensor<f32>):
      %less = stablehlo.compare LT, %a, %b : (tensor<f32>, tensor<f32>) -> tensor<i1>
      stablehlo.return %less : tensor<i1>
    }}) {{dimension = 0 : i64, is_stable = {}}} : (tensor<4xf32>) -> tensor<4xf32>"""
RESULTS = {jnp.sort: "4xf32", jnp.argsort: "4xi32", jnp.median: "f32"}
FFI = "{api_version = 4 : i32, backend_config = {index = 1 : ui64}}"
HOSTILE = {
    "a callback": (
        with_lines(CALL.format('xla_python_cpu_callback(%arg0) {backend_config = "140735"}')),
        "its program calls xla_python_cpu_callback, a function outside of it",
    ),
    "a callback of the FFI": (
        with_lines(CALL.format(f"xla_ffi_python_cpu_callback(%arg0) {FFI}")),
        "its program calls xla_ffi_python_cpu_callback",
    ),
    "LAPACK": (
        with_lines(CALL.format("lapack_sgetrf_ffi(%arg0) {api_version = 4 : i32}")),
        "its program calls lapack_sgetrf_ffi",
    ),
    "an outfeed": (
        with_lines(
            "%8 = stablehlo.create_token : !stablehlo.token",
            '%7 = "stablehlo.outfeed"(%arg0, %8) : (tensor<4xf32>, !stablehlo.token) -> !stablehlo.token',
            "%9 = stablehlo.add %arg0, %0 : tensor<4xf32>",
        ),
        "the operation stablehlo.(outfeed|create_token)",
    ),
    "another device": (
        with_lines(
            '%9 = "stablehlo.all_gather"(%arg0) {all_gather_dim = 0 : i64, replica_groups = dense<[[0]]> : tensor<1x1xi64>} : '
            "(tensor<4xf32>) -> tensor<4xf32>"
        ),
        "the operation stablehlo.all_gather",
    ),
    "a composite": (
        with_lines(
            '%9 = stablehlo.composite "evil.op" %arg0 {decomposition = @inner} : (tensor<4xf32>) -> tensor<4xf32>'
        ).replace(
            "  func.func public",
            "  func.func private @inner(%arg0: tensor<4xf32>) -> tensor<4xf32> {\n    return %arg0 : tensor<4xf32>\n  }\n"
            "  func.func public",
        ),
        "the composite evil.op",
    ),
    "a sort that is not stable": (
        with_lines(SORT.format("false")),
        "sorts by a method that is not stable",
    ),
    "flags of the compiler": (
        TEXT.replace("attributes {", 'attributes {mhlo.frontend_attributes = {_xla_compute_type = "host"}, ', 1),
        "the attribute mhlo.frontend_attributes",
    ),
    "a shape of another kind": (
        TEXT.replace("%arg0, %0 :", '%arg0, %0 {xla_shape = "f32[9]"} :'),
        "the attribute xla_shape, which may change what is compiled",
    ),
    "an argument with an alias": (
        TEXT.replace("%arg0: tensor<4xf32>)", "%arg0: tensor<4xf32> {tf.aliasing_output = 0 : i32})"),
        "the attribute tf.aliasing_output",
    ),
    "an array of terabytes": (huge("1048576x1048576"), "an array of tensor<1048576x1048576xf32>, more than"),
    "an array whose size overflows": (huge("4294967296x4294967296"), "more than"),
    "another signature": (
        TEXT.replace("4x", "5x"),
        re.escape("its program takes and returns (tensor<5xf32>) -> tensor<5xf32>"),
    ),
    "no main": (TEXT.replace("@main", "@other"), "takes and returns None"),
}


def test_a_program_that_computes_passes():
    check_program(program_of(TEXT), SIGNATURE)
    program = small_program()
    check_program(program.stablehlo, signature_of(program, FACTS))
    check_program(program_of(with_lines(SORT.format("true"))), SIGNATURE)


@pytest.mark.parametrize("traced", RESULTS)
def test_a_sort_as_jax_writes_it_passes_if_it_is_stable(traced):
    text = str(jax.jit(traced).lower(jax.ShapeDtypeStruct((4,), np.float32)).compiler_ir("stablehlo"))
    assert "stablehlo.sort" in text
    is_stable = traced != jnp.median or "is_stable = true" in text  # a median's has not been since JAX 0.12
    with nullcontext() if is_stable else pytest.raises(ValueError, match="not stable"):
        check_program(program_of(text), f"(tensor<4xf32>) -> tensor<{RESULTS[traced]}>")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_program_that_may_do_more_is_refused(name):
    text, reason = HOSTILE[name]
    with pytest.raises(ValueError, match=reason) as refused:
        check_program(program_of(text), SIGNATURE)
    assert "\n" not in str(refused.value)


def test_what_is_no_program_is_refused(monkeypatch):
    for content in (b"garbage", b"#!/bin/sh\n", small_program().stablehlo[:400]):
        with pytest.raises(ValueError, match="its program is no StableHLO that this JAX can read"):
            check_program(content, SIGNATURE)
    monkeypatch.setattr(program_checks, "MOST_OPERATIONS", 3)
    with pytest.raises(ValueError, match="more than 3 operations"):
        check_program(program_of(TEXT), SIGNATURE)
    monkeypatch.setattr(program_checks, "MOST_PROGRAM_BYTES", 100)
    with pytest.raises(ValueError, match=r"its program takes .* bytes, and 100 is the most"):
        check_program(program_of(TEXT), SIGNATURE)


@pytest.mark.parametrize("size", [1001, 1023, 8191])
def test_a_constant_is_no_larger_than_its_bytes(size):
    """The size in a type, changed in the artifact: MLIR would read what lies behind the constant in memory."""

    def artifact(count):
        values = ", ".join(f"{1000 + place}.0" for place in range(count))
        return program_of(
            with_lines(
                f"%5 = stablehlo.constant dense<[{values}]> : tensor<{count}xf32>",
                f"%6 = stablehlo.dot_general %5, %5, contracting_dims = [0] x [0] : (tensor<{count}xf32>, tensor<{count}xf32>)"
                " -> tensor<f32>",
                "%9 = stablehlo.broadcast_in_dim %6, dims = [] : (tensor<f32>) -> tensor<4xf32>",
            )
        )

    honest = artifact(1000)
    check_program(honest, SIGNATURE)
    written = _varint(2 * 1000)  # MLIR's bytecode: zigzag, then a prefix of the length
    assert honest.count(written) == 1
    with pytest.raises(ValueError, match="a constant that is larger than its bytes"):
        check_program(honest.replace(written, _varint(2 * size)), SIGNATURE)


def _varint(value):
    """A number below 2 ** 14 in MLIR's bytecode."""
    return (value << 2 | 0b10).to_bytes(2, "little")


def test_constants_of_all_types_pass():
    def traced(x):
        kinds = (np.float32, np.int32, np.uint8, np.float16, jnp.bfloat16, np.bool_)
        return sum((x[0] * np.arange(9).astype(kind)).sum() for kind in kinds)

    text = str(jax.jit(traced).lower(jax.ShapeDtypeStruct((4,), np.float32)).compiler_ir("stablehlo"))
    check_program(program_of(text), "(tensor<4xf32>) -> tensor<f32>")


def test_a_program_inside_of_a_program_is_refused():
    with pytest.raises(ValueError, match="its program holds a program inside of it"):
        check_program(program_of(f"module {{\n{TEXT}\n}}"), SIGNATURE)


def test_signature_of_a_program_for_one_platform():
    program = forged_program(b"")
    assert signature_of(program, FACTS).startswith("(tensor<i32>, tensor<2x16x8xf32>, tensor<2x8x3xf32>, tensor<?x4x4x1xui8>)")
    alone = type(program)(b"", 10, ("cpu",), program.weights)
    assert signature_of(alone, FACTS) == "(tensor<2x16x8xf32>, tensor<2x8x3xf32>, tensor<?x4x4x1xui8>) -> tensor<2x?x3xf32>"
