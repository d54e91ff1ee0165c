"""The numbers of a run over time: `metrics.jsonl` with TensorBoard events beside it, or a list in memory.

with MetricWriter(run_dir, "auto") as writer:
    writer.write(step=60, epoch=1.0, split="train", metrics={"loss": 0.35, "accuracy": 0.9}, seconds=2.4)
read_metrics(run_dir)       # [{"step": 60, "epoch": 1.0, "split": "train", "loss": 0.35, "accuracy": 0.9, "seconds": 2.4}]
"""

import importlib.util
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from nnjax.config.errors import ConfigError, DataError
from nnjax.reporting.files import replacing, to_json

_FILE = "metrics.jsonl"


class MetricWriter:
    """Appends records to `metrics.jsonl`, one JSON object a line, each on disk before `write` returns.

    A number that is not finite is written as null, for JSON has no other word for it.

    Args:
        run_dir: the run's folder.
        tensorboard: whether to write events to `run_dir/tensorboard` too; `auto` does where tensorboardX is installed.
        resume_step: the step that a run goes on from: records after it, and a line that a crash tore, are dropped. None
            begins a new run.

    Raises:
        ConfigError: if a new run's folder holds metrics already.
        ModuleNotFoundError: if `tensorboard` is `on` without tensorboardX; `nnjax.checks` refuses that earlier.
    """

    def __init__(self, run_dir: Path, tensorboard: Literal["auto", "on", "off"], *, resume_step: int | None = None) -> None:
        self._path = run_dir / _FILE
        self._resume_records: set[tuple[int, str]] = set()
        if resume_step is None and self._path.exists():
            raise ConfigError(
                f"{self._path}: holds the metrics of an earlier run\n"
                f"resume={run_dir} goes on with that run; another hydra.run.dir leaves it alone."
            )
        run_dir.mkdir(parents=True, exist_ok=True)
        if resume_step is not None and self._path.exists():
            kept = self._keep(lambda record: record["step"] <= resume_step)
            self._resume_records = {(record["step"], record["split"]) for record in kept}
        self._events: Any = None
        if tensorboard == "on" or (tensorboard == "auto" and importlib.util.find_spec("tensorboardX")):
            from tensorboardX import SummaryWriter

            purge_step = None if resume_step is None else resume_step + 1
            self._events = SummaryWriter(str(run_dir / "tensorboard"), purge_step=purge_step)
        self._file = self._path.open("a", encoding="utf-8")

    def write(self, *, step: int, epoch: float, split: str, metrics: Mapping[str, float], seconds: float) -> None:
        """Writes one split's metrics at one step; takes the place of the same split's at the same step before a resume.

        Of several trials TensorBoard is given the means only.

        Args:
            step: steps done.
            epoch: epochs done; need not be whole.
            split: train, validation or test.
            metrics: by name.
            seconds: since the run's start.
        """
        if (step, split) in self._resume_records:
            self._file.close()
            self._keep(lambda record: (record["step"], record["split"]) != (step, split))
            self._file = self._path.open("a", encoding="utf-8")
            self._resume_records.discard((step, split))
        line = _line(step, epoch, split, metrics, seconds)
        self._file.write(line + "\n")
        self._file.flush()
        if self._events is not None:
            for name, value in metrics.items():
                if not _is_of_spread(name):
                    self._events.add_scalar(f"{split}/{name}", float(value), step)

    def records(self) -> list[dict[str, Any]]:
        """Returns everything that was written, that of earlier sessions included."""
        return read_metrics(self._path.parent)

    def last(self) -> dict[str, dict[str, float]]:
        """Returns the latest metrics of each split, of trials their means."""
        return last_metrics(self._path.parent)

    def close(self) -> None:
        """Closes the files; events that wait are written."""
        self._file.close()
        if self._events is not None:
            self._events.close()

    def _keep(self, wanted: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
        """Leaves only the wanted records in the file, in one stroke, and returns them."""
        kept = [record for record in read_metrics(self._path.parent) if wanted(record)]
        with replacing(self._path) as temporary:
            temporary.write_text("".join(to_json(record) + "\n" for record in kept), encoding="utf-8")
        return kept

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
        """Returns the latest metrics of each split, of trials their means."""
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
    """The records of a run in the order they were written; a last line that a crash tore is left out.

    Raises:
        DataError: if there is no such file, or a line before the last is damaged.
    """
    path = run_dir / _FILE
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    records: list[dict[str, Any]] = []
    for number, line in enumerate(lines, 1):
        try:
            records.append(_in_todays_words(json.loads(line)))
        except json.JSONDecodeError as error:
            if number < len(lines):
                raise DataError(f"{path}: line {number} is damaged ({error})") from error
    return records


def _in_todays_words(record: dict[str, Any]) -> dict[str, Any]:
    """A record whose trials were counted as `copies`, as versions before 0.2 wrote it, under the name of today."""
    return {"trials" if key == "copies" else key: value for key, value in record.items()}


def _is_of_spread(name: str) -> bool:
    """Whether a number says how the trials of a run differ."""
    return name == "trials" or name.endswith(("_std", "_low", "_high"))


def last_metrics(run_dir: Path) -> dict[str, dict[str, float]]:
    """The latest metrics of each split in the order of the records, of trials their means; empty for a run without any yet."""
    return _last(read_metrics(run_dir)) if (run_dir / _FILE).exists() else {}


def _last(records: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    about = ("step", "epoch", "split", "seconds", "learning_rate")

    def metrics(record: Mapping[str, Any]) -> dict[str, float]:
        return {key: value for key, value in record.items() if key not in about and not _is_of_spread(key)}

    return {record["split"]: metrics(record) for record in records}
