"""The version of the code that determines a run's numbers."""

import shutil
from pathlib import Path

import pytest

from nnjax.cli import code_version as module
from nnjax.cli.code_version import WITHOUT_EFFECT, _package_hash, code_version
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
