"""Runs as trainings leave them, written in a millisecond."""

import json
import os
from pathlib import Path

from nnjax.cli.compose import compose_train
from nnjax.cli.runs import write_config

CONFIG = compose_train(["data=digits", "model=fnn", "training.duration=3epochs"])


def write_run(folder, *, status="completed", accuracy=0.9, config=CONFIG, summary=True, **changes):
    """Writes the files of a run that ended two hours ago, and returns its folder."""
    folder = Path(folder)
    (folder / "checkpoints").mkdir(parents=True)
    (folder / ".hydra").mkdir()
    (folder / ".lock").touch()
    (folder / "checkpoints" / "60-0123456789abcdef.safetensors").write_bytes(b"x" * 1000)
    write_config(config, folder)
    (folder / "train.log").write_text("2026-11-23 14:05:09  one\n2026-11-23 14:05:10  two\n")
    records = [
        {"step": step, "epoch": step / 20, "split": split, "loss": 1 / step, "accuracy": accuracy, "seconds": 0.1 * step}
        for step in (20, 40, 60)
        for split in ("train", "validation")
    ]
    (folder / "metrics.jsonl").write_text("".join(f"{json.dumps(record)}\n" for record in records))
    if summary:
        values = {
            "name": folder.name,
            "status": status,
            "model": config.model.name,
            "data": config.data.name,
            "seed": config.seed,
            "config_hash": "0123456789ab",
            "data_hash": "fedcba",
            "seconds": {"train": 2.5, "total": 10.5},
            "steps": 60,
            "num_params": 1234,
            "train": {"loss": 0.2, "accuracy": 0.95},
            "validation": None,
            "test": {"loss": 0.3, "accuracy": accuracy},
        }
        (folder / "summary.json").write_text(json.dumps(values | changes, indent=2))
    age(folder, 7200)
    return folder


def age(folder, seconds):
    """Makes all files of a run older; the summary is the last."""
    last = max(path.stat().st_mtime for path in folder.rglob("*")) - seconds
    for path in sorted(folder.rglob("*")):
        os.utime(path, (last, last))
    if (folder / "summary.json").exists():
        os.utime(folder / "summary.json", (last + 1, last + 1))
