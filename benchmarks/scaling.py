"""What a training step of nnjax costs as width, batch, depth and dataset grow eightfold: `python -m benchmarks.scaling`."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.common import Session, parser, say, session
from benchmarks.contestants import OURS
from benchmarks.results import number_text, rates, spread, warning
from benchmarks.tasks import TASKS, Task, made_data, step_flops, write_inputs
from benchmarks.turns import Worker, WorkerError, take_turns
from nnjax.reporting.figures.canvas import BLUE, GREY, canvas

_GROWTH = (1, 2, 4, 8)


@dataclass(frozen=True)
class Line:
    """One thing that grows.

    Attributes:
        title: of the network.
        what: grows.
        tasks: by the value of what grows.
    """

    title: str
    what: str
    tasks: Mapping[int, Task]


def lines() -> dict[str, Line]:
    """All that is measured; the largest value is eight times the smallest."""
    fnn, cnn = TASKS["fnn"], TASKS["cnn_mnist"]
    grown = {
        "fnn_width": ("FNN 784-width-10, batch 128", "width", lambda n: replace(fnn, dense=(n,)), 128),
        "fnn_depth": ("FNN 784-256-…-256-10, batch 128", "hidden layers", lambda n: replace(fnn, dense=(256,) * n), 1),
        "fnn_batch": ("FNN 784-512-10", "batch", lambda n: replace(fnn, batch=n), 32),
        "cnn_batch": ("CNN 32-64-256 on 28×28×1", "batch", lambda n: replace(cnn, batch=n), 32),
        "fnn_dataset": ("FNN 784-512-10, batch 128", "training examples", lambda n: replace(fnn, num_train=n), 7_500),
    }
    return {
        name: Line(title, what, {factor * base: task(factor * base) for factor in _GROWTH})
        for name, (title, what, task, base) in grown.items()
    }


def main() -> None:
    """Measures, saves and draws."""
    examples = "  python -m benchmarks.scaling\n  python -m benchmarks.scaling --quick --anyway"
    args = parser(
        "Seconds that a training step of nnjax takes as one thing after another grows eightfold.", examples
    ).parse_args()
    with session("scaling", args) as run:
        run.result["lines"] = {name: _measure(line, run) for name, line in lines().items()}


def _measure(line: Line, run: Session) -> dict[str, Any]:
    workers: dict[str, Worker] = {}
    try:
        for value, task in line.tasks.items():
            folder = run.folder / f"{line.what}_{value}".replace(" ", "_")
            write_inputs(task, made_data(task), folder)
            workers[str(value)] = Worker(OURS, folder, run.settings)
        turns, failed = take_turns(workers, run.rounds, run.seconds, run.meter)
    finally:
        for worker in workers.values():
            worker.close()
    if failed:
        raise WorkerError(f"{line.title}: {failed}")
    say(f"{line.title}: {line.what} " + ", ".join(f"{value}: {1e3 / median(rates(turns[value])):.3g} ms" for value in turns))
    flops = {str(value): step_flops(task) for value, task in line.tasks.items()}
    return {"title": line.title, "what": line.what, "turns": turns, "flops": flops}


def growth(line: Mapping[str, Any]) -> tuple[float, float]:
    """How many times as much the largest costs as the smallest: seconds a step, and operations a step."""
    sizes = sorted(line["turns"], key=int)
    seconds = [1 / median(rates(line["turns"][size])) for size in (sizes[0], sizes[-1])]
    return seconds[1] / seconds[0], line["flops"][sizes[-1]] / line["flops"][sizes[0]]


def section(result: Mapping[str, Any]) -> str:
    """A table: milliseconds a step at each size, and how much more the last takes than the first."""
    rows = ["| | grows | milliseconds a step | cost × | operations × |", "|---|---|---|---|---|"]
    for line in result["lines"].values():
        sizes = sorted(line["turns"], key=int)
        cost, operations = growth(line)
        times = ", ".join(number_text(1e3 / median(rates(line["turns"][size]))) for size in sizes)
        grows = f"{line['what']} {sizes[0]} to {sizes[-1]}"
        rows.append(f"| {line['title']} | {grows} | {times} | {number_text(cost, 2)} | {number_text(operations, 2)} |")
    return "\n".join(rows)


def draw(result: Mapping[str, Any], path: Path) -> None:
    """Milliseconds a step against each thing that grows, both axes logarithmic, beside a straight line from the smallest."""
    found = list(result["lines"].values())
    columns = min(3, len(found))
    rows = math.ceil(len(found) / columns)
    with canvas(path, width=3.2 * columns, height=2.7 * rows + 0.4) as figure:
        title = f"Milliseconds of a training step as one thing grows eightfold{warning(result)}"
        figure.suptitle(title, x=0.01, ha="left")
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes in panels[len(found) :]:
            axes.set_axis_off()
        for axes, line in zip(panels, found, strict=False):
            sizes = sorted(map(int, line["turns"]))
            each = [spread([1e3 / rate for rate in rates(line["turns"][str(size)])]) for size in sizes]
            middles = [one.median for one in each]
            ends = [[one.median - one.least for one in each], [one.most - one.median for one in each]]
            axes.plot(sizes, [middles[0] * size / sizes[0] for size in sizes], "--", color=GREY, linewidth=1, label="linear")
            axes.errorbar(sizes, middles, yerr=ends, marker="o", color=BLUE, capsize=2, label="measured")
            axes.set_xscale("log", base=2)
            axes.set_yscale("log", base=2)
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_major_formatter(lambda value, _: number_text(value))
            axes.set_xticks(sizes, [f"{size:,}".replace(",", " ") for size in sizes])
            axes.minorticks_off()
            axes.set_title(line["title"], fontsize=9)
            axes.set_xlabel(line["what"])
        panels[0].set_ylabel("ms a step")
        panels[0].legend()


if __name__ == "__main__":
    main()
