import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nnjax.parallel import compilation
from nnjax.parallel.compilation import compile_lowered, keep_compiled

KEYS = (
    "jax_compilation_cache_dir",
    "jax_persistent_cache_min_compile_time_secs",
    "jax_persistent_cache_min_entry_size_bytes",
    "jax_enable_compilation_cache",
)


@pytest.fixture(autouse=True)
def settings(tmp_path, monkeypatch):
    """A cache folder of the test's own; JAX's settings are put back."""
    monkeypatch.setenv("NNJAX_CACHE", str(tmp_path / "cache"))
    before = {key: getattr(jax.config, key) for key in KEYS}
    jax.config.update("jax_compilation_cache_dir", None)
    yield
    for key, value in before.items():
        jax.config.update(key, value)


def test_programs_are_kept_in_a_folder_of_this_processor(tmp_path):
    said = []
    keep_compiled(said.append)
    folder = Path(jax.config.jax_compilation_cache_dir)
    assert folder.parent == tmp_path / "cache" / "compiled"
    assert folder.is_dir()
    assert jax.config.jax_persistent_cache_min_compile_time_secs == 0
    assert not said


def test_a_folder_that_the_user_chose_stays(tmp_path):
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "own"))
    keep_compiled(print)
    assert jax.config.jax_compilation_cache_dir == str(tmp_path / "own")


def test_switched_off_nothing_is_made(tmp_path):
    jax.config.update("jax_enable_compilation_cache", False)
    keep_compiled(print)
    assert jax.config.jax_compilation_cache_dir is None
    assert not (tmp_path / "cache").exists()


def test_without_a_place_it_continues_and_says_so(tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    said = []
    keep_compiled(said.append)
    assert jax.config.jax_compilation_cache_dir is None
    assert len(said) == 1
    assert "continuing without a cache of compiled programs" in said[0]


def test_what_was_used_longest_ago_is_removed_first(tmp_path, monkeypatch):
    monkeypatch.setattr(compilation, "_LARGEST", 40)
    keep_compiled(print)
    folder = Path(jax.config.jax_compilation_cache_dir)
    for age, name in enumerate("abcde"):
        (folder / name).write_bytes(bytes(10))
        os.utime(folder / name, (1e9 - age, 1e9 - age))
    jax.config.update("jax_compilation_cache_dir", None)
    keep_compiled(print)
    assert {path.name for path in folder.iterdir()} == {"a", "b"}


def lowered_product():
    return jax.jit(lambda a, b: a @ b).lower(jnp.ones((128, 64)), jnp.ones((64, 128)))


def test_training_on_the_cpu_leaves_products_to_eigen():
    assert "ynn_fusion" in lowered_product().compile().as_text()  # else the setting is no longer worth its lines
    program = compile_lowered(lowered_product(), "cpu")
    assert "ynn_fusion" not in program.as_text()
    np.testing.assert_array_equal(program(jnp.ones((128, 64)), jnp.ones((64, 128))), 64.0)


def test_the_fixture_optimised_reaches_the_compiler(optimised, tmp_path, monkeypatch):
    def machine_code(folder):
        monkeypatch.setitem(compilation._YNNPACK, "xla_dump_to", str(folder))
        compile_lowered(jax.jit(lambda x: jnp.sin(x) * x + jnp.exp(x)).lower(np.ones(1000, np.float32)), "cpu")
        return [path.read_bytes() for path in sorted(folder.glob("*.o"))]

    at_3 = machine_code(tmp_path / "optimised")
    monkeypatch.setitem(compilation._YNNPACK, "xla_backend_optimization_level", 0)
    at_0 = machine_code(tmp_path / "plain")
    assert len(at_3) == len(at_0) == 1
    assert at_3 != at_0


def test_other_platforms_are_compiled_as_jax_does():
    assert "ynn_fusion" in compile_lowered(lowered_product(), "gpu").as_text()


@pytest.mark.parametrize(
    "setting", [{"xla_cpu_of_another_version": "1"}, {next(iter(compilation._YNNPACK)): "OF_ANOTHER_VERSION"}]
)
def test_a_jaxlib_that_does_not_know_the_setting_compiles_without_it(setting, monkeypatch):
    monkeypatch.setattr(compilation, "_YNNPACK", setting)
    assert "ynn_fusion" in compile_lowered(lowered_product(), "cpu").as_text()


def test_an_error_of_the_program_itself_is_raised():
    class Broken:
        def compile(self, **_):
            raise jax.errors.JaxRuntimeError("out of memory")

    with pytest.raises(jax.errors.JaxRuntimeError, match="out of memory"):
        compile_lowered(Broken(), "cpu")


def test_a_version_that_cannot_keep_barriers_leaves_exchanges_uncombined():
    class Lowered:
        def compile(self, compiler_options):
            if compiler_options["xla_disable_hlo_passes"] == "cse_barrier_expander":
                raise jax.errors.JaxRuntimeError("UNIMPLEMENTED: opt-barrier")
            return compiler_options

    assert compile_lowered(Lowered(), "cpu", in_turn=True) == compilation._YNNPACK | compilation._UNCOMBINED
