"""The common part of the benchmarks: command-line options, the machine's load, saving and showing the result.

args = parser("Cost of a step as things grow.", "python -m benchmarks.scaling --quick").parse_args()
with session("scaling", args) as run:
    run.result["lines"] = …                  # saved, drawn and printed at the end
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import machine, results
from benchmarks.render import render
from benchmarks.turns import Settings

console = Console(stderr=True)


class _Help(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Shows defaults, and keeps the line breaks of the examples."""


def parser(description: str, examples: str) -> argparse.ArgumentParser:
    """Returns a parser with the common options of all benchmarks."""
    made = argparse.ArgumentParser(description=description, epilog=f"examples:\n{examples}", formatter_class=_Help)
    made.add_argument("--rounds", type=_positive, default=5, help="rounds in which all take turns; medians are reported")
    made.add_argument("--seconds", type=float, default=2.0, help="of a turn")
    made.add_argument("--cores", type=_positive, default=2, help="cores for everyone")
    made.add_argument("--quick", action="store_true", help="two short rounds, to see that everything works")
    made.add_argument("--anyway", action="store_true", help="measure on a busy machine, too, and mark the results")
    made.add_argument("--output", type=Path, default=results.FOLDER, metavar="FOLDER", help="where results are written")
    made.add_argument("--render", action="store_true", help="measure nothing; draw anew what the newest results say")
    return made


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} must be at least 1")
    return value


@dataclass
class Session:
    """A benchmark under way.

    Attributes:
        rounds: number of rounds that count.
        seconds: length of a turn.
        folder: temporary folder, removed at the end.
        settings: the processes' settings.
        meter: measures the load by other processes.
        result: plain values to be saved.
    """

    rounds: int
    seconds: float
    folder: Path
    settings: Settings
    meter: machine.LoadMeter
    result: dict[str, Any] = field(default_factory=dict)

    def alternate(self, measures: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
        """Calls each measure once per round, one after another; returns their values by round."""
        values: dict[str, list[float]] = {name: [] for name in measures}
        for number in range(1, self.rounds + 1):
            for name, measure in measures.items():
                with self.meter.watch(()):
                    values[name].append(measure())
                say(f"round {number}: {name} {values[name][-1]:.3g}")
        return values


@contextmanager
def session(kind: str, args: argparse.Namespace) -> Iterator[Session]:
    """Checks that the machine is idle, lets the caller measure, then saves and draws the result; exits with --render."""
    if args.render:
        render(args.output)
        sys.exit()
    machine.refuse_if_busy(anyway=args.anyway)
    cores = machine.use_cores(args.cores)
    rounds, seconds = (2, 0.5) if args.quick else (args.rounds, args.seconds)
    with tempfile.TemporaryDirectory(prefix="nnjax-bench-") as name:
        folder = Path(name)
        run = Session(rounds, seconds, folder, Settings(cores, folder / "cache"), machine.LoadMeter())
        yield run
    options = {"rounds": rounds, "seconds": seconds, "cores": cores, "quick": args.quick}
    load = {"busy": run.meter.is_busy, "others": run.meter.others}
    path = results.save(kind, {"about": machine.describe(), "options": options, "load": load, **run.result}, args.output)
    say(f"written to {path}")
    if run.meter.is_busy:
        say(f"[bold red]WARNING: others used {run.meter.others:.1f} cores meanwhile: the results say that the machine was busy")
    render(args.output, [kind])


def say(text: str) -> None:
    """Prints a line about the progress."""
    console.print(text, highlight=False, soft_wrap=True)
