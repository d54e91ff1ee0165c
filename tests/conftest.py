"""Every test sees eight fake CPU devices, whatever the machine has, and its own cache folder."""

import os

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


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory):
    """The caches of the person who runs the tests stay as they are."""
    os.environ["NNJAX_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    jax.config.update("jax_compilation_cache_dir", str(tmp_path_factory.mktemp("compiled")))
