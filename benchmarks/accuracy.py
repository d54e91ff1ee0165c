"""Seconds to a test accuracy on MNIST, from process start and from when the data is ready: `python -m benchmarks.accuracy`."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import Session, parser, say, session
from benchmarks.contestants import CONTESTANTS, OURS, Contestant
from benchmarks.tasks import TASKS, Data, Task, write_inputs
from benchmarks.turns import Settings, Worker, WorkerError
from nnjax.cli.compose import compose_train
from nnjax.config.errors import DataError

GOALS = {"fnn": 0.98, "cnn_mnist": 0.99}
_EPOCHS = 10
_PATIENCE = 3600.0


def main() -> None:
    """Measures and saves."""
    examples = "  python -m benchmarks.accuracy\n  python -m benchmarks.accuracy --only fnn --against torch keras --rounds 3"
    made = parser("Seconds to a test accuracy on MNIST, of fresh processes with warm compilation caches.", examples)
    made.add_argument("--only", nargs="+", choices=GOALS, default=list(GOALS), metavar="TASK", help=f"of {', '.join(GOALS)}")
    others = [name for name in CONTESTANTS if name != OURS]
    forms = ["torch", "torch_channels_last"]
    made.add_argument("--against", nargs="+", choices=others, default=forms, metavar="NAME", help=f"of {', '.join(others)}")
    args = made.parse_args()
    with session("accuracy", args) as run:
        try:
            data = mnist()
        except DataError as error:
            run.result["skipped"] = str(error).splitlines()[0]
            say(run.result["skipped"])
            return
        names = [OURS, *args.against]
        run.result["goals"] = {
            name: time_to_accuracy(TASKS[name], data, GOALS[name], [CONTESTANTS[n] for n in names], run) for name in args.only
        }


def mnist() -> Data:
    """Loads MNIST from where `data=mnist` finds it.

    Raises:
        DataError: if it is missing.
    """
    from nnjax.data.load import load

    dataset = load(compose_train(["data=mnist", "data.validation=0.0"]).data, echo=say)
    train, test = dataset.train, dataset.test
    return Data(*(np.asarray(array) for array in (train.inputs, train.targets, test.inputs, test.targets)))


def time_to_accuracy(
    task: Task, data: Data, goal: float, contestants: Sequence[Contestant], session: Session
) -> dict[str, Any]:
    """Measures the time to an accuracy.

    The test split is measured after each epoch, so times are whole epochs. Each round has other initial weights and another
    order of the examples, the same for all contestants, since near the goal an epoch more or less is luck. A run of one epoch
    fills the compilation caches first.

    Args:
        task: the network and its training.
        data: MNIST.
        goal: test accuracy.
        contestants: the participants.
        session: rounds, folder and load.

    Returns:
        Plain values for JSON: each contestant's runs, or the reason why there are none.
    """
    contestants = [contestant for contestant in contestants if contestant.takes(task)]
    entries: dict[str, dict[str, Any]] = {c.name: {"title": c.title, "family": c.family, "runs": []} for c in contestants}
    for number in range(session.rounds + 1):
        folder = session.folder / f"{task.name}_{number}"
        write_inputs(replace(task, seed=number), data, folder)
        for contestant in contestants:
            entry = entries[contestant.name]
            if "failed" in entry:
                continue
            caches = replace(session.settings, cache=session.settings.cache / f"{task.name}_{contestant.name}")
            try:
                if not contestant.installed:
                    raise WorkerError(f"{contestant.package} is not installed")
                with session.meter.watch(()):
                    run = _run(contestant, folder, caches, goal if number else 0.01)
            except WorkerError as error:
                entry["failed"] = str(error)
                say(f"{task.name} to {goal}: {contestant.name} failed: {error}")
                continue
            if number:
                entry["runs"].append(run)
                say(f"{task.name} to {goal}: {contestant.name}: {run['from_start']:.1f} s, {len(run['accuracies'])} epochs")
    return {"title": task.title, "goal": goal, "contestants": entries}


def _run(contestant: Contestant, folder: Path, settings: Settings, goal: float) -> dict[str, Any]:
    with Worker(contestant.name, folder, settings, patience=_PATIENCE, first_step=False) as worker:
        moments = worker.ask("reach", accuracy=goal, epochs=_EPOCHS)["result"]
        last = moments[-1][0]
        return {
            "from_start": last - worker.started,
            "from_data_ready": last - worker.ready["data_ready"],
            "accuracies": [accuracy for _, accuracy in moments],
            "reached": moments[-1][1] >= goal,
        }


if __name__ == "__main__":
    main()
