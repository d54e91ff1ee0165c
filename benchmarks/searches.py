"""A search against random search and an ordinary sweep, on the same wall time: `python -m benchmarks.searches`.

Each round is a seed of its own, for the settings that are drawn and for the networks. The methods take turns on the same cores,
with the same compiled programs at hand. Each one's best setting by the validation split is then trained with three other seeds,
and tested. Needs MNIST in TFDS_DATA_DIR.
"""

import csv
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.command import timed, train
from benchmarks.common import Session, parser, say, session

_EXPERIMENT = "experiment=search_mnist_fnn"
# What people write with -m: the learning rate finely, two more keys coarsely, the rest as it is.
_SWEPT = (
    "search.space=[{key: optimizer.learning_rate, low: 1e-4, high: 3e-2, log: true, points: 6},"
    "{key: model.dropout, low: 0.0, high: 0.6, points: 3},{key: training.global_batch_size, choices: [64,128]}]"
)
_METHODS: Mapping[str, tuple[str, ...]] = {
    "TPE, pruned": (),
    "random": ("search.sampler=random", "search.pruner=none"),
    "sweep": ("search.sampler=grid", "search.pruner=none", _SWEPT),
}
_FIRST_SEED = 10  # by smaller ones the pruner was chosen
_ALWAYS = ("report.figures=false", "search.trials=100000")


def main() -> None:
    """Measures and saves."""
    examples = "  python -m benchmarks.searches --budget 120\n  python -m benchmarks.searches --quick --anyway"
    options = parser("The best setting that each way to search finds in the same time.", examples)
    options.add_argument("--budget", type=float, default=120.0, help="seconds of each search, from its process's start")
    args = options.parse_args()
    budget = 40.0 if args.quick else args.budget
    with session("searches", args) as run:
        _search(run, budget, 1000, ("search.sampler=random", "search.pruner=none"))  # compiles
        names = list(_METHODS)
        rounds = []
        for number in range(run.rounds):
            seed, found = _FIRST_SEED + number, {}
            for name in names[number % 3 :] + names[: number % 3]:
                with run.meter.watch(()):
                    found[name] = _search(run, budget, seed, _METHODS[name])
                say(f"seed {seed}: {name} {found[name]}")
            rounds.append(found)
        differences = {
            name: {key: _paired([each[name][key] - each[names[0]][key] for each in rounds]) for key in ("validation", "test")}
            for name in names[1:]
        }
        run.result |= {"budget": budget, "experiment": _EXPERIMENT, "searches": rounds, "differences": differences}


def _search(run: Session, budget: float, seed: int, overrides: Sequence[str]) -> dict[str, Any]:
    """Searches, and tests the best setting: its errors on the validation and the test split, and the number of trials."""
    folder = run.folder / "search"
    shutil.rmtree(folder, ignore_errors=True)
    seeds = (f"seed={seed}", f"search.seed={seed}", f"search.seconds={budget:g}")
    seconds = timed(run, ["-m", "experiments.search", _EXPERIMENT, *overrides, *seeds, *_ALWAYS, f"hydra.run.dir={folder}"])
    best = json.loads((folder / "summary.json").read_text())["best"]
    _, tested = train(
        run,
        "--config-dir",
        str(folder / "found"),
        "experiment=best",
        f"seed={seed + 500}",
        "training.seeds=3",
        "report.figures=false",
    )
    return {
        "validation": best["error"],
        "test": 1 - tested["test"]["accuracy"],
        "trials": _num_trials(folder),
        "seconds": seconds,
        "settings": best["settings"],
    }


def _num_trials(folder: Path) -> int:
    with (folder / "search.csv").open(encoding="utf-8") as file:
        return sum(row["status"] != "running" for row in csv.DictReader(file))


def _paired(differences: Sequence[float]) -> dict[str, float]:
    """The mean of paired differences, and its 95 % interval by Student's t."""
    import numpy as np
    from scipy.special import stdtrit

    mean = float(np.mean(differences))
    if len(differences) < 2:
        return {"mean": mean}
    half = float(stdtrit(len(differences) - 1, 0.975) * np.std(differences, ddof=1) / np.sqrt(len(differences)))
    return {"mean": mean, "low": mean - half, "high": mean + half}


if __name__ == "__main__":
    main()
