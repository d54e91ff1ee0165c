"""A program is taken from its file where, and only where, it is the one that would be made."""

import threading
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from nnjax.parallel import program_files
from nnjax.parallel.program_files import get_program
from nnjax.parallel.program_store import LoadedCode

X = jnp.arange(64.0).reshape(8, 8)


@pytest.fixture
def folder(tmp_path):
    """JAX's cache of this test's own: what is compiled in it is new."""
    from jax.experimental.compilation_cache import compilation_cache

    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", str(tmp_path))
    compilation_cache.reset_cache()
    yield tmp_path
    jax.config.update("jax_compilation_cache_dir", before)
    compilation_cache.reset_cache()


class Maker:
    """Makes a program, which adds a number, and counts how often."""

    def __init__(self, number=1.0):
        self.number, self.made = number, 0

    def __call__(self):
        self.made += 1
        return jax.jit(lambda x, more: {"sum": jnp.tanh(x @ x).sum() + more["of"] + self.number}).lower(*arguments()).compile()


def arguments():
    return X, {"of": jnp.float32(2)}


def get(make, facts="facts", code="code", devices=None):
    return get_of(code and LoadedCode(lambda: code), make, facts, devices)


def get_of(code, make, facts="facts", devices=None):
    program = get_program(code, lambda: facts, make, devices or jax.devices()[:1], arguments(), {"sum": 0})
    for thread in threading.enumerate():
        if thread.name == "program_file":
            thread.join()
    return float(program(*arguments())["sum"])


def files(folder):
    return sorted(Path(folder).glob("*.program"))


def test_it_is_made_once_and_computes_the_same_from_its_file(folder):
    make, again = Maker(), Maker()
    assert get(make) == get(again) == float(jnp.tanh(X @ X).sum() + 3)
    assert (make.made, again.made, len(files(folder))) == (1, 0, 1)


@pytest.mark.parametrize("other", [{"facts": "others"}, {"code": "newer"}])
def test_other_facts_or_another_code_make_another(folder, other):
    get(Maker())
    make = Maker(10.0)
    assert get(make, **other) == pytest.approx(get(Maker()) + 9)
    assert (make.made, len(files(folder))) == (1, 2)


def test_other_flags_of_xla_make_another(folder, monkeypatch):
    get(Maker())
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
    make = Maker()
    get(make)
    assert make.made == 1


@pytest.mark.parametrize("other", [{"facts": None}, {"code": None}])
def test_without_knowing_all_it_follows_from_it_is_made_each_time(folder, other):
    make = Maker()
    get(make, **other)
    get(make, **other)
    assert (make.made, files(folder)) == (2, [])


def test_another_processor_makes_another(folder, monkeypatch):
    get(Maker())
    monkeypatch.setattr(program_files, "processor", lambda: "an older one")
    make = Maker()
    get(make)
    assert make.made == 1


@pytest.mark.parametrize("versions", [["old", None], ["old", "new"], [None, None]])
def test_where_the_code_changed_while_it_was_made_nothing_is_kept(folder, versions):
    make, left = Maker(), iter(versions)
    get_of(LoadedCode(lambda: next(left)), make)
    assert (make.made, files(folder)) == (1, [])


def test_a_training_looks_at_the_code_once_where_its_programs_are_in_files(folder):
    get(Maker())
    looked = []
    code = LoadedCode(lambda: looked.append("once") or "code")
    assert get_of(code, Maker()) == get_of(code, Maker())
    assert looked == ["once"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("jax_enable_compilation_cache", False),
        ("jax_compilation_cache_dir", None),
        ("jax_compilation_cache_dir", ""),
        ("jax_log_compiles", True),
    ],
)
def test_without_a_cache_or_to_be_seen_nothing_is_kept(folder, monkeypatch, name, value):
    monkeypatch.chdir(folder)
    before = getattr(jax.config, name)
    jax.config.update(name, value)
    try:
        make = Maker()
        get(make)
        get(make)
    finally:
        jax.config.update(name, before)
    assert (make.made, files(folder)) == (2, [])


def test_with_flags_in_a_file_nothing_is_kept(folder, monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "/home/me/flags.txt")  # which may change
    make = Maker()
    get(make)
    get(make)
    assert (make.made, files(folder)) == (2, [])


def test_on_an_accelerator_it_is_made_each_time(folder):
    class Gpu:
        platform = "gpu"

    make = Maker()
    get(make, devices=[Gpu()])
    get(make, devices=[Gpu()])
    assert (make.made, files(folder)) == (2, [])


def flipped(content):
    return content[:400] + bytes([content[400] ^ 1]) + content[401:]


@pytest.mark.parametrize("damage", [flipped, lambda content: content[:200], lambda content: b""])
def test_a_damaged_file_is_replaced(folder, damage):
    expected = get(Maker())
    (path,) = files(folder)
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    # What JAX's own cache has left would not do in a file.
    for entry in folder.iterdir():
        if entry != path:
            entry.unlink()
    make, again = Maker(), Maker()
    assert get(make) == get(again) == expected
    assert (make.made, again.made) == (1, 0)


def test_a_program_that_jax_had_in_its_own_cache_is_not_kept(folder):
    get(Maker())
    (path,) = files(folder)
    path.unlink()
    jax.clear_caches()
    make = Maker()
    get(make)
    assert (make.made, files(folder)) == (1, [])


def test_where_nothing_can_be_written_the_program_is_there_all_the_same(folder, monkeypatch):
    def full(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(program_files, "replaced", full)
    assert get(Maker()) == float(jnp.tanh(X @ X).sum() + 3)
    assert not files(folder)
