"""The version of the code that determines a run's numbers."""

import os
import shutil
import time
from pathlib import Path

import pytest

from nnjax.cli import code_version as module
from nnjax.cli.code_version import WITHOUT_EFFECT, _package_hash, code_version, loaded_code_version
from nnjax.config.registry import PluginFile

PACKAGE = Path(module.__file__).parents[1]


@pytest.fixture
def package(tmp_path):
    for name in ("training/step.py", "models/cnn.py", "reporting/tables.py", "cli/command.py"):
        (tmp_path / "nnjax" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PACKAGE / name, tmp_path / "nnjax" / name)
    return tmp_path / "nnjax"


def changed(package, name):
    before = _package_hash(package)
    with (package / name).open("a") as file:
        file.write("\n")
    _package_hash.cache_clear()
    return _package_hash(package) != before


def test_it_depends_on_what_computes_and_on_nothing_else(package, monkeypatch):
    assert changed(package, "training/step.py")
    assert changed(package, "models/cnn.py")
    assert not changed(package, "reporting/tables.py")
    assert not changed(package, "cli/command.py")
    before = _package_hash(package)
    monkeypatch.setattr(module, "_version", lambda library: "99" if library == "jax" else None)
    _package_hash.cache_clear()
    assert _package_hash(package) != before


def test_a_plugin_is_part_of_it(monkeypatch):
    before = code_version()
    monkeypatch.setattr(module, "loaded_plugins", lambda: (PluginFile("mine.py", Path("mine.py"), "00ff"),))
    assert code_version() != before
    assert len(before) == 12


def test_the_packages_that_are_left_out_compute_nothing():
    """Those that training imports are covered."""
    assert not WITHOUT_EFFECT & {"api", "checks", "config", "data", "models", "parallel", "training"}


@pytest.fixture
def command(monkeypatch):
    """As in the process of a command that began just now."""
    monkeypatch.setattr(module, "is_own", lambda name: name == "experiments.train")
    monkeypatch.setattr(module.startup, "began_at", time.time())


def test_a_command_knows_the_code_that_it_has_loaded(command):
    assert loaded_code_version() == loaded_code_version() is not None


def test_another_program_does_not(monkeypatch, command):
    monkeypatch.setattr(module, "is_own", lambda name: False)
    assert loaded_code_version() is None


def test_nor_does_a_process_that_began_nothing(monkeypatch, command):
    monkeypatch.setattr(module.startup, "began_at", None)
    assert loaded_code_version() is None


def test_nor_a_command_with_a_plugin(monkeypatch, command):
    monkeypatch.setattr(module, "loaded_plugins", lambda: (PluginFile("mine.py", Path("mine.py"), "00ff"),))
    assert loaded_code_version() is None


def test_nor_one_whose_files_changed_since(monkeypatch, command, package):
    monkeypatch.setattr(module, "_PACKAGE", package)
    monkeypatch.setattr(module.startup, "began_at", time.time() - 60)
    old = time.time() - 3600
    for path in package.rglob("*.py"):
        os.utime(path, (old, old))  # as by `cp -p`: they are new all the same
    assert loaded_code_version() is None
    monkeypatch.setattr(module.startup, "began_at", time.time() + 1)
    before = loaded_code_version()
    (package / "training" / ".#step.py").symlink_to("me@here.1234")  # an editor's, of a file that is not saved
    assert loaded_code_version() == before is not None
    (package / "training" / "gone.py").symlink_to("nowhere")
    assert loaded_code_version() is None


def test_files_of_the_same_content_are_the_same_version_and_tables_do_not_count(monkeypatch, command, package):
    monkeypatch.setattr(module, "_PACKAGE", package)
    monkeypatch.setattr(module.startup, "began_at", time.time() + 60)
    before = loaded_code_version()
    for path in package.rglob("*.py"):
        os.utime(path, (1e9, 1e9))  # as after a change that was taken back
    (package / "reporting" / "tables.py").write_text("")
    _package_hash.cache_clear()
    assert loaded_code_version() == before is not None
    (package / "training" / "step.py").write_text("")
    _package_hash.cache_clear()
    assert loaded_code_version() != before


def test_a_library_that_a_person_changed_is_another_version(monkeypatch, command, tmp_path):
    monkeypatch.setattr(module, "_folder_of", lambda library: tmp_path / library)
    (tmp_path / "optax").mkdir()
    (tmp_path / "optax" / "adam.py").write_text("b1 = 0.9")
    monkeypatch.setattr(module.startup, "began_at", time.time() + 1)
    before = loaded_code_version()
    (tmp_path / "optax" / "adam.py").write_text("b1 = 0.99")
    assert loaded_code_version() != before
