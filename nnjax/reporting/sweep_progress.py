"""The progress of a sweep while its jobs run: a table that is redrawn on a terminal, plain lines elsewhere.

with watched(sweep_dir, jobs, numbers, live=True):
    ...                                       # the jobs; their folders are looked at twice a second

    5 of 12 jobs ended: 4 completed, 1 diverged; 2 running; best so far job 3, validation accuracy 97.50%; about 2 min left
"""

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.live import Live
from rich.text import Text

from nnjax.cli.runs import CONFIG_FILE
from nnjax.cli.sweep_plan import PlannedJob
from nnjax.cli.sweep_results import NOT_STARTED, OUTCOME_FILE, JobResult, collect
from nnjax.reporting.best import best_of
from nnjax.reporting.console import RunConsole
from nnjax.reporting.fitted_table import Column, FittedTable, Row
from nnjax.reporting.sweep_table import row_of
from nnjax.reporting.tables import differing_overrides
from nnjax.reporting.text import metric_text, seconds_text

_EVERY = 0.5  # seconds between two readings of the folders
_TAIL = 8192  # bytes at the end of a run's metrics that hold its last record
_MOST_RUNNING = 12


@dataclass
class SweepWatch:
    """What is known about the jobs of a sweep that runs.

    Attributes:
        sweep_dir: the sweep's folder.
        jobs: all jobs.
        numbers: of the jobs that this command runs; the others have ended before.
        began: time at which the first one started, of `time.monotonic`.
        ended: the results so far, by number.
        rows: their rows, for `nnjax.reporting.best`.
    """

    sweep_dir: Path
    jobs: Sequence[PlannedJob]
    numbers: Sequence[int]
    began: float
    ended: dict[int, JobResult] = field(default_factory=dict)
    rows: dict[int, dict[str, Any]] = field(default_factory=dict)

    def look(self) -> bool:
        """Reads the outcomes of jobs that have ended since the last look; returns whether there are any."""
        new = [number for number in range(len(self.jobs)) if number not in self.ended and self._has(number, OUTCOME_FILE)]
        folders = [job.folder for job in self.jobs]
        for number in new:
            found = collect(self.sweep_dir, None, [folders[number]])
            if found:  # else it is being written
                self.ended[number] = found[0]
                self.rows[number] = row_of(found[0])
        return any(number in self.ended for number in new)

    @property
    def running(self) -> list[int]:
        """Numbers of the jobs that have begun and have not ended."""
        return [number for number in self.numbers if number not in self.ended and self._has(number, CONFIG_FILE)]

    def line(self, now: float | None = None) -> str:
        """How far the sweep is.

        Args:
            now: time, of `time.monotonic`; None once no further job starts.
        """
        counts = Counter(result.status.replace("_", " ") for result in self.ended.values())
        skipped = counts.pop(NOT_STARTED, 0)
        states = ", ".join(f"{count} {status}" for status, count in counts.most_common())
        parts = [f"{counts.total()} of {len(self.jobs)} jobs ended{f': {states}' if states else ''}"]
        if skipped:
            parts.append(f"{skipped} {NOT_STARTED}")
        if running := len(self.running):
            parts.append(f"{running} running")
        if best := self._best():
            parts.append(best)
        if now is not None and (left := self._seconds_left(now)) is not None:
            parts.append(f"about {seconds_text(left)} left")
        return "; ".join(parts)

    def table(self) -> FittedTable:
        """A row for each running job: the overrides in which jobs differ, its step, and its training loss."""
        settings, keys = differing_overrides([job.overrides for job in self.jobs])
        columns = [Column("running", right=True, whole=True), *(Column(key.rpartition(".")[2], breakable=True) for key in keys)]
        columns += [Column("step", right=True, whole=True), Column("train loss", right=True, whole=True)]
        rows = []
        for number in self.running[:_MOST_RUNNING]:
            record, plan = self._last_record(number), self.jobs[number].plan
            step = f"{record['step']:,}" if "step" in record else ""
            loss = record.get("loss")
            rows.append(
                Row(
                    [
                        str(number),
                        *(settings[number].get(key, "") for key in keys),
                        f"{step} of {plan.steps.total:,}" if step and plan else step,
                        metric_text("loss", loss) if isinstance(loss, float | int) else "",
                    ]
                )
            )
        return FittedTable(columns, rows)

    def _best(self) -> str | None:
        numbers = sorted(self.rows)
        best = best_of([self.rows[number] for number in numbers])
        if not best:
            return None
        number = numbers[min(best.jobs)]
        value = self.rows[number][best.split][best.metric]
        return f"best so far job {number}, {best.split} {best.metric} {metric_text(best.metric, value)}"

    def _seconds_left(self, now: float) -> float | None:
        """By the jobs that ended so far, several at a time or not; None before the first has."""
        done = sum(number in self.ended for number in self.numbers)
        left = len(self.numbers) - done
        return (now - self.began) / done * left if done and left else None

    def _has(self, number: int, name: str) -> bool:
        return (self.sweep_dir / self.jobs[number].folder / name).exists()

    def _last_record(self, number: int) -> dict[str, Any]:
        """The newest training record of a job; empty if there is none."""
        path = self.sweep_dir / self.jobs[number].folder / "metrics.jsonl"
        with suppress(OSError), path.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL))
            for line in reversed(file.read().splitlines()):
                with suppress(ValueError):
                    record = json.loads(line)
                    if isinstance(record, dict) and record.get("split") == "train":
                        return record
        return {}


@contextmanager
def watched(sweep_dir: Path, jobs: Sequence[PlannedJob], numbers: Sequence[int], *, live: bool) -> Iterator[None]:
    """Shows the progress of a sweep's jobs while the context is open.

    Args:
        sweep_dir: the sweep's folder.
        jobs: all jobs.
        numbers: of those that run.
        live: redraw a table in place; else a line is printed after each job.
    """
    if len(jobs) < 2 or not numbers:
        yield
        return
    watch, console = SweepWatch(sweep_dir, jobs, numbers, time.monotonic()), RunConsole(None)
    watch.look()  # the jobs that were finished before
    over = threading.Event()

    def follow() -> None:
        if not live:
            while not over.wait(_EVERY):
                if watch.look():
                    console.print(watch.line(time.monotonic()))
            return
        with Live(console=console.rich, auto_refresh=False, transient=True) as view:
            console.rich.show_cursor()  # a signal may end the process at any time
            while not over.wait(_EVERY):
                watch.look()
                parts = [watch.table()] if watch.running else []
                view.update(Group(*parts, Text(watch.line(time.monotonic()))), refresh=True)

    thread = threading.Thread(target=follow, name="sweep progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        if watch.look() or live:
            console.print(watch.line())
