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


class Clock:
    """Seconds by phase.

    Attributes:
        seconds: by phase, so far; an open phase is up to date after `read`.
    """

    def __init__(self, seconds: Mapping[str, float] | None = None) -> None:
        """Starts a clock; `seconds` come from earlier sessions of the same run."""
        self.seconds: defaultdict[str, float] = defaultdict(float, seconds or {})
        self._open: list[str] = []
        self._since = time.perf_counter()

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        """Counts the time inside the context to `phase`."""
        self._settle()
        self._open.append(phase)
        try:
            yield
        finally:
            self._settle()
            self._open.pop()

    def read(self, phase: str) -> float:
        """Seconds of a phase, up to now."""
        self._settle()
        return self.seconds[phase]

    def _settle(self) -> None:
        now = time.perf_counter()
        if self._open:
            self.seconds[self._open[-1]] += now - self._since
        self._since = now
