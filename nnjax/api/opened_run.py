"""The network of an earlier run, from one of its checkpoints.

    with unchanged_process(), jax_session(warn):
        opened = open_run(config, run, summary, "tested", console)
        opened.experiment.evaluate(opened.state, opened.experiment.dataset.test)

`experiments.evaluate` and `nnjax.load_run` both read runs so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from nnjax.api.jax_session import jax_session, unchanged_process
from nnjax.api.result import History, Result
from nnjax.checks.memory_checks import MemoryLimits, check_memory, out_of_memory_explained
from nnjax.cli.plugins import require_plugins
from nnjax.cli.runs import find_run, read_config
from nnjax.config.diagnostics import NO_ORIGINS
from nnjax.config.errors import ConfigError, DataError
from nnjax.config.parallel_options import MemoryLimit
from nnjax.config.run_identity import read_run_id
from nnjax.config.schema import TrainConfig
from nnjax.config.shell import shell_text
from nnjax.reporting.console import RunConsole
from nnjax.reporting.metrics import read_metrics
from nnjax.reporting.run_summary import read_summary

if TYPE_CHECKING:
    from nnjax.training.experiment import Experiment
    from nnjax.training.state import TrainState
    from nnjax.training.training_progress import TrainingProgress

_Named = Literal["tested", "last", "best"]
Checkpoint = _Named | int


@dataclass(frozen=True)
class OpenedRun:
    """A run, read.

    Attributes:
        experiment: set up as it was trained.
        state: from the checkpoint, on the devices.
        progress: how far training had come then.
    """

    experiment: "Experiment"
    state: "TrainState"
    progress: "TrainingProgress"


def read_run(run: Path, checkpoint: Checkpoint, memory_limit: MemoryLimit) -> tuple[TrainConfig, dict[str, Any]]:
    """Returns a run's config, checked against the memory that is free, and its summary, if there is one; without JAX.

    Raises:
        ConfigError: if the config is damaged, or the network surely needs more memory.
        DataError: if the checkpoint that was tested is asked for, and there is no summary that tells which that is.
    """
    config = read_config(TrainConfig, run)
    # What the training was allowed to take does not matter here.
    config = replace(config, parallel=replace(config.parallel, memory_limit=memory_limit))
    check_memory(config, purpose="evaluate", limits=MemoryLimits(memory_limit, "memory_limit"))
    return config, read_summary(run) if checkpoint == "tested" or (run / "summary.json").exists() else {}


def open_run(
    config: TrainConfig, run: Path, summary: Mapping[str, Any], checkpoint: Checkpoint, console: RunConsole
) -> OpenedRun:
    """Sets up the experiment of a run and restores a checkpoint; inside of `jax_session`.

    Args:
        config: from `read_run`.
        run: the run's folder.
        summary: from `read_run`.
        checkpoint: which.
        console: receives notices of slow or unusual events.

    Raises:
        ConfigError: if the machine lacks the requested devices, or they lack memory.
        DataError: if the data or the checkpoint is missing or damaged, or the data is not what the run was trained on.
    """
    from nnjax.api.resuming import NO_CHECKSUM, check_data
    from nnjax.data.content_hash import content_hash
    from nnjax.data.load import load
    from nnjax.parallel.compilation import keep_compiled
    from nnjax.parallel.device_memory import check_devices
    from nnjax.parallel.devices import select_devices
    from nnjax.training.checkpoints import Checkpoints
    from nnjax.training.experiment import set_up

    keep_compiled(console.warn)
    devices = select_devices(config)
    check_devices(config, devices, "evaluate", config.parallel.memory_limit, "memory_limit")
    dataset = load(config.data, echo=console.print)
    experiment, template = set_up(config, dataset, devices, draws=False)
    if checkpoint == "tested":
        if "tested_step" not in summary:
            status = summary.get("status", "failed")
            raise DataError(f"{shell_text(run)}: nothing was tested, since the run is {status}; take checkpoint=last")
        checkpoint = int(summary["tested_step"])
    restored = Checkpoints(run / "checkpoints", run_id=read_run_id(run)).read(template, checkpoint)
    check_data(config, restored.saved.notes.data_hash, lambda: content_hash(dataset))
    if restored.saved.records is None:
        console.print(NO_CHECKSUM)
    return OpenedRun(experiment, experiment.layout.put(restored.state), restored.progress)


def load_run(path: str | Path, checkpoint: Checkpoint = "tested") -> Result:
    """Reads a run's network and metrics from its folder.

    Args:
        path: the folder, from here or from the project's root.
        checkpoint: "tested", the one that was tested at the end of training; "last"; "best", with the lowest validation loss;
            or a step.

    Returns:
        As `nnjax.fit`; `metrics` and `summary` are those of the run, whichever the checkpoint.

    Raises:
        ConfigError: if there is no run, its plugin is not loaded, or the machine has not its devices.
        DataError: if the data or the checkpoint is missing or damaged.

    Example:
        >>> nnjax.load_run("outputs/train/2026-11-23/14-05-09_cnn_digits").predict(images)
    """
    import warnings

    if checkpoint not in get_args(_Named) and (not isinstance(checkpoint, int) or isinstance(checkpoint, bool)):
        raise ConfigError(f"checkpoint={checkpoint}: must be one of {', '.join(get_args(_Named))}, or a step")
    run = find_run(str(path), "run", NO_ORIGINS)
    require_plugins(run, "run", lambda text: warnings.warn(text, stacklevel=3))
    config, summary = read_run(run, checkpoint, "auto")
    with (
        unchanged_process(),
        RunConsole(None, quiet=True) as console,
        out_of_memory_explained(config, "evaluate"),
        jax_session(console.warn),
    ):
        opened = open_run(config, run, summary, checkpoint, console)
        state = opened.experiment.layout.get(opened.state)
    history = History(read_metrics(run) if (run / "metrics.jsonl").exists() else [])
    return Result(config, summary or {"status": "failed"}, history, opened.experiment.dataset, opened.experiment, state)
