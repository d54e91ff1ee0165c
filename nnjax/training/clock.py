"""Counts a run's time, phase by phase.

    clock = Clock()
    with clock("data"):
        dataset = load(config.data)
    clock.seconds                     # {"data": 0.12}

Phases nest: the inner one's time does not count for the outer one, so the phases add up to no more than the total.
"""

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from nnjax.parallel.watchdog import Watchdog

_WORDS = {
    "import": "the import of libraries",
    "data": "reading the data",
    "compile": "the compilation",
    "train": "the training",
    "eval": "an evaluation",
    "replay": "the repetition of a step that diverged",
    "checkpoint": "writing a checkpoint",
    "figures": "drawing the figures",
}
# The others take another time with each program or split.
_REGULAR = ("train", "checkpoint")


class Clock:
    """Seconds by phase.

    Attributes:
        seconds: by phase, so far; an open phase is up to date after `read`.
        watchdog: watches the phases; None for none.
    """

    def __init__(self, seconds: Mapping[str, float] | None = None) -> None:
        """Starts a clock; `seconds` come from earlier sessions of the same run."""
        self.seconds: defaultdict[str, float] = defaultdict(float, seconds or {})
        self._open: list[str] = []
        self.watchdog: Watchdog | None = None
        self._since = time.perf_counter()

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        """Counts the time inside the context to `phase`."""
        self._settle()
        self._open.append(phase)
        watchdog = self.watchdog
        if watchdog is not None:
            watchdog.begin(_WORDS.get(phase, phase), regular=phase in _REGULAR)
        try:
            yield
        finally:
            self._settle()
            self._open.pop()
            if watchdog is not None:
                watchdog.end()

    def beat(self, step: int) -> None:
        """Tells the watchdog that a call of steps is done, up to this one."""
        if self.watchdog is not None:
            self.watchdog.beat(f"step {step}")

    def read(self, phase: str) -> float:
        """Seconds of a phase, up to now."""
        self._settle()
        return self.seconds[phase]

    def _settle(self) -> None:
        now = time.perf_counter()
        if self._open:
            self.seconds[self._open[-1]] += now - self._since
        self._since = now
