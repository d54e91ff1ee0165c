"""Many seeds in one run against one seed: `python -m benchmarks.seeds`."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from benchmarks.command import train
from benchmarks.common import Session, parser, say, session
from benchmarks.turns import WorkerError

# Overrides, and the number of seeds.
_RUNS: Mapping[str, tuple[tuple[str, ...], int]] = {
    "FNN on digits": (("model=fnn",), 64),
    "two neurons, 10 000 steps": (
        (
            "model=two_neuron",
            "training.duration=10000steps",
            "training.evaluate_every=1000steps",
            "training.stop.loss_below=null",
        ),
        256,
    ),
}
_ALWAYS = ("report.figures=false",)


def main() -> None:
    """Measures and saves."""
    examples = "  python -m benchmarks.seeds\n  python -m benchmarks.seeds --quick --anyway"
    args = parser("Seconds of a training of many seeds in one run, and of the same with one seed.", examples).parse_args()
    with session("seeds", args) as run:
        run.result["runs"] = {title: _measure(title, words, many, run) for title, (words, many) in _RUNS.items()}


def _measure(title: str, words: tuple[str, ...], many: int, run: Session) -> dict[str, Any]:
    training: dict[str, list[float]] = {}

    def once(count: int) -> float:
        seconds, summary = train(run, *words, *_ALWAYS, f"training.seeds={count}")
        training.setdefault(str(count), []).append(summary["seconds"]["train"])
        return seconds

    measures: dict[str, Callable[[], float]] = {str(count): partial(once, count) for count in (1, many)}
    try:
        for measure in measures.values():
            measure()  # fills the compilation cache
        training.clear()
        return {"many": many, "words": words, "wall": run.alternate(measures), "training": training}
    except WorkerError as error:
        say(f"{title}: failed: {error}")
        return {"many": many, "words": words, "failed": str(error)}


if __name__ == "__main__":
    main()
