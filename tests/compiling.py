"""How the tests' programs are compiled: in a hurry.

start_xla()                                                   # conftest.py, before anything computes
environment = dict(os.environ) | xla_flags()                  # of a process that a test starts

The tests compile thousands of programs that run for a millisecond each. LLVM's optimisations, and the emitters whose code
needs them, take six sevenths of the time that a training step takes to compile. XLA's own passes stay, and the libraries that
compute products and convolutions; the last bit of a number may differ. `XLA_FLAGS= make test` compiles as users do.
"""

import os
import platform

import jax
import jaxlib.version
import pytest

# Only here: XLA ends the process over a flag that it does not know, and later versions have none for the emitters.
_HAS_EMITTERS = jaxlib.version.__version_info__[:2] == (0, 10) and platform.machine() in ("x86_64", "AMD64")
_IN_A_HURRY = [
    "--xla_backend_optimization_level=0",
    "--xla_cpu_parallel_codegen_split_count=1",
    # Without optimisation, what the older emitters make for AVX is wrong in some programs, and right for SSE.
    *(["--xla_cpu_use_fusion_emitters=false", "--xla_cpu_max_isa=SSE4_2"] if _HAS_EMITTERS else []),
]


def start_xla() -> None:
    """Starts XLA with the flags, which it reads once: the tests' environment stays without them."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in xla_flags().items():
            patch.setenv(name, value)
        jax.jit(lambda: 0)()


def xla_flags() -> dict[str, str]:
    """The variable XLA_FLAGS; nothing if the tests were started with one, be it empty."""
    return {} if "XLA_FLAGS" in os.environ else {"XLA_FLAGS": " ".join(_IN_A_HURRY)}
