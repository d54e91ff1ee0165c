"""Runs that were never trained, for the tests of comparisons.

record(tmp_path, "a", seed=0, accuracy=0.9)
"""

import copy

import numpy as np

from nnjax.comparing.kept_predictions import Predictions, write_predictions
from nnjax.reporting.run_summary import write_json

CONFIG = {
    "model": {"name": "fnn", "hidden": [32]},
    "data": {"name": "digits", "validation": 0.1},
    "loss": {"name": "cross_entropy", "label_smoothing": 0.0},
    "optimizer": {"name": "adam", "learning_rate": 0.01},
    "training": {"duration": "2epochs", "seeds": 1, "vary": {"learning_rate": None}, "keep": 2},
    "report": {"figures": True},
    "seed": 0,
}


def made(folder, name, *, seed=0, accuracy=0.9, loss=0.5, status="completed", trials=None, settings=None, **summary):
    """A record of a run; `settings` are changes by dotted key."""
    from nnjax.records.record import RunRecord

    config = copy.deepcopy(CONFIG) | {"seed": seed}
    for key, value in (settings or {}).items():
        section, _, last = key.partition(".")
        config[section][last] = value
    values = {
        "status": status,
        "data_hash": "sha256:dada",
        "test_hash": "sha256:feed",
        "test": {"loss": loss, "accuracy": accuracy},
        "validation": {"loss": loss, "accuracy": accuracy},
        "train": {"loss": loss, "accuracy": accuracy},
        "test_examples": 100,
        "validation_examples": 50,
        "tested_step": 10,
        "num_params": 1000,
        "peak_rss_mb": 300.0,
        "seconds": {"train": 2.0, "total": 5.0},
        "git": {"commit": "0123456789abcdef", "dirty": False},
        "versions": {"nnjax": "0.2.0", "jax": "0.10.2"},
        **({"trials": trials} if trials else {}),
        **summary,
    }
    values = {key: value for key, value in values.items() if value is not None}
    path = folder / name
    path.mkdir(parents=True, exist_ok=True)
    write_json(path / "summary.json", values)
    seeds = tuple(row["seed"] for row in trials) if trials else (seed,)
    return RunRecord(path, name, status, config, values, values.get("data_hash"), seeds, (), (), 0.0, 5.0)


def keep(record, wrong, *, count=100, step=10, trials=1):
    """Writes the kept answers of a run: those in `wrong` are wrong, in each trial."""
    targets = np.arange(count, dtype=np.uint8) % 10
    predicted = np.tile(targets, (trials, 1))
    predicted[:, list(wrong)] = (predicted[:, list(wrong)] + 1) % 10
    shares = np.full(predicted.shape, 0.5, np.float16)
    write_predictions(record.folder, Predictions(step, "sha256:dada", "sha256:feed", targets, predicted, shares, shares))
    return record
