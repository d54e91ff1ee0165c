"""The beginning of a training: from a run's newest intact checkpoint, or from the start.

    start = begin(config, run_dir, state, experiment, data_hash, console, summary)
    start.state, start.progress

A resume is refused before anything is written if the data is other data than the run was trained on. What was damaged is said.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnjax.cli.finished_runs import check_unfinished
from nnjax.cli.resume_notice import resume_notice
from nnjax.cli.sessions import read_sessions
from nnjax.config.data_options import SeriesData
from nnjax.config.errors import DataError
from nnjax.config.paths import shown_path
from nnjax.config.run_identity import new_run_id, read_run_id, write_run_id
from nnjax.config.schema import Config, TrainConfig
from nnjax.reporting.accounting import lost_seconds
from nnjax.reporting.console import RunConsole
from nnjax.reporting.metrics import MetricMemory, Metrics
from nnjax.reporting.training_summary import begin_resumed
from nnjax.training.training_progress import TrainingProgress

if TYPE_CHECKING:
    from nnjax.training.checkpoint_file import Saved
    from nnjax.training.checkpoints import CheckpointStore
    from nnjax.training.experiment import Experiment
    from nnjax.training.state import TrainState

NO_CHECKSUM = "the checkpoint is of nnjax 0.2 or before: it carries no checksum, and does not name its data"


@dataclass(frozen=True)
class Start:
    """Where a training starts.

    Attributes:
        state: as NumPy arrays, or as it was drawn.
        progress: at the step of `state`.
        run_id: of the run; None without a folder.
        metrics: the arguments of `MetricWriter` for a resumed run.
    """

    state: "TrainState"
    progress: TrainingProgress = field(default_factory=TrainingProgress)
    run_id: str | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)


def begin(
    config: TrainConfig,
    run_dir: Path | None,
    state: "TrainState",
    experiment: "Experiment",
    data_hash: Callable[[], str],
    console: RunConsole,
    summary: dict[str, Any],
) -> Start:
    """Restores a resumed run: 1. from the last intact checkpoint, if the folder has one; 2. else from the beginning.

    Args:
        config: with `resume`, a run is resumed.
        run_dir: the run's folder; None starts anew.
        state: the initial state, for its shapes too.
        experiment: the training.
        data_hash: returns the hash of the dataset.
        console: shows what is resumed, and what is damaged.
        summary: gets what is to be said of the start. Once nothing can refuse the resume, the folder is written to.

    Raises:
        DataError: if no checkpoint can be used, or the data is other data.
        RunFinishedError: if the run has no step left to do.
    """
    from nnjax.training.checkpoints import Checkpoints
    from nnjax.training.loop import ending_at

    if run_dir is None:
        return Start(state)
    run_id = read_run_id(run_dir)
    if config.resume is None:
        return Start(state, run_id=run_id)

    def accept(saved: "Saved") -> None:
        check_data(config, saved.notes.data_hash, data_hash)
        progress = saved.notes.progress
        check_unfinished(config, run_dir, progress.step, ending_at(experiment, progress))

    folder = run_dir / "checkpoints"
    plan = experiment.plan
    restored = Checkpoints(folder, run_id=run_id).restore_newest(state, console.warn, accept=accept)
    begin_resumed(config, run_dir, console, summary)
    if restored is None:
        console.print("There is no checkpoint yet: starting from the beginning")
        return Start(state, run_id=_named(run_dir, run_id, None, console), metrics={"resume_step": 0})
    progress, saved = _with_lost(restored.progress, run_dir), restored.saved
    console.print(f"Resuming from step {progress.step} of {plan.steps.total}")
    sessions = read_sessions(run_dir)
    for line in resume_notice(plan, sessions, progress.step):
        console.print(line)
    if saved.records is None:
        console.print(NO_CHECKSUM)
    summary |= {"earlier_seconds": sum(progress.seconds.values())} | ({"best_lost": restored.lost} if restored.lost else {})
    every = sessions[-2:][0].evaluate_every if sessions else None
    evaluated = 0 if every is None else progress.step - progress.step % plan.steps.of(every)
    return Start(
        restored.state,
        progress,
        _named(run_dir, run_id, saved.notes.run_id, console),
        {"resume_step": progress.step, "copy": saved.records, "evaluated": evaluated},
    )


def make_store(
    config: TrainConfig, run_dir: Path | None, start: Start, data_hash: Callable[[], str], metrics: Metrics, console: RunConsole
) -> "CheckpointStore":
    """What the training saves to: the run's folder, or memory. Says what was wrong with the metrics of a resumed run.

    Args:
        config: says how many checkpoints are kept.
        run_dir: the run's folder, or None.
        start: where the training starts.
        data_hash: returns the hash of the dataset.
        metrics: the records so far, which each checkpoint holds.
        console: shows what was repaired.
    """
    from nnjax.api.memory_checkpoints import MemoryCheckpoints
    from nnjax.training.checkpoints import Checkpoints

    if run_dir is None or isinstance(metrics, MetricMemory):
        return MemoryCheckpoints()
    if metrics.notice:
        console.warn(f"metrics.jsonl: {metrics.notice}")
    folder, keep = run_dir / "checkpoints", config.training.keep
    return Checkpoints(folder, keep, run_id=start.run_id, data_hash=data_hash, records=metrics.until)


def note_best(summary: dict[str, Any], tested: TrainingProgress, last: TrainingProgress) -> None:
    """Notes in a summary if the best checkpoint was lost and another one was tested in its place.

    Args:
        summary: to be changed.
        tested: of the checkpoint that was tested as the best.
        last: at the end of training.
    """
    if tested.validation_loss == last.best_loss:
        summary.pop("best_lost", None)  # a resume found a best one lost, and a better one came
    else:
        lost = {"step": None, "validation_loss": last.best_loss, **summary.get("best_lost", {})}
        summary["best_lost"] = {**lost, "best_left": tested.step}


def check_data(config: Config, stored: str | None, data_hash: Callable[[], str]) -> None:
    """Refuses other data than a run was trained on; checkpoints of versions up to 0.2 do not say which that was.

    Args:
        config: names the data.
        stored: the hash in the checkpoint; None if it holds none.
        data_hash: returns the hash of the data that is there.

    Raises:
        DataError: if they differ.
    """
    from nnjax.data.content_hash import shortened

    if stored is None or (found := data_hash()) == stored:
        return
    data = config.data
    names = [name for name in ("file", "directory") if getattr(data, name, None) is not None]
    key, value = (f"data.{names[0]}", shown_path(Path(getattr(data, names[0])))) if names else ("data", data.name)
    grown = ""
    if isinstance(data, SeriesData) and data.limit_train is None and data.order != "sorted":
        grown = (
            "; where rows were added at its end, `python -m experiments.forecast run=…` forecasts from them; in Python, keep "
            "the file as it was, and give the longer one as load_run(…).forecast(file=…)"
        )
    raise DataError(
        f"{key}={value}: holds other data ({shortened(found)}) than the run was trained on ({shortened(stored)}); "
        "it may be in another place, but must have the same content; rerun=FOLDER trains a new run on other data"
        f"{grown}"
    )


def _with_lost(progress: TrainingProgress, run_dir: Path) -> TrainingProgress:
    """The progress with the time of the steps that are trained again, as far as records show it."""
    with suppress(OSError):
        records = (run_dir / "metrics.jsonl").read_bytes()
        lost = lost_seconds(records, progress.step, sum(progress.seconds.values()))
        return replace(progress, seconds={**progress.seconds, "lost": progress.seconds.get("lost", 0.0) + lost})
    return progress


def _named(run_dir: Path, run_id: str | None, stored: str | None, console: RunConsole) -> str:
    """The run's identity; where its file is lost, as the checkpoint has it, and of a run that never had one, a new one."""
    if run_id is not None:
        return run_id
    if stored is not None:
        console.warn(".hydra/run.json was missing or damaged: it is written again, with the name that the checkpoints bear")
    name = stored or new_run_id()
    write_run_id(run_dir, name)
    return name
