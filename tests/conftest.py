"""Every test sees eight fake CPU devices, whatever the machine has, and its own cache folder."""

import os

os.environ["JAX_PLATFORMS"] = "cpu"

import hypothesis
import jax
import pytest

jax.config.update("jax_num_cpu_devices", 8)

# The first example of a test compiles; a machine that is busy is no fault of the code.
hypothesis.settings.register_profile("nnjax", deadline=None, max_examples=50)
hypothesis.settings.load_profile("nnjax")


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory):
    """The decoded cache of the person who runs the tests stays as it is."""
    os.environ["NNJAX_CACHE"] = str(tmp_path_factory.mktemp("cache"))
