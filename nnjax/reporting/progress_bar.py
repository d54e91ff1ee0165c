"""A training's progress: a live bar on a terminal, plain lines elsewhere, and a permanent line for each evaluation.

with Progress(console, total_steps=1800, steps_per_epoch=60) as progress:
    progress.update(30, {"loss": 0.41, "accuracy": 0.88}, examples_per_second=9_500.0)
    progress.record(60, 1.0, {"train": {"loss": 0.35}, "validation": {"loss": 0.38}})
"""

import itertools
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import rich.progress
from rich.table import Column
from rich.text import Text

from nnjax.reporting.console import RunConsole
from nnjax.reporting.text import duration_text, metric_text, short_name, si_text

_MAX_RECORDS = 40
_SLOW_RECORDS = 5.0  # seconds: records further apart are all shown
_PLAIN_LINES = 10.0  # seconds between the lines that replace the bar


@dataclass(frozen=True)
class _Record:
    step: int
    epoch: float
    splits: Mapping[str, Mapping[str, float]]


class Progress:
    """One training's progress; a context manager.

    If a run evaluates often, only every second, fifth, tenth, … record is shown, about 40 in all. The first and last record,
    and records at least 5 s apart, are always shown.

    Args:
        console: prints the lines and the bar.
        total_steps: steps of the whole training.
        steps_per_epoch: steps in an epoch.
        first_step: steps done before a resume.
    """

    def __init__(self, console: RunConsole, total_steps: int, steps_per_epoch: int, first_step: int = 0) -> None:
        self._console = console
        self._total_steps = total_steps
        self._steps_per_epoch = steps_per_epoch
        self._num_epochs = math.ceil(total_steps / steps_per_epoch)
        self._first_step = first_step

        self._start: tuple[int, float] | None = None  # step and time of the first update, after compiling
        self._last_line = time.monotonic()
        self._last_record_step = first_step
        self._record_gap = 1
        self._num_records = 0
        self._any_shown = False
        self._withheld: _Record | None = None
        self._whole_epochs = True
        self._bar = self._make_bar() if console.live else None

    def update(self, step: int, metrics: Mapping[str, float], examples_per_second: float) -> None:
        """Moves the bar; without a bar, prints a line if the last one is 10 s old.

        Args:
            step: steps done, of the whole training.
            metrics: of the last steps; accuracies from 0 to 1.
            examples_per_second: of the last steps, over all devices.
        """
        now = time.monotonic()
        self._start = self._start or (step, now)
        if self._bar is None and now - self._last_line < _PLAIN_LINES:
            return
        finish = self._finish(step, now)
        speed = si_text(examples_per_second).replace(" ", "")
        numbers = f"{_metrics_text(metrics)}  {speed} examples/s"
        if self._bar is not None:
            self._bar.update(
                self._bar.task_ids[0],
                completed=step,
                epoch=self._epoch_text(step),
                numbers=numbers,
                finish=finish,
            )
        else:
            left = "" if finish is None else f"  {duration_text(finish - now)} left"
            self._print(Text(f"{self._epoch_text(step)}  step {_of(step, self._total_steps)}  {numbers}{left}"))

    def record(self, step: int, epoch: float, splits: Mapping[str, Mapping[str, float]]) -> None:
        """Prints a permanent line for an evaluation, unless there are too many of them.

        Lines count epochs; once an evaluation falls between two epochs, they count steps.

        Args:
            step: steps done, of the whole training.
            epoch: epochs done; may be a fraction.
            splits: metrics by split, such as ``{"train": {"loss": 0.1}, "validation": {"loss": 0.2}}``.
        """
        before, self._last_record_step = self._last_record_step, step
        if self._num_records < 2:  # the first may be shorter, after a resume; later ones grow where records are sparse
            self._record_gap = max(self._record_gap, step - before)
        self._num_records += 1
        self._whole_epochs &= float(epoch).is_integer()
        self._withheld = _Record(step, epoch, splits)
        if self._is_due(step, before):
            self._show_withheld()

    def _is_due(self, step: int, before: int) -> bool:
        seconds = time.monotonic() - self._last_line
        if not self._any_shown or step >= self._total_steps or seconds >= _SLOW_RECORDS:
            return True
        expected = (self._total_steps - self._first_step) / self._record_gap
        strides: Iterator[int] = (digit * 10**power for power in itertools.count() for digit in (1, 2, 5))
        stride = next(stride for stride in strides if expected / stride <= _MAX_RECORDS)
        # Counted from step 0, so that a resumed run shows the same epochs as an uninterrupted one.
        width = stride * self._record_gap
        return step // width > before // width

    def _show_withheld(self) -> None:
        record, self._withheld, self._any_shown = self._withheld, None, True
        if record is None:
            return
        line = Text()
        if self._whole_epochs:
            line.append("epoch ", style="dim").append(_of(round(record.epoch), self._num_epochs))
        else:
            line.append("step ", style="dim").append(_of(record.step, self._total_steps))
        for split, metrics in record.splits.items():
            line.append(f"  {split}", style="bold").append(f" {_metrics_text(metrics, ' ')}")
        self._print(line)

    def _print(self, line: Text) -> None:
        self._console.print(line)
        self._last_line = time.monotonic()

    def _epoch_text(self, step: int) -> str:
        return f"epoch {_of(min(step // self._steps_per_epoch + 1, self._num_epochs), self._num_epochs)}"

    def _finish(self, step: int, now: float) -> float | None:
        """The estimated end of training, on the clock of `time.monotonic`; None before the second update."""
        if self._start is None or step <= self._start[0]:
            return None
        steps, seconds = step - self._start[0], now - self._start[1]
        return now + seconds / steps * (self._total_steps - step)

    def _make_bar(self) -> rich.progress.Progress:
        bar = rich.progress.Progress(
            rich.progress.TextColumn("{task.fields[epoch]}", markup=False),
            rich.progress.BarColumn(bar_width=None, table_column=Column(ratio=1, min_width=6)),
            rich.progress.TextColumn("{task.percentage:>3.0f}%", markup=False),
            rich.progress.TextColumn("{task.fields[numbers]}", markup=False),
            _TimeLeft(),
            console=self._console.rich,
            expand=True,
            transient=True,
        )
        epoch = self._epoch_text(self._first_step)
        bar.add_task("", total=self._total_steps, completed=self._first_step, epoch=epoch, numbers="starting …", finish=None)
        return bar

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()
        self._show_withheld()


class _TimeLeft(rich.progress.ProgressColumn):
    """Counts down between updates, which may be many seconds apart."""

    def render(self, task: rich.progress.Task) -> Text:
        finish = task.fields["finish"]
        return Text("" if finish is None else f"{duration_text(max(0.0, finish - time.monotonic()))} left", style="cyan")


def _of(part: int, whole: int) -> str:
    """The two numbers as "7/100", padded to the same width for every part."""
    return f"{part:{len(str(whole))}}/{whole}"


def _metrics_text(metrics: Mapping[str, float], separator: str = "  ") -> str:
    return separator.join(f"{short_name(name)} {metric_text(name, value):>6}" for name, value in metrics.items())
