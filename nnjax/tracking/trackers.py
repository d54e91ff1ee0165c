"""A run's trackers together. What goes wrong in one is said once, and changes neither the training nor the others.

trackers = Trackers({"wandb": SeparateTracker(…)}, warn=console.warn, patience=60.0)
trackers.start(run, config)
trackers.log(60, "train", {"loss": 0.35}, epoch=1.0)
for line in trackers.finish("completed", summary):
    console.print(line)
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from nnjax.tracking.separate_tracker import SeparateTracker, TrackerStoppedError
from nnjax.tracking.tracker import Scalar, TrackedRun, Tracker, named_metrics, reason_of

LOG = "trackers.log"
"""The file in a run's folder for what the trackers' libraries print."""

_MOMENT = 2.0  # seconds that a failed tracker has to close its run


class Trackers:
    """Passes each call to all trackers; one that raises is left out from then on.

    Args:
        trackers: by name.
        warn: called with a line for each tracker that stops.
        patience: seconds that `finish` waits, for all trackers together.
        say: called with a line where it waits for longer than a moment.
    """

    def __init__(
        self,
        trackers: Mapping[str, Tracker],
        warn: Callable[[str], None],
        patience: float,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._trackers = dict(trackers)
        self._warn, self._patience, self._say = warn, patience, say
        self._places: dict[str, str] = {}
        self._failed: list[SeparateTracker] = []
        self._is_started = False
        self._droppable: frozenset[str] = frozenset()

    def start(self, run: TrackedRun, config: Mapping[str, Scalar], stores: Mapping[str, Path]) -> None:
        """Opens the run in each tracker.

        Args:
            run: the run; its `store` is replaced.
            config: by dotted key.
            stores: each tracker's folder, by its name.
        """
        self._is_started = True
        if run.resume_step is None:
            self._droppable = frozenset(name for name, store in stores.items() if store.is_relative_to(run.folder))

        def open_run(name: str, tracker: Tracker) -> None:
            self._places[name] = tracker.start(replace(run, store=stores[name]), config)

        self._each(open_run)

    def log(self, step: int, split: str, metrics: Mapping[str, float | list[float]], epoch: float) -> None:
        """Writes one split's metrics.

        Args:
            step: steps done.
            split: train, validation, test or weights.
            metrics: by name; a list holds one number for each trial.
            epoch: epochs done; may be a fraction.
        """
        self._droppable = frozenset()
        named = named_metrics(split, metrics) | ({"epoch": epoch} if split == "train" else {})
        self._each(lambda name, tracker: tracker.log(step, named))

    def files(self, figures: Sequence[Path], checkpoints: Path, *, copy: bool) -> None:
        """Writes the pictures, and the folder of checkpoints if it holds any.

        Args:
            figures: PNG files.
            checkpoints: the folder.
            copy: whether trackers take copies of the checkpoints.
        """

        def write(name: str, tracker: Tracker) -> None:
            for path in figures:
                tracker.figure(path)
            if checkpoints.is_dir() and any(checkpoints.iterdir()):
                tracker.checkpoint(checkpoints, copy)

        self._each(write)

    def finish(self, status: str, summary: Mapping[str, Scalar]) -> list[str]:
        """Closes the runs, and waits for those in other processes; returns a line for each, which says where it is."""
        if not self._is_started:  # the training failed before
            return []
        self._each(lambda name, tracker: tracker.finish(status, summary))
        until = time.monotonic() + self._patience
        separate = {name: tracker for name, tracker in self._trackers.items() if isinstance(tracker, SeparateTracker)}
        if late := [name for name, tracker in separate.items() if not tracker.ends_within(_MOMENT / len(separate))]:
            self._say(f"waiting for {' and '.join(late)} to write the rest, at most {self._patience:g} s")

        def wait(name: str, tracker: Tracker) -> None:
            if isinstance(tracker, SeparateTracker):
                failure = f"it did not finish within {self._patience:g} s (report.tracking.timeout)"
                is_done = tracker.wait(max(until - time.monotonic(), 0.1), failure)
                self._places[name] = tracker.place
                if not is_done:
                    raise TrackerStoppedError(tracker.failure)

        self._each(wait)
        for failed in self._failed:
            failed.wait(_MOMENT)
        return [f"{name}: {place}" for name, place in self._places.items() if place]

    def leave(self, status: str, summary: Mapping[str, Scalar]) -> None:
        """Closes the runs in a moment, since the process ends.

        Before the first numbers of a new run its folder goes, and what was begun in there is dropped.

        Args:
            status: of the run.
            summary: its summary.
        """

        def end(name: str, tracker: Tracker) -> None:
            if isinstance(tracker, SeparateTracker) and name in self._droppable:
                tracker.kill()
                return
            tracker.finish(status, summary)
            if isinstance(tracker, SeparateTracker):
                tracker.hand_over(0.2)

        self._each(end)

    def _each(self, function: Callable[[str, Tracker], None]) -> None:
        """Calls a function for each tracker, once the run is open; a tracker that raises is left out from then on."""
        for name, tracker in list(self._trackers.items()) if self._is_started else ():
            try:
                function(name, tracker)
            except TrackerStoppedError as error:
                self._drop(name, str(error))
            except Exception as error:  # whatever a library raises
                self._drop(name, reason_of(error))

    def _drop(self, name: str, reason: str) -> None:
        tracker = self._trackers.pop(name)
        if isinstance(tracker, SeparateTracker):  # its process closes the run
            self._failed.append(tracker)
        else:
            with suppress(Exception):
                tracker.finish("killed", {})
        log = f"; see {LOG}" if isinstance(tracker, SeparateTracker) else ""
        self._warn(f"{name} takes no more of this run: {reason}; the training does not need it{log}")
