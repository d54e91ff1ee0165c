"""The house stays as DESIGN draws it: imports point one way, and every package says what it is for."""

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# What each package may import of ours, besides itself.
FACTS = {"nnjax.config", "nnjax.data", "nnjax.checks"}
MAY_IMPORT = {
    "nnjax.config": set(),
    "nnjax.data": {"nnjax.config"},
    "nnjax.checks": {"nnjax.config", "nnjax.data"},
    "nnjax.cli": {"nnjax.config", "nnjax.checks"},
    "nnjax.models": {"nnjax.config", "nnjax.data", "nnjax.parallel"},
    "nnjax.parallel": FACTS,
    "nnjax.training": FACTS | {"nnjax.models", "nnjax.parallel"},
    # `cli` reads and writes a run's folder: a summary covers its sessions and plugins, a sweep's table its jobs' configs.
    "nnjax.reporting": {"nnjax.config", "nnjax.checks", "nnjax.cli"},
    "nnjax.interconnect": FACTS | {"nnjax.models", "nnjax.parallel", "nnjax.training"},
    "nnjax.textbook": FACTS | {"nnjax.models", "nnjax.parallel", "nnjax.training"},
    "nnjax.worksheets": FACTS | {"nnjax.models", "nnjax.reporting", "nnjax.textbook"},
    "nnjax.searching": {"nnjax.config", "nnjax.checks"},  # on Optuna
    "nnjax.serving": {"nnjax.config"},
    "nnjax.tracking": set(),  # a tracker's process imports nothing else of ours
    # Reads what `cli` and `reporting` write into a run's folder.
    "nnjax.records": {"nnjax.config", "nnjax.cli", "nnjax.reporting"},
    "nnjax.comparing": {"nnjax.config", "nnjax.records"},
}
MAY_IMPORT["nnjax.api"] = set(MAY_IMPORT) - {"nnjax.textbook", "nnjax.worksheets"}
MAY_IMPORT["experiments"] = {*MAY_IMPORT, "nnjax"}
WITHOUT_JAX = {("nnjax", name) for name in ("config", "checks", "cli", "records", "comparing", "tracking")}
MODULES = sorted(path.relative_to(ROOT) for name in ("nnjax", "experiments") for path in (ROOT / name).rglob("*.py"))


def package_of(module):
    parts = module.split(".")
    return "experiments" if parts[0] == "experiments" else ".".join(parts[:2])


def imports_of(path):
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_point_one_way(path):
    package = package_of(".".join(path.with_suffix("").parts))
    ours = {package_of(name) for name in imports_of(path) if name.split(".")[0] in ("nnjax", "experiments")}
    if package in MAY_IMPORT:
        assert ours - {package} <= MAY_IMPORT[package], f"{path} imports {ours}"
    else:
        assert path == Path("nnjax/__init__.py")  # for type checkers; a name is loaded when it is first used
        assert ours <= {"nnjax.api", "nnjax.config", "nnjax.data"}


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_every_module_says_what_it_is_for_and_fits_on_a_few_pages(path):
    source = (ROOT / path).read_text()
    assert ast.get_docstring(ast.parse(source)), path
    assert len(source.splitlines()) <= 300


def test_the_design_card_holds():
    for name in ("pyproject.toml", "experiments", "conf", "nnjax", "tests", "outputs"):
        assert (ROOT / name).exists()


def test_nothing_in_conf_can_run_code():
    for path in (ROOT / "conf").rglob("*.yaml"):
        assert "_target_" not in path.read_text(), path


def test_no_two_files_share_a_name():
    names = Counter(path.name for path in MODULES if path.name != "__init__.py" and path.parts[0] == "nnjax")
    assert [name for name, times in names.items() if times > 1] == []


def test_no_two_files_of_tests_share_a_name():
    counts = Counter(path.name for path in (ROOT / "tests").rglob("*.py") if path.name not in ("__init__.py", "conftest.py"))
    assert {name for name, count in counts.items() if count > 1} == set()  # pytest imports them by this name


def test_what_a_config_error_needs_loads_neither_jax_nor_numpy():
    modules = [".".join(path.with_suffix("").parts) for path in MODULES if path.parts[:2] in WITHOUT_JAX]
    program = f"""import sys
from importlib import import_module
for name in {modules}: import_module(name)
sys.exit(", ".join({{"jax", "flax", "numpy", "tensorflow_datasets"}} & set(sys.modules)) or 0)"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert (result.returncode, result.stderr) == (0, "")


def test_the_config_needs_no_hydra():
    program = "import sys, nnjax.config.schema, nnjax.config.parsing; sys.exit('hydra' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT).returncode == 0


def test_the_package_is_cheap_to_import():
    program = """import sys
before = set(sys.modules)
import nnjax
new = {name for name in set(sys.modules) - before if name.split(".")[0] not in sys.stdlib_module_names}
sys.exit(", ".join(new - {"nnjax"}) or 0)"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert (result.returncode, result.stderr) == (0, "")
