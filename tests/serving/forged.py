"""A small exported model, and ways to forge one: programs with other operations, files with another content."""

import hashlib
import json
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.mlir import ir, serialize_portable_artifact
from jax.extend.mlir.dialects import stablehlo
from jax.interpreters.mlir import make_ir_context

from nnjax.serving.facts import InputFacts, ModelFacts
from nnjax.serving.model_file import write_model
from nnjax.serving.program import Program
from nnjax.serving.running import export_program

FACTS = ModelFacts(
    name="small",
    task="classification",
    inputs=InputFacts((4, 4, 1), "uint8", "plain", 255.0),
    labels=("nought", "one", "two"),
    num_outputs=3,
    num_trials=2,
    from_logits=True,
    temperatures=(1.0, 1.5),
    series=None,
    metrics={"accuracy": 0.9},
    calibration={"temperature": [1.0, 1.5], "ece_before": 0.1, "ece_after": 0.05},
    provenance={"run": "2026-11-28", "step": 60, "versions": {"jax": "0.10.2"}},
)


def weights():
    rng = np.random.default_rng(0)
    return {"hidden": rng.normal(size=(2, 16, 8)).astype(np.float32), "output": rng.normal(size=(2, 8, 3)).astype(np.float32)}


def function(weights, inputs):
    x = inputs.reshape(inputs.shape[0], 16).astype(jnp.float32) / 255
    return jnp.einsum("bd,tdh,tho->tbo", x, jnp.tanh(weights["hidden"]), weights["output"])


@cache
def small_program():
    return export_program(function, weights(), FACTS)


def small_file(path):
    write_model(path, FACTS, None, small_program())
    return path


def program_of(text):
    """A portable artifact of a module's text."""
    with make_ir_context():
        module = ir.Module.parse(text)
        return serialize_portable_artifact(module, stablehlo.get_current_version(), False)


def module_text(traced=lambda x: x * 2.0):
    """A module of one function, as text, and the type of its main."""
    text = str(jax.jit(traced).lower(jax.ShapeDtypeStruct((4,), np.float32)).compiler_ir("stablehlo"))
    return text, "(tensor<4xf32>) -> tensor<4xf32>"


def forged_program(stablehlo_bytes):
    program = small_program()
    return Program(stablehlo_bytes, program.calling_convention, program.platforms, program.weights)


def split_file(data):
    """Header and arrays of a file's bytes."""
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length : -32]


def joined_file(header, arrays, *, raw=None):
    """A file's bytes with the right checksum, whatever they hold; `raw` replaces the header's text."""
    text = json.dumps(header).encode() if raw is None else raw
    signed = len(text).to_bytes(8, "little") + text + arrays
    return signed + hashlib.sha256(signed).digest()
