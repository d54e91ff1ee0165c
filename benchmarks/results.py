"""Saves and reads results as JSON files in `benchmarks/results/`; statistics of rounds.

path = save("scaling", result, folder)               # 2026-11-30_amd-epyc-2-cores_scaling.json
newest("scaling", folder)                            # the newest one, read
spread([101.0, 99.0, 104.0]), ratios(ours, theirs)   # Spread(median=101.0, least=99.0, most=104.0), …
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

FOLDER = Path(__file__).resolve().parent / "results"
COMPARISON = "comparison"

Turns = Sequence[Sequence[float]]  # (steps, seconds) of each turn


@dataclass(frozen=True)
class Spread:
    """The spread of the rounds' values."""

    median: float
    least: float
    most: float

    def text(self, digits: int = 3, unit: str = "") -> str:
        """Writes "101 [99 .. 104]"."""
        middle, least, most = (number_text(value, digits) for value in (self.median, self.least, self.most))
        return f"{middle}{unit} [{least} .. {most}]"


def spread(values: Sequence[float]) -> Spread:
    """Median, least and most of some values."""
    return Spread(median(values), min(values), max(values))


def rates(turns: Turns) -> list[float]:
    """Steps a second of each turn."""
    return [steps / seconds for steps, seconds in turns]


def ratios(ours: Turns, theirs: Turns) -> Spread:
    """Returns nnjax's speed as a multiple of another's, round by round, so that a slow minute of the machine affects both."""
    return spread([a / b for a, b in zip(rates(ours), rates(theirs), strict=True)])


def number_text(value: float, digits: int = 3) -> str:
    """Writes a number with so many significant digits: 12345 is "12 300", 0.01234 is "0.0123"."""
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits}g}")
    if abs(rounded) >= 100:
        return f"{rounded:,.0f}".replace(",", " ")
    return f"{rounded:.{digits}g}" if abs(rounded) >= 0.001 else f"{rounded:.1e}"


def warning(result: Mapping[str, Any]) -> str:
    """Returns the warning for a figure's title if its numbers are unreliable; else an empty text."""
    busy = "; THE MACHINE WAS BUSY" if result["load"]["busy"] else ""
    return f"{busy}; A QUICK LOOK" if result["options"]["quick"] else busy


def machine_name(about: Mapping[str, Any]) -> str:
    """Returns the machine's name for a file: "amd-epyc-2-cores"."""
    cpu = re.sub(r"\((r|tm)\)|@.*|\bcpu\b|processor", " ", about["host"]["cpu"].lower())
    return "-".join(re.findall(r"[a-z0-9]+", f"{cpu} {about['host']['cpu_cores']} cores"))


def save(kind: str, result: Mapping[str, Any], folder: Path = FOLDER) -> Path:
    """Writes a result to a file named by day and machine; one of the same day is replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    suffix = "" if kind == COMPARISON else f"_{kind}"
    about = result["about"]
    path = folder / f"{about['date'][:10]}_{machine_name(about)}{suffix}.json"
    path.write_text(json.dumps({"kind": kind, **result}, indent=1) + "\n")
    return path


def newest(kind: str, folder: Path = FOLDER) -> dict[str, Any] | None:
    """Reads the newest result of a kind; None if there is none."""
    return next(reversed(every(kind, folder)), None)


def every(kind: str, folder: Path = FOLDER) -> list[dict[str, Any]]:
    """Reads all results of a kind, the oldest first."""
    found = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    mine = [result for result in found if result["kind"] == kind]
    return sorted(mine, key=lambda result: result["about"]["date"])
