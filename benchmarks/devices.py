"""One CPU device against two on the same two cores, the global batch the same: `python -m benchmarks.devices`."""

from typing import Any

from benchmarks.common import Session, parser, say, session
from benchmarks.contestants import OURS
from benchmarks.results import ratios
from benchmarks.tasks import TASKS, Task, made_data, write_inputs
from benchmarks.turns import Worker, WorkerError, take_turns

_COUNTS = (1, 2)
_TASKS = ("fnn", "cnn_mnist", "cnn_cifar")


def main() -> None:
    """Measures and saves."""
    examples = "  python -m benchmarks.devices\n  python -m benchmarks.devices --only fnn --quick --anyway"
    made = parser("Steps a second of nnjax with parallel.devices=1 and =2, on the same cores.", examples)
    made.add_argument("--only", nargs="+", choices=_TASKS, default=_TASKS, metavar="TASK", help=f"of {', '.join(_TASKS)}")
    args = made.parse_args()
    with session("devices", args) as run:
        run.result["tasks"] = {name: _measure(TASKS[name], run) for name in args.only}


def _measure(task: Task, run: Session) -> dict[str, Any]:
    folder = run.folder / task.name
    write_inputs(task, made_data(task), folder)
    with Worker(OURS, folder, run.settings) as worker:
        chosen = worker.ask("peak_memory")["detail"]["devices"]
    workers: dict[str, Worker] = {}
    try:
        for count in _COUNTS:
            workers[str(count)] = Worker(OURS, folder, run.settings, overrides=[f"parallel.devices={count}"])
        turns, failed = take_turns(workers, run.rounds, run.seconds, run.meter)
    finally:
        for worker in workers.values():
            worker.close()
    if failed:
        raise WorkerError(f"{task.title}: {failed}")
    say(f"{task.title}: {ratios(turns['2'], turns['1']).text(unit='×')} with two devices")
    return {"title": task.title, "chosen": chosen, "turns": turns}


if __name__ == "__main__":
    main()
