"""Renders the newest results to `benchmarks/results/README.md` and a figure of each kind; measures nothing.

render(FOLDER)                     # all kinds
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markdown import Markdown

from benchmarks import comparison, sections
from benchmarks.history import section
from benchmarks.results import COMPARISON, every, newest, number_text

Result = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """How the results of one benchmark are shown.

    Attributes:
        title: heading of the section.
        section: the tables, in Markdown.
        draw: the function that draws the figure to a path; None without a figure.
    """

    title: str
    section: Callable[[Result], str]
    draw: Callable[[Result, Path], None] | None = None


KINDS = {
    COMPARISON: Kind("Against other frameworks", comparison.section, comparison.draw),
    "accuracy": Kind("Time to an accuracy", sections.accuracy),
    "scaling": Kind("As things grow", sections.scaling, sections.draw_scaling),
    "seeds": Kind("Many seeds in one run", sections.seeds),
    "searches": Kind("Search, random search and a sweep in the same time", sections.searches),
    "devices": Kind("One device, or two on the same cores", sections.devices),
    "startup": Kind("Start", sections.startup),
    "serving": Kind("A server", sections.serving),
}


def render(folder: Path, shown: Sequence[str] = tuple(KINDS)) -> None:
    """Writes the page of all results, draws the figures, and prints the sections of `shown`."""
    parts = ["# Measured\n\nWritten by `python -m benchmarks`; how, and what counts, stands in [its README](../README.md).\n"]
    for name, kind in KINDS.items():
        result = newest(name, folder)
        if result is None:
            continue
        part = f"## {kind.title}\n\n{preamble(result)}\n\n{kind.section(result)}\n"
        if kind.draw is not None:
            kind.draw(result, folder / f"{name}.png")
            part += f"\n![{kind.title}]({name}.png)\n"
        parts.append(part)
        if name in shown:
            Console().print(Markdown(part))
    if history := section(every(COMPARISON, folder)):
        parts.append(f"## Training, over processors and versions\n\n{history}\n")
    (folder / "README.md").write_text("\n".join(parts))


def preamble(result: Result) -> str:
    """Returns machine, versions and date, with a warning if the machine was busy."""
    about, options, load = result["about"], result["options"], result["load"]
    host, versions, git = about["host"], about["versions"], about["git"]
    packages = ("python", "jax", "jaxlib", "flax", "optax", "torch", "keras")
    commit = "no commit" if git is None else f"commit {git['commit'][:10]}{' and changes' if git['dirty'] else ''}"
    machine = (
        f"{host['cpu']}, {options['cores']} of {host['cores_of_machine']} cores, {host['memory_gib']} GiB, {host['platform']}"
    )
    versions_text = ", ".join(f"{name} {versions[name]}" for name in packages if versions.get(name))
    lines = [f"{about['date'][:10]}, {machine}; {commit}; {versions_text}; {options['rounds']} rounds."]
    if load["busy"]:
        others = number_text(load["others"], 2)
        lines.insert(0, f"**The machine was busy: others used {others} of its cores. These numbers say little.**")
    if options["quick"]:
        lines.insert(0, "**A quick look, with short rounds: not to be quoted.**")
    return "\n\n".join(lines)
