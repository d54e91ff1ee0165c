"""A watchdog: says which part of a run takes far longer than before, and where every thread is.

    with Watchdog(console.warn, run_dir / "train.log", limit=None) as watchdog:
        with watchdog.watching("evaluation"):
            ...
        with watchdog.watching("training"):
            watchdog.beat("step 120")          # after each call; a new measurement begins

A thread looks once a second at what is being done, and since when; the code that it watches only sets an attribute. Time is
counted in the thread's own seconds, so that a laptop that slept, or a process that was stopped (Ctrl-Z) and continued, is no
stall. What is done for the first time, and what takes another time whenever it is done, has ten times as long.
"""

import faulthandler
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

FLOOR = 30.0
"""Seconds below which nothing counts as a stall."""

_FACTOR = 10.0  # so many times as long as the longest before


class Watchdog:
    """Watches what one thread does.

    Args:
        say: called with a line when something stalls, and when it continues.
        log: file that gets the stacks of all threads; None for none.
        limit: seconds after which a stall ends the process; None never does.
        stop: called with a line when the limit is reached; ends the process.
        floor: see `FLOOR`.
        tick: seconds between two looks; None is 1, or less with a lower floor.
        clock: the thread's time in seconds.
    """

    def __init__(
        self,
        say: Callable[[str], None],
        log: Path | None = None,
        *,
        limit: float | None = None,
        stop: Callable[[str], object] | None = None,
        floor: float = FLOOR,
        tick: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._say, self._log, self._limit, self._stop = say, log, limit, stop
        self._floor, self._clock = floor, clock
        self._tick = min(1.0, floor / 10) if tick is None else tick
        self._awake = 0.0  # seconds in which this process ran, as far as the thread saw
        self._looked: float | None = None
        self._doing: list[tuple[str, str, float]] = []  # activity, its last beat, and since when
        self._longest: dict[str, float] = {}
        self._irregular: set[str] = set()
        self._said: tuple[str, str, float] | None = None
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def watching(self, activity: str, *, regular: bool = True) -> Iterator[None]:
        """Watches what is done inside the context; contexts nest, and the outer one's time stands still.

        Args:
            activity: in words, such as "evaluation"; those with one name are compared.
            regular: whether it takes about as long each time, or from beat to beat.
        """
        self.begin(activity, regular=regular)
        try:
            yield
        finally:
            self.end()

    def begin(self, activity: str, *, regular: bool = True) -> None:
        """The beginning of `watching`."""
        if not regular:
            self._irregular.add(activity)
        self._doing.append((activity, "", self._awake))

    def end(self) -> None:
        """The end of `watching`."""
        self._measure(self._doing.pop())
        if self._doing:  # it begins anew
            activity, beat, _ = self._doing[-1]
            self._doing[-1] = activity, beat, self._awake

    def beat(self, what: str) -> None:
        """One unit of the current activity is done.

        Args:
            what: has been done, such as "step 120".
        """
        if self._doing:
            self._measure(self._doing[-1])
            self._doing[-1] = self._doing[-1][0], what, self._awake

    def look(self) -> None:
        """Looks once; called by the thread, every `tick` seconds."""
        now = self._clock()
        if self._looked is not None:
            # A longer gap is time in which nothing ran: the thread itself came too late.
            self._awake += min(max(now - self._looked, 0.0), 2 * self._tick)
        self._looked = now
        doing = self._doing[-1] if self._doing else None
        if self._said is not None and doing != self._said:
            activity, beat, since = self._said
            self._said = None
            self._say(f"{_words(activity, beat)} continued after {self._awake - since:.0f} s")
        if doing is None:
            return
        activity, beat, since = doing
        seconds = self._awake - since
        if self._said is None and seconds > self._patience(activity):
            self._said = doing
            longest = self._longest.get(activity)
            before = "" if longest is None else f"; the longest before took {max(longest, 0.1):.1f} s"
            where = "" if self._log is None else f"; where every thread is: {self._log}"
            self._say(f"{_words(activity, beat)} has taken {seconds:.0f} s so far{before}{where}")
            self._write_stacks()
        if self._limit is not None and self._stop is not None and seconds > max(self._limit, self._patience(activity)):
            self._stop(f"{_words(activity, beat)} has taken {seconds:.0f} s: stopped")

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(self._tick):
            with suppress(IndexError):  # what was being done has ended in between
                self.look()

    def _patience(self, activity: str) -> float:
        longest = self._longest.get(activity)
        floor = _FACTOR * self._floor if longest is None or activity in self._irregular else self._floor
        return max(floor, _FACTOR * (longest or 0.0))

    def _measure(self, doing: tuple[str, str, float]) -> None:
        activity, _, since = doing
        self._longest[activity] = max(self._longest.get(activity, 0.0), self._awake - since)

    def _write_stacks(self) -> None:
        if self._log is None:
            return
        with suppress(OSError), self._log.open("a", encoding="utf-8") as file:
            file.write(f"{datetime.now():%Y-%m-%d %H:%M:%S}  the stacks of all threads:\n")
            file.flush()
            faulthandler.dump_traceback(file, all_threads=True)


def _words(activity: str, beat: str) -> str:
    return f"{activity}, after {beat}," if beat else activity
