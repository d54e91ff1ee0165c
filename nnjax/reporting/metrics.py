"""A run's metrics over time: `metrics.jsonl`, or a list in memory. Trackers get them elsewhere: `nnjax.tracking`.

with MetricWriter(run_dir) as writer:
    writer.write(step=60, epoch=1.0, split="train", metrics={"loss": 0.35, "accuracy": 0.9}, seconds=2.4)
read_metrics(run_dir)       # [{"step": 60, "epoch": 1.0, "split": "train", "loss": 0.35, "accuracy": 0.9, "seconds": 2.4}]
"""

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from nnjax.config.errors import ConfigError, DataError
from nnjax.config.storage import check_in_place, writing
from nnjax.config.stored_files import one_line, parse_json, read_bytes
from nnjax.reporting.files import replacing, to_json
from nnjax.reporting.metrics_repair import kept, repaired, step_and_split

_FILE = "metrics.jsonl"
_MOST_BYTES = 1 << 30


class MetricWriter:
    """Appends records to `metrics.jsonl`, one JSON object a line; flushed before `write` returns.

    NaN and infinities are written as null, since JSON has no other form for them.

    Args:
        run_dir: the run's folder.
        resume_step: the step from which a run resumes: later records, and lines cut off by a crash, are dropped. None starts a
            new run.
        copy: the lines up to that step, from the checkpoint; None if it holds none.
        evaluated: without a copy, the step of the last evaluation that there must be a record of.

    Attributes:
        notice: what was missing or damaged in a resumed run's file; else empty.

    Raises:
        ConfigError: if a new run's folder already has metrics.
        StorageError: by `write`, if the file cannot be written, or is not there any more.
    """

    def __init__(
        self,
        run_dir: Path,
        *,
        resume_step: int | None = None,
        copy: bytes | None = None,
        evaluated: int = 0,
    ) -> None:
        self._path = run_dir / _FILE
        self._lines: list[tuple[tuple[int, str], bytes]] = []
        self._resume_records: set[tuple[int, str]] = set()
        self.notice = ""
        if resume_step is None and self._path.exists():
            raise ConfigError(
                f"{self._path}: holds the metrics of an earlier run\n"
                f"resume={run_dir} resumes that run; another hydra.run.dir starts a new one."
            )
        run_dir.mkdir(parents=True, exist_ok=True)
        if resume_step is not None:
            self._resume(resume_step, copy, evaluated)
        self._file = self._path.open("a", encoding="utf-8")

    def write(self, *, step: int, epoch: float, split: str, metrics: Mapping[str, float], seconds: float) -> None:
        """Writes one split's metrics at one step; replaces the record of the same split and step from before a resume.

        Args:
            step: steps done.
            epoch: epochs done; may be a fraction.
            split: train, validation or test.
            metrics: by name.
            seconds: since the run's start.
        """
        place = step, split
        if place in self._resume_records:
            self._file.close()
            self._lines = [(other, line) for other, line in self._lines if other != place]
            self._write_all()
            self._file = self._path.open("a", encoding="utf-8")
            self._resume_records.discard(place)
        line = _line(step, epoch, split, metrics, seconds) + "\n"
        check_in_place(self._path, self._file)
        with writing(self._path, len(line)):
            self._file.write(line)
            self._file.flush()
        self._lines.append((place, line.encode()))

    def records(self) -> list[dict[str, Any]]:
        """Returns all records, earlier sessions included."""
        return read_metrics(self._path.parent)

    def last(self) -> dict[str, dict[str, float]]:
        """Returns each split's latest metrics; with several trials, their means."""
        return last_metrics(self._path.parent)

    def until(self, step: int) -> bytes:
        """Returns the lines of the records up to a step, as a checkpoint holds them."""
        return b"".join(line for (other, _), line in self._lines if other <= step)

    def close(self) -> None:
        """Closes the file."""
        with suppress(OSError):  # what could not be written was said when it was written
            self._file.close()

    def _resume(self, step: int, copy: bytes | None, evaluated: int) -> None:
        """Makes the file what it was at a step."""
        found = self._path.read_bytes() if self._path.is_file() else None
        if copy is None:
            lines, self.notice = kept(found, step, evaluated)
            lines = [f"{to_json(_checked(parse_json(line.decode())))}\n".encode() for line in lines]
        else:
            lines, self.notice = repaired(found, copy, step)
        self._lines = [(place, line) for line in lines if (place := step_and_split(line))]
        self._resume_records = {place for place, _ in self._lines}
        if lines or os.path.lexists(self._path):  # a link, or whatever else is in its place, is replaced
            self._write_all()

    def _write_all(self) -> None:
        """Writes the file anew, whole or not at all."""
        with replacing(self._path) as temporary:
            temporary.write_bytes(b"".join(line for _, line in self._lines))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class MetricMemory:
    """The same records in a list, for a training without a folder."""

    def __init__(self) -> None:
        self._records: list[dict[str, Any]] = []

    def write(self, *, step: int, epoch: float, split: str, metrics: Mapping[str, float], seconds: float) -> None:
        """Appends the record that `MetricWriter.write` would write."""
        self._records.append(json.loads(_line(step, epoch, split, metrics, seconds)))

    def records(self) -> list[dict[str, Any]]:
        """Returns the records so far."""
        return list(self._records)

    def last(self) -> dict[str, dict[str, float]]:
        """Returns each split's latest metrics; with several trials, their means."""
        return _last(self._records)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        pass


Metrics = MetricWriter | MetricMemory


def _line(step: int, epoch: float, split: str, metrics: Mapping[str, float], seconds: float) -> str:
    """One record as JSON."""
    numbers = {name: int(value) if name == "trials" else float(value) for name, value in metrics.items()}
    return to_json({"step": step, "epoch": round(epoch, 6), "split": split, **numbers, "seconds": round(seconds, 3)})


def read_metrics(run_dir: Path) -> list[dict[str, Any]]:
    """A run's records in the order of writing, without a last line cut off by a crash.

    Raises:
        DataError: if the file is missing or no file, or a line before the last is damaged.
    """
    path = run_dir / _FILE
    try:
        lines = read_bytes(path, _MOST_BYTES).decode("utf-8", "replace").splitlines()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except ConfigError as error:
        raise DataError(str(error)) from error
    records: list[dict[str, Any]] = []
    for number, line in enumerate(lines, 1):
        try:
            records.append(_checked(parse_json(line)))
        except ValueError as error:
            if number < len(lines):
                raise DataError(f"{path}: line {number} is damaged ({one_line(error)})") from error
    return records


def _checked(record: Any) -> dict[str, Any]:
    """A record, with the key `copies` of versions before 0.2 renamed to `trials`.

    Raises:
        ValueError: for a line that holds something else.
    """
    if not isinstance(record, dict) or not isinstance(record.get("step"), int) or not isinstance(record.get("split", ""), str):
        raise ValueError("no record of a step and a split")
    return {"trials" if key == "copies" else key: value for key, value in record.items()}


def _is_spread(name: str) -> bool:
    """Whether a number describes the spread over a run's trials."""
    return name == "trials" or name.endswith(("_std", "_low", "_high"))


def last_metrics(run_dir: Path) -> dict[str, dict[str, float]]:
    """Each split's latest metrics, in the order of the records; means for several trials. Empty without metrics."""
    return _last(read_metrics(run_dir)) if (run_dir / _FILE).exists() else {}


def _last(records: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    about = ("step", "epoch", "split", "seconds", "learning_rate")

    def metrics(record: Mapping[str, Any]) -> dict[str, float]:
        return {key: value for key, value in record.items() if key not in about and not _is_spread(key)}

    return {record["split"]: metrics(record) for record in records}
