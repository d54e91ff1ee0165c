"""What a signal means to a training, by how far it has come; and the figures, which no result depends on.

    with RunEnding(run_dir) as ending:
        ...                          # before the first step: see `nnjax.cli.unbegun`; while it trains: `StopSignal`
        ending.trained(summary)      # the last state is saved: a resume tests it
        ending.tested(summary)       # the result stands in summary.json: only figures can be missing

In a program that is no command of ours, such as a notebook, signals are the program's, and this changes nothing.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from nnjax.cli.plugins import plugin_words
from nnjax.config.errors import StorageError
from nnjax.config.invocation import verb_command
from nnjax.config.leaving import INTERRUPTED, PREEMPTED, end, has_begun, on_leaving, shown_name
from nnjax.config.schema import TrainConfig
from nnjax.config.shell import shell_word
from nnjax.parallel.watchdog import FLOOR, Watchdog
from nnjax.reporting.console import RunConsole
from nnjax.reporting.run_summary import write_json

if TYPE_CHECKING:
    from nnjax.training.clock import Clock


def stopped_message(name: str, summary: Mapping[str, Any], run_dir: Path | None) -> str:
    """The line of a run that a signal ended after a checkpoint.

    Args:
        name: of the signal.
        summary: with the number of `steps`.
        run_dir: the run's folder.
    """
    resume = f"{verb_command('train')} {shell_word(f'resume={run_dir}')}{plugin_words()}"
    return f"{shown_name(name)}: stopped after step {summary['steps']}, which is saved; resume with: {resume}"


@contextmanager
def watched(
    config: TrainConfig, run_dir: Path | None, console: RunConsole, summary: Mapping[str, Any], clock: "Clock"
) -> Iterator[None]:
    """Watches the phases of a clock while the context is open, as `debug.watchdog` asks.

    Args:
        config: the experiment.
        run_dir: the run's folder; a training without one is not watched.
        console: shows what stalls.
        summary: written with the status "failed" where a stall ends the process.
        clock: of the run.
    """
    if run_dir is None or config.debug.watchdog == "off":
        yield
        return

    def stop(line: str) -> None:
        """Ends a command; in another program the stall was said, and that has to do."""
        if has_begun():
            with suppress(StorageError):
                write_json(run_dir / "summary.json", {**summary, "status": "failed", "error": line})
            end(1, f"{line} (debug.watchdog=stop, debug.stall_limit={config.debug.stall_limit:g})")

    limit = config.debug.stall_limit if config.debug.watchdog == "stop" else None
    with Watchdog(console.warn, run_dir / "train.log", limit=limit, stop=stop, floor=FLOOR) as clock.watchdog:
        try:
            yield
        finally:
            clock.watchdog = None


class RunEnding:
    """Answers a signal after the training.

    Args:
        run_dir: the run's folder; None for a training without one.
    """

    def __init__(self, run_dir: Path | None) -> None:
        self._run_dir = run_dir
        self._summary: Mapping[str, Any] | None = None
        self._is_tested = False
        self._action = on_leaving(self._answer)

    def trained(self, summary: Mapping[str, Any]) -> None:
        """The last state is saved. From here on a signal ends the process at once; a resume repeats the test."""
        self._summary = summary

    def tested(self, summary: Mapping[str, Any]) -> None:
        """The result is in `summary.json`."""
        self._summary, self._is_tested = summary, True

    def __enter__(self) -> Self:
        self._action.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._action.__exit__(kind, error, traceback)

    def _answer(self, name: str) -> tuple[str, int] | None:
        summary, run_dir = self._summary, self._run_dir
        if summary is None or run_dir is None:
            return None
        if not self._is_tested:
            with suppress(StorageError):
                write_json(run_dir / "summary.json", {**summary, "status": "preempted", "reason": name})
            return stopped_message(name, summary, run_dir), PREEMPTED
        # A cluster starts a job again that ends with 75: this one has nothing left to compute.
        draw = f"{verb_command('evaluate')} {shell_word(f'run={run_dir}')}{plugin_words()}"
        message = f"{shown_name(name)}: the training is {summary['status']}, its result stands; figures may be missing: {draw}"
        return message, INTERRUPTED if name == "SIGINT" else 0
