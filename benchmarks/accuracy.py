"""Time to a test accuracy on MNIST: each contestant in a fresh process, from its start and from when its data is ready.

time_to_accuracy(TASKS["fnn"], 0.98, contestants, session, rounds=3)
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import Session, say
from benchmarks.contestants import Contestant
from benchmarks.tasks import Data, Task, write_inputs
from benchmarks.turns import Settings, Worker, WorkerError
from nnjax.config.compose import compose_train
from nnjax.config.errors import DataError

GOALS = {"fnn": 0.98, "cnn_mnist": 0.99}
_EPOCHS = 10
_PATIENCE = 3600.0


def mnist() -> Data:
    """MNIST, as `data=mnist` finds it.

    Raises:
        DataError: if it is not here.
    """
    from nnjax.data.load import load

    dataset = load(compose_train(["data=mnist", "data.validation=0.0"]).data, echo=say)
    train, test = dataset.train, dataset.test
    return Data(*(np.asarray(array) for array in (train.inputs, train.targets, test.inputs, test.targets)))


def time_to_accuracy(
    task: Task, goal: float, contestants: Sequence[Contestant], session: Session, rounds: int
) -> dict[str, Any]:
    """Measures the way to an accuracy.

    The test split is measured after each epoch, so times come in whole epochs; the epochs are the same ones for everyone. A run
    of one epoch goes before, which fills the compilation caches.

    Args:
        task: what is trained, on MNIST.
        goal: test accuracy.
        contestants: who takes part.
        session: folder and load.
        rounds: in which they take turns.

    Returns:
        Ready for JSON: each contestant's runs, or why there are none; with "skipped", why there is none at all.
    """
    try:
        data = mnist()
    except DataError as error:
        return {"goal": goal, "skipped": str(error).splitlines()[0]}
    folder = session.folder / f"{task.name}_mnist"
    write_inputs(task, data, folder)
    entries: dict[str, dict[str, Any]] = {c.name: {"title": c.title, "family": c.family, "runs": []} for c in contestants}
    for number in range(rounds + 1):
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
