"""A training and its trackers: which ones, when they start, and what reaches them at the end.

    with tracked(config, run_dir, console) as tracking, summarized(…) as tracking.summary:
        tracking.start(config, run_id, resume_step, plan.trials)
        tracking.trackers.log(60, "train", {"loss": 0.35}, 1.0)
    # config, metrics, figures, checkpoints, status and summary are in each tracker, and the console has said where

Trackers are optional: nothing that they do, or fail to do, changes a run.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from nnjax.checks.trials import Trial
from nnjax.config.leaving import has_begun, on_leaving
from nnjax.config.parsing import to_mapping
from nnjax.config.schema import Report, TrainConfig
from nnjax.reporting.console import RunConsole
from nnjax.tracking.separate_tracker import SeparateTracker
from nnjax.tracking.tensorboard import TensorBoard
from nnjax.tracking.tracker import TrackedRun, Tracker, flat
from nnjax.tracking.tracker_process import TRACKERS
from nnjax.tracking.trackers import LOG, Trackers

_NOT_TOLD = ("resume", "rerun")  # of the command, not of the run


class RunTracking:
    """The trackers of one training.

    Args:
        trackers: all of them.
        run_dir: the run's folder; None for a training without one, which has no trackers.

    Attributes:
        trackers: see above.
        summary: of the run, filled while it trains.
    """

    def __init__(self, trackers: Trackers, run_dir: Path | None) -> None:
        self.trackers = trackers
        self.summary: dict[str, Any] = {}
        self._run_dir = run_dir

    def start(self, config: TrainConfig, run_id: str | None, resume_step: int | None, trials: Sequence[Trial]) -> None:
        """Opens the run in each tracker, once all checks have passed.

        Args:
            config: of the run.
            run_id: its identity; None without a folder.
            resume_step: the step from which it resumes; None for a new run.
            trials: in order.
        """
        if self._run_dir is None or run_id is None:
            return
        folder = self._run_dir.absolute()
        shared = Path(config.report.tracking.folder or folder).expanduser().absolute()
        stores = {name: (folder if name == "tensorboard" else shared) / name for name in ("tensorboard", *TRACKERS)}
        run = TrackedRun(
            folder.name, group_of(folder), run_id, folder, folder, config.report.tracking.project, resume_step=resume_step
        )
        settings = {key: value for key, value in to_mapping(config).items() if key not in _NOT_TOLD}
        if len(trials) > 1:
            settings["trials"] = [{"seed": trial.seed, "learning_rate": trial.learning_rate} for trial in trials]
        self.trackers.start(run, flat(settings), stores)

    def finish(self, *, copy: bool) -> list[str]:
        """Sends figures, checkpoints, status and summary; returns where the runs are."""
        if self._run_dir is not None:
            figures = sorted((self._run_dir / "figures").glob("*.png"))
            self.trackers.files([path.absolute() for path in figures], self._run_dir.absolute() / "checkpoints", copy=copy)
        return self.trackers.finish(self.summary.get("status", "failed"), told(self.summary))

    def leave(self, name: str) -> None:
        """Closes the runs at a signal that ends the process after its last step."""
        status = self.summary.get("status", "failed") if "tested_step" in self.summary else "preempted"
        self.trackers.leave(status, told(self.summary))


@contextmanager
def tracked(config: TrainConfig, run_dir: Path | None, console: RunConsole) -> Iterator[RunTracking]:
    """Yields the trackers of a training; on leaving they get what the run left behind, however it ended.

    Args:
        config: of the run.
        run_dir: its folder.
        console: says which tracker stopped, and where the runs are.
    """
    names = () if run_dir is None else chosen(config.report)
    if run_dir is None and config.report.trackers and not has_begun():  # in a command, the first process has the folder
        console.warn("report.trackers: a training without a folder writes to no tracker")
    log = (run_dir or Path()) / LOG
    made: dict[str, Tracker] = {
        name: TensorBoard() if name == "tensorboard" else SeparateTracker(name, TRACKERS[name], log) for name in names
    }
    tracking = RunTracking(Trackers(made, console.warn, config.report.tracking.timeout, say=console.print), run_dir)
    with on_leaving(tracking.leave):
        try:
            yield tracking
        finally:
            said = tracking.finish(copy=config.report.tracking.checkpoint == "copy")
            for line in said if config.report.trackers else ():
                console.print(line)
            if log.is_file() and not log.stat().st_size:
                log.unlink()


def chosen(report: Report) -> tuple[str, ...]:
    """The names of a run's trackers; `report.tensorboard` adds TensorBoard."""
    automatic = report.tensorboard == "auto" and find_spec("tensorboardX") is not None
    with_tensorboard = report.tensorboard == "on" or automatic
    return tuple(dict.fromkeys((*report.trackers, *(["tensorboard"] if with_tensorboard else []))))


def group_of(folder: Path) -> str | None:
    """The name of the sweep that a run is a job of: the last two parts of its folder, such as a date and a time."""
    sweep = folder.parent
    return "_".join(sweep.parts[-2:]) if (sweep / "multirun.yaml").is_file() else None


def told(summary: Mapping[str, Any]) -> dict[str, Any]:
    """A summary as trackers get it: flat, without the table of trials, whose numbers they have."""
    return flat({key: value for key, value in summary.items() if key not in ("status", "trials", "figures")})
