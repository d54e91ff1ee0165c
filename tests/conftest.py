"""Every test sees eight simulated CPU devices, whatever the machine has, and caches of the test session's own."""

import gc
import os
from pathlib import Path

os.environ["JAX_PLATFORMS"] = "cpu"
os.environ.pop("COLUMNS", None)  # the width of the terminal that pytest runs in, which xdist passes on, is not the tests'

import hypothesis
import jax
import pytest
from composed_values import delete, values_of  # noqa: F401  (fixtures)

jax.config.update("jax_num_cpu_devices", 8)

# The first example of a test compiles; a machine that is busy is no fault of the code.
hypothesis.settings.register_profile("nnjax", deadline=None, max_examples=50)
hypothesis.settings.load_profile("nnjax")


# Many tests compile the same programs.
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def start_xla() -> None:
    """Starts XLA with LLVM's optimisations off, unless XLA_FLAGS asks for something else.

    The tests compile thousands of programs that run for a millisecond each: with LLVM's optimisations this took half of their
    time. XLA's own passes stay, and the libraries that compute products and convolutions. XLA reads its flags once: a process
    that a test starts compiles as usual. With `XLA_FLAGS= make test` the tests' own process does, too.
    """
    if "XLA_FLAGS" in os.environ:
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XLA_FLAGS", "--xla_backend_optimization_level=0")
        jax.jit(lambda: 0)()


start_xla()


def pytest_collection_finish() -> None:
    # What is imported stays: looking through it for garbage, again and again, is of no use.
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory):
    """The caches of the person who runs the tests stay as they are. Workers share the compiled programs."""
    os.environ["NNJAX_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    base = Path(tmp_path_factory.getbasetemp())
    jax.config.update(
        "jax_compilation_cache_dir", str((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "compiled")
    )


@pytest.fixture
def optimised(monkeypatch):
    """Training programs are compiled with LLVM's optimisations, as users have them (see `start_xla`)."""
    from nnjax.parallel import compilation

    monkeypatch.setitem(compilation._YNNPACK, "xla_backend_optimization_level", 3)
