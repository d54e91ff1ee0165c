"""Compares all contestants on one task: same work, time to the first step, steps per second, memory.

compare(TASKS["fnn"], contestants, session, starts=3)
"""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from statistics import mean
from typing import Any

from benchmarks.common import Session, say
from benchmarks.contestants import CONTESTANTS, REFERENCE, ROOFS, Contestant
from benchmarks.contestants.base import Curve
from benchmarks.tasks import Task, made_data, step_flops, write_inputs
from benchmarks.turns import Settings, Worker, WorkerError, take_turns

CURVE_STEPS = 50


def compare(task: Task, contestants: Sequence[Contestant], session: Session, starts: int) -> dict[str, Any]:
    """Measures a task.

    Args:
        task: the network and its training.
        contestants: the participants, those not installed included.
        session: rounds, folder, load.
        starts: number of cold starts, and of warm starts, of each.

    Returns:
        Plain values for JSON: the task's title and operations per step; each contestant's numbers, or the reason why there are
        none; the roofs.
    """
    folder = session.folder / task.name
    write_inputs(task, made_data(task), folder)
    missing = {c.name: f"{c.package} is not installed" for c in contestants if not c.installed}
    present = [c for c in contestants if c.name not in missing]
    entries: dict[str, dict[str, Any]] = {c.name: {"title": c.title, "family": c.family} for c in contestants}
    for name, reason in missing.items():
        entries[name]["failed"] = reason
    reference = _reference_curve(folder, session.settings)
    workers: dict[str, Worker] = {}
    try:
        for contestant in present:
            try:
                entry = entries[contestant.name]
                caches = replace(session.settings, cache=session.settings.cache / f"{task.name}_{contestant.name}")
                entry["cold"], curve = _cold_starts(contestant, folder, caches, starts)
                entry["difference"] = curve_difference(curve, reference)
                if not entry["difference"] <= task.tolerance:
                    raise WorkerError(f"its losses differ by {entry['difference']:.1e}: this is other work, and gets no speed")
                entry["warm"], workers[contestant.name] = _warm_starts(contestant, folder, caches, starts)
                cold, warm = entry["cold"][-1], entry["warm"][-1]
                say(f"{task.name}: {contestant.name}: first step after {cold:.1f} s cold, {warm:.1f} s warm")
            except WorkerError as error:
                entries[contestant.name]["failed"] = str(error)
                say(f"{task.name}: {contestant.name} failed: {error}")
        roofs = {name: Worker(name, folder, session.settings) for name, roof in ROOFS.items() if roof.installed}
        workers |= roofs
        turns, failed = take_turns(workers, session.rounds, session.seconds, session.meter)
        for name, reason in failed.items():
            entries[name]["failed"] = reason
        for name in entries.keys() & turns.keys():
            memory = workers[name].ask("peak_memory")
            entries[name] |= {"turns": turns[name], "megabytes": memory["megabytes"], "detail": memory["detail"]}
    finally:
        for worker in workers.values():
            worker.close()
        shutil.rmtree(folder)
    return {
        "title": task.title,
        "flops": step_flops(task),
        "tolerance": task.tolerance,
        "contestants": entries,
        "roofs": {name: turns[name] for name in roofs if name in turns},
    }


def curve_difference(curve: Curve, reference: Curve) -> float:
    """Returns the largest difference between two loss curves, as a share of the reference's mean.

    Raises:
        WorkerError: if their steps differ.
    """
    if [point[:2] for point in curve] != [point[:2] for point in reference]:
        raise WorkerError(f"returned the losses of {len(curve)} steps, not of {len(reference)}")
    differences = [abs(a[2] - b[2]) for a, b in zip(curve, reference, strict=True)]
    return max(differences) / mean(point[2] for point in reference)


def _reference_curve(folder: Any, settings: Settings) -> Curve:
    contestant = REFERENCE if REFERENCE.installed else CONTESTANTS["jax"]
    with Worker(contestant.name, folder, settings, first_step=False) as worker:
        return _curve(worker)


def _curve(worker: Worker) -> Curve:
    return [(first, last, loss) for first, last, loss in worker.ask("curve", steps=CURVE_STEPS)["result"]]


def _cold_starts(contestant: Contestant, folder: Any, settings: Settings, starts: int) -> tuple[list[float], Curve]:
    """Measures the seconds to the first step with empty caches; returns also the last process's loss curve."""
    seconds: list[float] = []
    curve: Curve = []
    for number in range(starts):
        shutil.rmtree(settings.cache, ignore_errors=True)
        with Worker(contestant.name, folder, settings) as worker:
            seconds.append(worker.seconds_to_first_step)
            if number == starts - 1:
                curve = _curve(worker)
    return seconds, curve


def _warm_starts(contestant: Contestant, folder: Any, settings: Settings, starts: int) -> tuple[list[float], Worker]:
    """Measures the seconds to the first step with filled caches; the last process keeps running."""
    seconds = []
    for _ in range(starts - 1):
        with Worker(contestant.name, folder, settings) as worker:
            seconds.append(worker.seconds_to_first_step)
    worker = Worker(contestant.name, folder, settings)
    return [*seconds, worker.seconds_to_first_step], worker
