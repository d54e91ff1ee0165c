"""The interface of a tracker, and the plain values that reach it.

    tracker.start(run, {"model.name": "cnn", "seed": 0})
    tracker.log(60, {"train/loss": 0.35, "validation/loss": 0.38, "epoch": 1.0})
    tracker.figure(run_dir / "figures/learning_curves.png")
    tracker.checkpoint(run_dir / "checkpoints", copy=False)
    tracker.finish("completed", {"test.accuracy": 0.97})

A metric is called SPLIT/NAME in every tracker. A run of several trials logs the mean under that name, and each trial's number
under SPLIT/NAME_trial_0 and so on. A setting is called as on the command line.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

Scalar = str | int | float | bool | None

_LONGEST_REASON = 200
_PASSWORD = re.compile(r"://[^/\s]+@")
_TOKEN = re.compile(r"token=[^&\s]+")

SUCCEEDED = frozenset({"completed", "stopped_early"})
"""The statuses of a run that came to its end."""


@dataclass(frozen=True)
class TrackedRun:
    """What a tracker has to know of a run.

    Attributes:
        name: the name of its folder.
        group: of a sweep's job, the sweep's name; else None.
        run_id: the run's identity, hexadecimal digits; the same after a resume.
        folder: the run's folder.
        store: the folder for the tracker's own files, which need not exist.
        project: the value of `report.tracking.project`.
        resume_step: the step from which the run resumes; None for a new run.
    """

    name: str
    group: str | None
    run_id: str
    folder: Path
    store: Path
    project: str
    resume_step: int | None = None


class Tracker(Protocol):
    """Writes a run to a tracker. Each method may raise whatever its library raises."""

    def start(self, run: TrackedRun, config: Mapping[str, Scalar]) -> str:
        """Opens the run, the earlier one of a resumed run; returns its address, or the command that shows it."""
        ...

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Writes numbers of one step, which may be NaN or infinite."""
        ...

    def figure(self, path: Path) -> None:
        """Writes a picture, a PNG file."""
        ...

    def checkpoint(self, folder: Path, copy: bool) -> None:
        """Writes where the checkpoints are; with `copy` also the files, if the tracker can hold files."""
        ...

    def finish(self, status: str, summary: Mapping[str, Scalar]) -> None:
        """Closes the run.

        Args:
            status: as in `summary.json`, or `killed` if the training's process ended without one.
            summary: as `flat` makes it of `summary.json`.
        """
        ...


def flat(mapping: Mapping[str, Any], prefix: str = "") -> dict[str, Scalar]:
    """Flattens nested values to scalars by dotted key; lists of scalars become JSON text.

    Args:
        mapping: nested dicts, lists and scalars.
        prefix: comes before each key.

    Example:
        >>> flat({"model": {"name": "cnn", "hidden": [256], "blocks": [{"features": 32}]}})
        {'model.name': 'cnn', 'model.hidden': '[256]', 'model.blocks.0.features': 32}
    """
    return dict(_items(mapping, prefix))


def _items(value: Any, key: str) -> Iterator[tuple[str, Scalar]]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _items(item, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list | tuple) and any(isinstance(item, Mapping | list | tuple) for item in value):
        for index, item in enumerate(value):
            yield from _items(item, f"{key}.{index}")
    elif isinstance(value, list | tuple):
        yield key, json.dumps(list(value))
    else:
        yield key, value if value is None or isinstance(value, str | int | float | bool) else str(value)


def named_metrics(split: str, metrics: Mapping[str, float | list[float]]) -> dict[str, float]:
    """Returns one split's metrics under the names that trackers use.

    Args:
        split: train, validation, test or weights.
        metrics: by name; a list holds one number for each trial, and their mean is that of the finite ones.
    """
    named: dict[str, float] = {}
    for name, value in metrics.items():
        if isinstance(value, list):
            finite = [number for number in value if math.isfinite(number)]
            named[f"{split}/{name}"] = sum(finite) / len(finite) if finite else math.nan
            named |= {f"{split}/{name}_trial_{index}": float(number) for index, number in enumerate(value)}
        else:
            named[f"{split}/{name}"] = float(value)
    return named


def log_checkpoints(library: Any, run: Any, folder: Path, copy: bool) -> None:
    """Writes an artifact of type `model`: W&B's functions, which Trackio has by the same names.

    Args:
        library: `wandb` or `trackio`.
        run: the library's.
        folder: of the checkpoints.
        copy: whether the artifact holds the files, or only says where they are.
    """
    artifact = library.Artifact(f"checkpoints-{run.id}", type="model", metadata={"folder": str(folder)})
    if copy:
        artifact.add_dir(str(folder))
    else:
        artifact.add_reference(folder.as_uri())
    run.log_artifact(artifact)


def without_password(text: str) -> str:
    """Replaces user, password and token in addresses, since consoles and logs are passed on.

    Example:
        >>> without_password("postgresql://me:secret@host/runs")
        'postgresql://…@host/runs'
    """
    return _TOKEN.sub("token=…", _PASSWORD.sub("://…@", text))


def reason_of(error: BaseException) -> str:
    """What a library's exception says, in one line of at most 200 letters, without passwords of addresses."""
    line = without_password(f"{type(error).__name__}: {error}").strip().partition("\n")[0]
    return line if len(line) <= _LONGEST_REASON else f"{line[: _LONGEST_REASON - 1]}…"


def checkpoint_files(folder: Path) -> dict[str, int]:
    """Returns the sizes of a folder's files in bytes, by path within it."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in paths}
