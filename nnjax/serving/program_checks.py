"""Checks the program of a model's file before anything compiles it: it may compute, and nothing else.

    check_program(artifact, "(tensor<i32>, tensor<?x784xf32>) -> tensor<1x?x10xf32>")

StableHLO has operations that reach outside of a program: a custom call runs any function that is registered in the process,
among them JAX's callbacks into Python, which take raw pointers; others wait for other devices. So every operation must be on a
list of operations that only compute. Bytes of which nobody knows where they come from are read in a process of their own; see
`nnjax.serving.model_process`.
"""

import math
import re
from collections.abc import Iterator
from typing import Any

MOST_TENSOR_BYTES = 2**31
"""The largest array in a program, for each example of a batch."""

MOST_OPERATIONS = 200_000
MOST_PROGRAM_BYTES = 2**28

_CUSTOM_CALLS = {"shape_assertion"}  # compares shapes while a program is compiled
_STABLEHLO = """
    abs add and atan2 broadcast_in_dim case cbrt ceil cholesky clamp clz compare concatenate constant convert convolution cosine
    count_leading_zeros divide dot_general dynamic_broadcast_in_dim dynamic_conv dynamic_gather dynamic_iota dynamic_pad
    dynamic_reshape dynamic_slice dynamic_update_slice exponential exponential_minus_one fft floor gather get_dimension_size if
    iota is_finite log log_plus_one logistic map maximum minimum multiply negate not optimization_barrier or pad popcnt power
    real_dynamic_slice reduce reduce_precision reduce_window remainder reshape return reverse round_nearest_afz
    round_nearest_even rsqrt scatter select select_and_scatter shift_left shift_right_arithmetic shift_right_logical sign sine
    slice sort sqrt subtract tan tanh transpose triangular_solve while xor
"""
_CHLO = """
    acos acosh asin asinh atan atanh bessel_i1e constant cosh digamma erf erf_inv erfc is_inf is_neg_inf is_pos_inf lgamma
    next_after polygamma sinh square tan top_k zeta
"""
_OPERATIONS = {
    *("builtin.module", "func.func", "func.call", "func.return", "stablehlo.composite", "stablehlo.custom_call"),
    *(f"stablehlo.{name}" for name in re.findall(r"\w+", _STABLEHLO)),
    *(f"chlo.{name}" for name in re.findall(r"\w+", _CHLO)),
}
# Attributes of a dialect that is not the operation's own; their names have a dot.
_FOREIGN_ATTRIBUTES = {
    *("jax.uses_shape_polymorphism", "jax.global_constant", "jax.result_info"),
    *("mhlo.num_partitions", "mhlo.num_replicas"),
}
# Those of the operations on the list, as StableHLO's specification names them. Others may change what is compiled: `xla_shape`
# stands for a result's own shape.
_ATTRIBUTES = """
    algorithm api_version arg_attrs backend_config base_dilations batch_group_count broadcast_dimensions call_target_name
    called_computations callee compare_type comparison_direction composite_attributes decomposition dimension dimension_numbers
    dimensions dot_dimension_numbers edge_padding_high edge_padding_low error_message exponent_bits feature_group_count
    fft_length fft_type function_type has_side_effect indices_are_sorted indices_of_shape_operands interior_padding
    iota_dimension is_stable k known_expanding_dimensions known_nonexpanding_dimensions left_side lhs_dilation limit_indices
    lower mantissa_bits name no_inline operand_layouts output_operand_aliases padding permutation precision_config res_attrs
    result_accuracy result_layouts rhs_dilation scatter_dimension_numbers slice_sizes start_indices strides sym_name
    sym_visibility transpose_a unique_indices unit_diagonal value version window_dilations window_dimensions window_reversal
    window_strides
"""
_KNOWN_ATTRIBUTES = _FOREIGN_ATTRIBUTES | set(re.findall(r"\w+", _ATTRIBUTES))
_TOO_FEW = "its program holds a constant that is larger than its bytes"
_TENSOR = re.compile(r"tensor<((?:(?:\?|\d{1,12})x)*)(i1|u?i(?:8|16|32|64)|f16|f32|f64|bf16|f8E\w{1,12})>")


def check_program(artifact: bytes, signature: str) -> None:
    """Reads a program and walks through its operations.

    Args:
        artifact: StableHLO, as `jax.export` serializes it.
        signature: the type of its main function that is expected.

    Raises:
        ValueError: in one line, for a program that cannot be read, may do more than compute, or has another signature.
    """
    from jax.extend.mlir import deserialize_portable_artifact
    from jax.interpreters.mlir import make_ir_context

    if len(artifact) > MOST_PROGRAM_BYTES:
        raise ValueError(f"its program takes {len(artifact):,} bytes, and {MOST_PROGRAM_BYTES:,} is the most")
    with make_ir_context():
        try:
            module = deserialize_portable_artifact(artifact)
            readable = module.operation.verify()
        except Exception as error:
            raise ValueError(f"its program is no StableHLO that this JAX can read: {_line(error)}") from error
        if not readable:
            raise ValueError("its program is no valid StableHLO")
        try:
            found = _walk(module.operation, artifact)
        except RuntimeError as error:  # of MLIR's bindings
            raise ValueError(f"its program holds a name that is no text: {_line(error)}") from error
    if found != signature:
        raise ValueError(f"its program takes and returns {_short(found)}, and its weights and facts need {_short(signature)}")


def _walk(top: Any, artifact: bytes) -> str | None:
    """Checks all operations, and returns the type of the main function."""
    found, constants = None, _Constants(artifact)
    for number, operation in enumerate(_operations(top)):
        if number >= MOST_OPERATIONS:
            raise ValueError(f"its program has more than {MOST_OPERATIONS:,} operations")
        if number and operation.name == "builtin.module":  # its main would be another function than the one that runs
            raise ValueError("its program holds a program inside of it")
        _check_operation(operation)
        for _, value in _named(operation.attributes):
            constants.check(value)
        if operation.name == "func.func" and _text(operation, "sym_name") == "main":
            found = str(operation.attributes["function_type"])
    return found


class _Constants:
    """Compares constants with the bytes that a program has for them: MLIR takes the size from the type, and reads beyond."""

    def __init__(self, artifact: bytes) -> None:
        self._artifact, self._room, self._seen = artifact, len(artifact), set[Any]()

    def check(self, value: Any) -> None:
        """Checks an attribute, and those in it.

        Raises:
            ValueError: if it holds a constant that is larger than its bytes, or one of another kind than JAX writes.
        """
        from jax.interpreters.mlir import ir

        waiting = [value]
        while waiting:
            value = waiting.pop()
            if isinstance(value, ir.ArrayAttr):
                waiting.extend(value)
            elif isinstance(value, ir.DictAttr):
                waiting.extend(inner for _, inner in _named(value))
            elif isinstance(value, ir.DenseElementsAttr):
                self._check_constant(value)
            elif "Elements" in type(value).__name__:
                raise ValueError("its program holds a constant whose bytes stand elsewhere")

    def _check_constant(self, value: Any) -> None:
        _check_type(text := str(value.type))
        if value.is_splat or value in self._seen:
            return
        self._seen.add(value)
        bits = _bits(text)
        self._room -= len(value) * bits // 8
        if self._room < 0:
            raise ValueError(_TOO_FEW)
        is_read = bits > 1 and "bf16" not in text and "f8" not in text  # types of NumPy's, as they stand in the artifact
        if is_read and memoryview(value).tobytes() not in self._artifact:
            raise ValueError(_TOO_FEW)


def _operations(top: Any) -> Iterator[Any]:
    """All operations, in any order, without recursion: a forged program may be nested deeply."""
    waiting = [top]
    while waiting:
        operation = waiting.pop()
        yield operation
        for region in operation.regions:
            for block in region:
                waiting.extend(inner.operation for inner in block)


def _check_operation(operation: Any) -> None:
    name = operation.name
    if name not in _OPERATIONS:
        raise ValueError(f"its program holds the operation {_short(name)}, which is not on the list of those that only compute")
    # A sort that is not stable trusts its comparator: one that contradicts itself leads it out of the array.
    if name == "stablehlo.sort" and str(dict(_named(operation.attributes)).get("is_stable")) != "true":
        raise ValueError(
            "its program sorts by a method that is not stable, which a false comparison leads out of its array; "
            "jnp.sort and jnp.argsort are stable; jnp.median and jnp.quantile have not been since JAX 0.12"
        )
    if name == "stablehlo.custom_call" and (target := _text(operation, "call_target_name")) not in _CUSTOM_CALLS:
        raise ValueError(f"its program calls {_short(target)}, a function outside of it")
    # A composite has a decomposition beside it, which must hold the same operations; a backend may have its own for the name.
    if name == "stablehlo.composite" and not (composed := _text(operation, "name")).startswith("chlo."):
        raise ValueError(f"its program holds the composite {_short(composed)}, which is not on the list")
    for key in operation.attributes:
        _check_attribute(getattr(key, "name", key))
    if name == "func.func":
        for group in ("arg_attrs", "res_attrs"):
            if group in operation.attributes:
                for each in operation.attributes[group]:
                    for key in each:
                        _check_attribute(getattr(key, "name", key))
    for value in (
        *operation.results,
        *(argument for region in operation.regions for block in region for argument in block.arguments),
    ):
        _check_type(str(value.type))


def _named(attributes: Any) -> Iterator[tuple[str, Any]]:
    for key in attributes:
        name = getattr(key, "name", key)
        yield name, attributes[name]


def _check_attribute(name: str) -> None:
    if name not in _KNOWN_ATTRIBUTES:
        raise ValueError(f"its program has the attribute {_short(name)}, which may change what is compiled")


def _check_type(text: str) -> None:
    match = _TENSOR.fullmatch(text)
    if match is None:
        raise ValueError(f"its program holds a value of the type {_short(text)}, which is no plain array")
    sizes = [int(size) for size in match[1].split("x") if size not in ("", "?")]
    if math.prod(sizes) * max(_bits(text), 8) // 8 > MOST_TENSOR_BYTES:
        raise ValueError(f"its program holds an array of {_short(text)}, more than {MOST_TENSOR_BYTES:,} bytes")


def _bits(text: str) -> int:
    """Of an element of a type that `_check_type` has passed."""
    return int(re.search(r"\d+", _TENSOR.fullmatch(text)[2])[0])  # type: ignore[index]


def _text(operation: Any, key: str) -> str:
    return str(operation.attributes[key].value)


def _line(error: object) -> str:
    return _short(" ".join(str(error).split()) or type(error).__name__)


def _short(value: object) -> str:
    text = "".join(letter if letter.isprintable() else "?" for letter in str(value))
    return text if len(text) <= 120 else text[:119] + "…"
