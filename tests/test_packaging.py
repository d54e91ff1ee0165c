"""The project file: every import is declared, the versions are bounded, and the hooks run what `make check` runs."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

import nnjax

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def names_of(requirements):
    return {plain(re.match(r"[\w.-]+", text)[0]) for text in requirements}


def imported():
    """The top-level modules that nnjax and experiments import anywhere, without their own and Python's."""
    for folder in ("nnjax", "experiments"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    yield from (alias.name.split(".")[0] for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module:
                    yield node.module.split(".")[0]


@pytest.mark.slow
def test_every_import_is_a_declared_dependency():
    named = ("tensorboard", "wandb", "mlflow", "trackio", "pandas", "joblib", "serve", "onnx", "search", "statistics")
    extras = names_of(text for name in named for text in PROJECT["optional-dependencies"][name])
    declared = names_of(PROJECT["dependencies"]) | extras
    owners = {"mlflow": ["mlflow-skinny"], **packages_distributions()}  # the first is in another environment
    third_party = set(imported()) - set(sys.stdlib_module_names) - {"nnjax", "experiments"}
    assert {"jax", "numpy", "yaml"} <= third_party  # the search finds imports
    # google is shared by several distributions, of which one has to be declared
    undeclared = {name for name in third_party if not {plain(owner) for owner in owners.get(name, (name,))} & declared}
    assert undeclared == set()


def test_every_dependency_has_a_tested_version():
    pinned = names_of(line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and line[0] != "#")
    assert names_of(PROJECT["dependencies"]) | names_of(PROJECT["optional-dependencies"]["dev"]) <= pinned


def test_the_readme_names_the_versions_that_are_allowed():
    readme = (ROOT / "README.md").read_text()
    (jax,) = (text for text in PROJECT["dependencies"] if text.startswith("jax>"))
    assert (PROJECT["requires-python"], jax) == (">=3.11,<3.14", "jax>=0.10,<0.13")
    for text in ("Python 3.11 and JAX 0.10", "Python 3.13 and JAX 0.12.0.1", "Python 3.14 and JAX 0.13"):
        assert text in " ".join(readme.split())


def test_the_package_is_typed_and_has_one_version():
    assert (ROOT / "nnjax" / "py.typed").read_bytes() == b""
    assert nnjax.__version__ == PROJECT["version"]


def test_the_hooks_are_local_and_run_what_make_check_runs():
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local"
    assert all(hook["language"] == "system" for hook in repository["hooks"])
    entries = [hook["entry"].removeprefix(".venv/bin/").removesuffix(" --force-exclude") for hook in repository["hooks"]]
    makefile = (ROOT / "Makefile").read_text()
    checks = re.search(r"^check:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)[1]
    assert entries == [line.strip().removeprefix("$(BIN)/").removesuffix(" --check") for line in checks.splitlines()]
