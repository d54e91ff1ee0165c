"""Shows the comparison with other frameworks: tables in Markdown, and bars.

section(result)                    # "### CNN 32-64-256 on 28×28×1, batch 128, Adam" and its table
draw(result, Path("comparison.png"))
"""

from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.contestants import OURS
from benchmarks.contestants.matmul import FLOPS
from benchmarks.results import number_text, rates, ratios, spread, warning
from nnjax.reporting.figures.canvas import BLUE, GREY, ORANGE, canvas
from nnjax.reporting.text import si_text

_SMALLEST_SHARE = 0.005  # multiplications do not limit a network of a few weights

Entries = Mapping[str, Mapping[str, Any]]


def roof(task: Mapping[str, Any]) -> float | None:
    """The roof measured beside a task, in operations per second: the faster library's median matrix product."""
    return max((FLOPS * median(rates(turns)) for turns in task["roofs"].values()), default=None)


def best_forms(entries: Entries) -> dict[str, str]:
    """Returns the form with the most steps per second of each other framework, by its family."""
    best: dict[str, str] = {}
    for name, entry in entries.items():
        if "turns" not in entry or name == OURS:
            continue
        rival = best.get(entry["family"])
        if rival is None or median(rates(entry["turns"])) > median(rates(entries[rival]["turns"])):
            best[entry["family"]] = name
    return best


def section(result: Mapping[str, Any]) -> str:
    """Returns the tables of steps per second, first steps and memory for each task."""
    return "\n\n".join(_task(task, result) for task in result["tasks"].values())


def _task(task: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    entries, top = task["contestants"], roof(task)
    lines = [
        f"### {task['title']}",
        "",
        "| | steps/s | nnjax is × as fast | share of the roof | first step, cold | warm | peak memory | losses differ by |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for _, entry in _sorted(entries):
        cells = [entry["title"]]
        if "turns" not in entry:
            lines.append(f"| {entry['title']} | – | {_cell(entry.get('failed', 'not measured'))} | | | | | |")
            continue
        ours = entries.get(OURS, {})
        cells.append(spread(rates(entry["turns"])).text())
        same = entry is ours or "turns" not in ours
        cells.append("" if same else ratios(ours["turns"], entry["turns"]).text())
        cells.append(share(median(rates(entry["turns"])) * task["flops"], top))
        cells += [f"{median(entry[start]):.1f} s" for start in ("cold", "warm")]
        cells += [f"{entry['megabytes']:.0f} MB", f"{entry['difference']:.0e}"]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", *_against_best(entries)]
    about = f"A step takes {si_text(task['flops'])} operations"
    roof_text = "" if top is None else f"; the roof is {si_text(top)} a second"
    lines.append(f"{about}{roof_text}. Losses of {result['curve_steps']} steps may differ by {task['tolerance']:g}.")
    return "\n".join(lines)


def _against_best(entries: Entries) -> list[str]:
    if "turns" not in entries.get(OURS, {}):
        return []
    lines = []
    for family, name in best_forms(entries).items():
        times = ratios(entries[OURS]["turns"], entries[name]["turns"])
        lines.append(f"**{times.text(unit='×')} the steps/s of {family}** ({entries[name]['title']})")
    return [f"Against each framework's fastest form, round by round: {'; '.join(lines)}.", ""] if lines else []


def _sorted(entries: Entries) -> list[tuple[str, Mapping[str, Any]]]:
    """Sorts contestants: the fastest first, those without a speed last."""
    return sorted(entries.items(), key=lambda item: -median(rates(item[1]["turns"])) if "turns" in item[1] else 1)


def share(operations: float, top: float | None) -> str:
    """Returns operations per second as a share of the roof; empty for tasks too small for it."""
    return "" if top is None or operations < _SMALLEST_SHARE * top else f"{100 * operations / top:.0f} %"


def _cell(text: str) -> str:
    return text.replace("|", "/")


def draw(result: Mapping[str, Any], path: Path) -> None:
    """Draws the steps per second of all contestants, one panel per task; whiskers span the slowest to the fastest round."""
    tasks = list(result["tasks"].values())
    counts = [max(1, sum("turns" in entry for entry in task["contestants"].values())) for task in tasks]
    with canvas(path, width=8, height=1.0 + sum(0.3 * count + 0.75 for count in counts)) as figure:
        about = result["about"]
        figure.suptitle(
            f"Training steps a second, float32, {result['options']['cores']} cores of {about['host']['cpu']}, "
            f"{about['date'][:10]}{warning(result)}",
            x=0.01,
            ha="left",
        )
        panels = figure.subplots(len(tasks), 1, squeeze=False, height_ratios=[count + 1.2 for count in counts])[:, 0]
        for axes, task in zip(panels, tasks, strict=True):
            _bars(axes, task)
        panels[-1].set_xlabel(
            "steps a second: median of the rounds, whiskers from the slowest to the fastest\n"
            "in brackets, how many times as fast nnjax is; orange: a framework's fastest form, grey: its other forms"
        )


def _bars(axes: Any, task: Mapping[str, Any]) -> None:
    entries = task["contestants"]
    rows = [(name, entry) for name, entry in _sorted(entries) if "turns" in entry]
    axes.set_title(task["title"])
    if not rows:
        return
    spreads = [spread(rates(entry["turns"])) for _, entry in rows]
    middles = [each.median for each in spreads]
    ends = [[each.median - each.least for each in spreads], [each.most - each.median for each in spreads]]
    best = set(best_forms(entries).values())
    colours = [BLUE if name == OURS else ORANGE if name in best else GREY for name, _ in rows]
    axes.barh(range(len(rows)), middles, color=colours, xerr=ends, error_kw={"elinewidth": 1, "capsize": 2})
    ours = entries.get(OURS, {}).get("turns")
    for row, ((name, entry), each) in enumerate(zip(rows, spreads, strict=True)):
        less = "" if name == OURS or ours is None else f"  (nnjax: {number_text(ratios(ours, entry['turns']).median, 2)}×)"
        axes.annotate(
            f"{number_text(each.median)}{less}", (each.most, row), xytext=(5, 0), textcoords="offset points", va="center"
        )
    axes.set_yticks(range(len(rows)), [entry["title"] for _, entry in rows])
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    if max(middles) > 50 * min(middles):
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _: number_text(value))
        axes.set_xlim(min(middles) / 3, 12 * max(middles))
    else:
        axes.set_xlim(0, 1.25 * max(each.most for each in spreads))
