"""No module imports itself through others, in the package or in the benchmarks: each can be read before those that need it."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("nnjax", "experiments", "benchmarks")


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))}


def import_statements(tree: ast.AST, *, inside: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports that run with the module itself; with `inside`, those in its functions."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            if not inside:
                yield node
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            if inside:
                yield from (found for found in ast.walk(node) if isinstance(found, ast.Import | ast.ImportFrom))
        elif not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            yield from import_statements(node, inside=inside)


def imported(name: str, source: str, *, inside: bool) -> set[str]:
    """Our modules that a module imports, with the packages around them, which Python runs first."""
    found = set()
    for node in import_statements(ast.parse(source), inside=inside):
        if isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
        else:
            found |= {alias.name for alias in node.names}
    with_packages = {".".join(target.split(".")[: depth + 1]) for target in found for depth in range(target.count(".") + 1)}
    own = {name.rsplit(".", depth)[0] for depth in range(name.count(".") + 1)}  # which run before the module, in any case
    return (with_packages & MODULES.keys()) - own


def graph(*, inside: bool = False) -> dict[str, set[str]]:
    return {name: imported(name, path.read_text(), inside=inside) for name, path in MODULES.items()}


def cycle_of(edges: dict[str, set[str]]) -> list[str]:
    """A cycle, as the names along it; empty if there is none."""
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def reaches(edges: dict[str, set[str]], start: str, end: str) -> bool:
    seen, waiting = set(), [start]
    while waiting:
        name = waiting.pop()
        if name == end:
            return True
        if name not in seen:
            seen.add(name)
            waiting += edges[name]
    return False


def test_no_module_imports_itself_through_others() -> None:
    edges = graph()
    assert sum(map(len, edges.values())) > 300  # they are found at all
    assert cycle_of(edges) == []


@pytest.mark.slow
def test_imports_in_functions_that_close_a_cycle_are_few_and_known() -> None:
    """They hide a cycle: one that has a reason is listed here."""
    edges = graph()
    found = {
        (name, target) for name, targets in graph(inside=True).items() for target in targets if reaches(edges, target, name)
    }
    assert found == set(), f"these imports in functions close a cycle: {sorted(found)}"


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ("import benchmarks.results", {"benchmarks.results"}),
        ("from benchmarks import results, machine", {"benchmarks.results", "benchmarks.machine"}),
        ("from benchmarks.results import save", {"benchmarks.results"}),
        ("if x:\n    import benchmarks.results", {"benchmarks.results"}),
        ("class A:\n    from benchmarks import results", {"benchmarks.results"}),
        ("if TYPE_CHECKING:\n    import benchmarks.results", set()),
        ("def f():\n    import benchmarks.results", set()),
        ("import numpy", set()),
        ("from nnjax.checks.plan import Plan", {"nnjax", "nnjax.checks", "nnjax.checks.plan"}),
    ],
)
def test_an_import_is_seen_where_it_runs_with_its_module(source: str, seen: set[str]) -> None:
    assert imported("benchmarks.render", source, inside=False) == seen


def test_a_cycle_is_found() -> None:
    assert cycle_of({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})
    assert imported("benchmarks.render", "def f():\n    from benchmarks import results", inside=True) == {"benchmarks.results"}
