"""A run's trackers together. What goes wrong in one is said once, and changes neither the training nor the others.

trackers = Trackers({"wandb": SeparateTracker(…)}, warn=console.warn, patience=60.0)
trackers.start(run, config)
trackers.log(60, "train", {"loss": 0.35}, epoch=1.0)
for line in trackers.finish("completed", summary):
    console.print(line)
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from nnjax.tracking.separate_tracker import SeparateTracker, TrackerStoppedError
from nnjax.tracking.tracker import Scalar, TrackedRun, Tracker, named_metrics

LOG = "trackers.log"
"""The file in a run's folder for what the trackers' libraries print."""


class Trackers:
    """Passes each call to all trackers; one that raises is left out from then on.

    Args:
        trackers: by name.
        warn: called with a line for each tracker that stops.
        patience: seconds that `finish` waits, for all trackers together.
    """

    def __init__(self, trackers: Mapping[str, Tracker], warn: Callable[[str], None], patience: float) -> None:
        self._trackers = dict(trackers)
        self._warn, self._patience = warn, patience
        self._places: dict[str, str] = {}
        self._is_started = self._has_logged = False

    def start(self, run: TrackedRun, config: Mapping[str, Scalar], stores: Mapping[str, Path]) -> None:
        """Opens the run in each tracker.

        Args:
            run: the run; its `store` is replaced.
            config: by dotted key.
            stores: each tracker's folder, by its name.
        """
        self._is_started = True
        for name, tracker in list(self._trackers.items()):
            self._call(
                name, lambda name=name, tracker=tracker: self._open(name, tracker, replace(run, store=stores[name]), config)
            )

    def log(self, step: int, split: str, metrics: Mapping[str, float | list[float]], epoch: float) -> None:
        """Writes one split's metrics.

        Args:
            step: steps done.
            split: train, validation, test or weights.
            metrics: by name; a list holds one number for each trial.
            epoch: epochs done; may be a fraction.
        """
        self._has_logged = True
        named = named_metrics(split, metrics) | ({"epoch": epoch} if split == "train" else {})
        for name, tracker in list(self._trackers.items()):
            self._call(name, lambda tracker=tracker: tracker.log(step, named))

    def files(self, figures: Iterable[Path], checkpoints: Path, *, copy: bool) -> None:
        """Writes the pictures, and the folder of checkpoints if it holds any.

        Args:
            figures: PNG files.
            checkpoints: the folder.
            copy: whether trackers take copies of the checkpoints.
        """
        if not self._is_started:
            return
        shown = list(figures)
        holds = checkpoints.is_dir() and any(checkpoints.iterdir())
        for name, tracker in list(self._trackers.items()):
            for path in shown:
                self._call(name, lambda tracker=tracker, path=path: tracker.figure(path))
            if holds:
                self._call(name, lambda tracker=tracker: tracker.checkpoint(checkpoints, copy))

    def finish(self, status: str, summary: Mapping[str, Scalar]) -> list[str]:
        """Closes the runs, and waits for those in other processes; returns a line for each, which says where it is."""
        if not self._is_started:
            return []
        for name, tracker in list(self._trackers.items()):
            self._call(name, lambda tracker=tracker: tracker.finish(status, summary))
        until = time.monotonic() + self._patience
        for name, tracker in list(self._trackers.items()):
            if isinstance(tracker, SeparateTracker):
                if not tracker.wait(max(until - time.monotonic(), 0.1)):
                    late = f"did not finish within {self._patience:g} s (report.tracking.patience)"
                    self._drop(name, tracker.failure or late)
                self._places[name] = tracker.place
        return [f"{name}: {place}" for name, place in self._places.items() if place]

    def leave(self, status: str, summary: Mapping[str, Scalar]) -> None:
        """Closes the runs in a moment, since the process ends: before the first numbers, all that was begun is dropped.

        Args:
            status: of the run.
            summary: its summary.
        """
        for name, tracker in list(self._trackers.items()) if self._is_started else ():
            if isinstance(tracker, SeparateTracker) and not self._has_logged:
                tracker.kill()
                continue
            self._call(name, lambda tracker=tracker: tracker.finish(status, summary))
            if isinstance(tracker, SeparateTracker):
                tracker.hand_over(0.2)

    def _open(self, name: str, tracker: Tracker, run: TrackedRun, config: Mapping[str, Scalar]) -> None:
        self._places[name] = tracker.start(run, config)

    def _call(self, name: str, function: Callable[[], None]) -> None:
        if name not in self._trackers:
            return
        try:
            function()
        except TrackerStoppedError as error:
            self._drop(name, str(error))
        except Exception as error:  # whatever a library raises
            self._drop(name, f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}")

    def _drop(self, name: str, reason: str) -> None:
        tracker = self._trackers.pop(name)
        log = f"; see {LOG}" if isinstance(tracker, SeparateTracker) else ""
        self._warn(f"{name} takes no more of this run: {reason}; the training does not need it{log}")
