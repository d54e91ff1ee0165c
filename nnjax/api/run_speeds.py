"""How fast earlier runs on this machine were, by the summaries in `outputs/`; without one, by the speed of a matrix product.

speeds, source = measured_speeds(project_root() / "outputs")
predicted_seconds(cost, speeds)                    # of nnjax.checks.job_costs
"""

import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from nnjax.checks.job_costs import Speed
from nnjax.config.errors import DataError
from nnjax.reporting.run_summary import environment, read_summary

_MOST_RUNS = 60
"""The newest runs that are read; each takes a millisecond."""

_SHARE = 0.4
"""The share of a matrix product's speed that trainings of this project reached on CPUs: 0.3 to 0.6 (docs/benchmarks.md)."""

_OTHER, _IMPORT = (6.0, 2.0), 2.5  # seconds, on a machine without an earlier run: for a new program, and a kept one
_COMPILE = (4.5, 1.0)  # of the first ones, for compilation


def measured_speeds(outputs: Path) -> tuple[list[Speed], str]:
    """Returns the speeds of earlier runs, and their source in words.

    Args:
        outputs: the folder of all runs.
    """
    host = environment()["host"]
    found = list(islice(_speeds(outputs, host), _MOST_RUNS))
    if found:
        return found, f"by {len(found)} earlier run{'s' if len(found) > 1 else ''} on this machine"
    flops = _SHARE * _product_speed()
    guesses = [Speed("", flops, other, _IMPORT, compilation) for other, compilation in zip(_OTHER, _COMPILE, strict=True)]
    return guesses, "a first guess, since no earlier run on this machine is in outputs/"


def _speeds(outputs: Path, host: dict[str, Any]) -> Iterator[Speed]:
    """Yields the speeds of the runs of one network each that were completed on this machine, the newest first."""
    for run_dir in _newest(outputs):
        with suppress(DataError, KeyError, TypeError, ValueError):
            summary = read_summary(run_dir)
            if summary["status"] != "completed" or summary["host"] != host or summary.get("trials"):
                continue
            seconds = summary["seconds"]
            flops = 3 * summary["forward_flops"] * summary["examples_per_second"]
            imports = float(seconds.get("import", 0.0))
            other = float(seconds["total"]) - float(seconds["train"]) - imports
            if flops > 0 and other >= 0:
                compilation, evaluation = (float(seconds.get(name, 0.0)) for name in ("compile", "eval"))
                yield Speed(str(summary["model"]), flops, other, imports, compilation, evaluation)


def _newest(outputs: Path) -> Iterator[Path]:
    """Yields the folders of runs and of sweeps' jobs: by day, the newest first."""
    days = [path for kind in ("train", "sweeps") for path in (outputs / kind).glob("*")]
    for day in sorted(days, key=lambda path: path.name, reverse=True):
        pattern = "*/summary.json" if day.parent.name == "train" else "*/*/summary.json"
        for path in sorted(day.glob(pattern), reverse=True):
            yield path.parent


def _product_speed() -> float:
    """Operations a second of a float32 matrix product; takes 50 ms."""
    import numpy as np

    size = 768
    matrix = np.ones((size, size), np.float32)
    seconds = []
    for _ in range(4):  # the first one also starts the library's threads
        began = time.perf_counter()
        matrix @ matrix
        seconds.append(time.perf_counter() - began)
    return 2 * size**3 / min(seconds)
