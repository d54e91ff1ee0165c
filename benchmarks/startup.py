"""Seconds of the default training, cold and warm, of --help and of a config error: `python -m benchmarks.startup`."""

import shutil
from collections.abc import Callable
from functools import partial

from benchmarks.command import timed, train
from benchmarks.common import parser, session

_CONFIG_ERROR = 2


def main() -> None:
    """Measures and saves."""
    examples = "  python -m benchmarks.startup\n  python -m benchmarks.startup --quick --anyway"
    args = parser("Seconds of the default training, cold and warm, of --help and of a config error.", examples).parse_args()
    with session("startup", args) as run:
        phases: dict[str, list[dict[str, float]]] = {"cold": [], "warm": []}

        def training(temperature: str) -> float:
            if temperature == "cold":
                shutil.rmtree(run.settings.cache, ignore_errors=True)
            seconds, summary = train(run)
            phases[temperature].append(summary["seconds"])
            return seconds

        measures: dict[str, Callable[[], float]] = {
            "python": partial(timed, run, ["-c", "pass"]),
            "import_jax": partial(timed, run, ["-c", "import jax"]),
            "help": partial(timed, run, ["-m", "experiments.train", "--help"]),
            "error": partial(timed, run, ["-m", "experiments.train", "training.epochs=5"], _CONFIG_ERROR),
            "cold": partial(training, "cold"),
            "warm": partial(training, "warm"),
        }
        timed(run, ["-m", "experiments.train", "--help"])  # so that Python's own caches are filled
        run.result |= {"seconds": run.alternate(measures), "phases": phases}


if __name__ == "__main__":
    main()
