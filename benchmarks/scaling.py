"""Measures nnjax's training step as width, batch, depth and dataset grow eightfold: `python -m benchmarks.scaling`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from benchmarks.common import Session, parser, say, session
from benchmarks.contestants import OURS
from benchmarks.results import rates
from benchmarks.tasks import TASKS, Task, made_data, step_flops, write_inputs
from benchmarks.turns import Worker, WorkerError, take_turns

_GROWTH = (1, 2, 4, 8)


@dataclass(frozen=True)
class Line:
    """One quantity that grows.

    Attributes:
        title: the network's title.
        what: the name of the quantity.
        tasks: by the value of the quantity.
    """

    title: str
    what: str
    tasks: Mapping[int, Task]


def lines() -> dict[str, Line]:
    """Returns all lines; the largest value of each is eight times the smallest."""
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


if __name__ == "__main__":
    main()
