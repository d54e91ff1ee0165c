"""Kills trainings of an experiment, resumes them, and compares them with an uninterrupted one, bit for bit.

    resumed = check_resume(config, steps=50, kills=3, folder=run_dir, console=console)
    all(run.is_equal for run in resumed)

Each training is a process of its own, as a person would start it; the killed ones die by SIGKILL.
"""

import random
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nnjax.api.parity import shortened
from nnjax.cli.hydra_runner import quoted
from nnjax.cli.plugins import loaded_plugins, plugin_arguments
from nnjax.cli.runs import write_config
from nnjax.config.errors import ConfigError, UserError
from nnjax.config.leaving import code_of, on_leaving, shown_name
from nnjax.config.schema import TrainConfig
from nnjax.config.types import Duration
from nnjax.reporting.console import RunConsole
from nnjax.reporting.metrics import read_metrics
from nnjax.reporting.run_summary import read_summary
from nnjax.training.checkpoints import read_last

_LATEST_KILL = 1.0  # seconds after the checkpoint


@dataclass(frozen=True)
class ResumedRun:
    """A run that was killed and resumed, against the uninterrupted one.

    Attributes:
        folder: of the run.
        killed_after: seconds from its checkpoint to the kill, at most.
        arrays: the number of arrays in the last checkpoint: parameters, statistics, optimizer.
        differing: what is not the same to the last bit: paths of arrays, "progress", "metrics.jsonl", "test".
    """

    folder: Path
    killed_after: float
    arrays: int
    differing: tuple[str, ...]

    @property
    def is_equal(self) -> bool:
        """Whether the run is the uninterrupted one's equal."""
        return not self.differing


def check_resume(config: TrainConfig, steps: int, kills: int, folder: Path, console: RunConsole) -> list[ResumedRun]:
    """Trains twice `steps` steps, once without a break and `kills` times with a kill after the checkpoint in the middle.

    Args:
        config: the experiment.
        steps: from the beginning to the checkpoint, and from there to the end.
        kills: how many runs to kill, each at another random moment (drawn by the config's seed).
        folder: an existing folder for all runs.
        console: shows each process as it begins.

    Raises:
        ConfigError: if the training ends before the checkpoint.
        UserError: if a training fails by itself.
    """
    experiment = folder / "experiment"
    experiment.mkdir()
    write_config(_short(config, steps), experiment)
    plugins = [str(plugin.path) for plugin in loaded_plugins()]
    flags = plugin_arguments()
    train = ["-m", "experiments.train"]
    whole = folder / "uninterrupted"
    console.print(f"Training {2 * steps} steps without a break")
    _run([*train, quoted("rerun", experiment), quoted("hydra.run.dir", whole), *flags])
    if (done := read_summary(whole)["steps"]) <= steps:
        raise ConfigError(f"steps={steps}: a stop rule ends this training at step {done}; choose fewer steps, or no such rule")
    found: list[ResumedRun] = []
    moments = random.Random(config.seed)
    for number in range(1, kills + 1):
        run, seconds = folder / f"killed-{number}", round(moments.uniform(0, _LATEST_KILL), 3)
        console.print(
            f"Training again, killed {seconds:.3f} s after the checkpoint of step {steps} at the latest; then resumed"
        )
        _run(
            ["-m", "nnjax.api.killed_training", str(experiment), str(run), str(steps), str(seconds), *plugins], -signal.SIGKILL
        )
        _run([*train, quoted("resume", run), *flags])
        found.append(_compared(run, whole, seconds))
    return found


def _short(config: TrainConfig, steps: int) -> TrainConfig:
    """The experiment with a checkpoint after `steps` steps and its end after twice as many; its evaluations stay."""
    short = shortened(config, 2 * steps)
    training = replace(
        short.training,
        evaluate_every=config.training.evaluate_every,
        checkpoint_every=Duration(float(steps), "steps"),
        test=config.training.test,
    )
    return replace(short, training=training)


def _run(arguments: Sequence[str], wanted: int = 0) -> None:
    """Runs Python with these arguments to its end.

    Raises:
        UserError: if it ends with another exit code than the wanted one.
    """
    pipe = subprocess.PIPE
    child = subprocess.Popen([sys.executable, *arguments], stdout=pipe, stderr=pipe, text=True, errors="replace")

    def end_child(name: str) -> tuple[str, int]:
        child.kill()
        return f"{shown_name(name)}: stopped; what was trained so far is kept", code_of(name)

    with on_leaving(end_child):
        _, complaints = child.communicate()
    if child.returncode != wanted:
        last = "".join(f"\n  {line}" for line in complaints.strip().splitlines()[-5:])
        raise UserError(f"a training ended with exit code {child.returncode} by itself: {' '.join(arguments[1:])}{last}")


def _compared(run: Path, whole: Path, seconds: float) -> ResumedRun:
    (ours, progress), (theirs, their_progress) = read_last(run), read_last(whole)
    differing = [
        path
        for path in sorted(ours.keys() | theirs.keys())
        if path not in ours or path not in theirs or not _is_same(ours[path], theirs[path])
    ]
    if replace(progress, seconds={}) != replace(their_progress, seconds={}):
        differing.append("progress")
    if _records(run) != _records(whole):
        differing.append("metrics.jsonl")
    if read_summary(run).get("test") != read_summary(whole).get("test"):
        differing.append("test")
    return ResumedRun(run, seconds, len(ours), tuple(differing))


def _is_same(ours: Any, theirs: Any) -> bool:
    return bool(
        ours.dtype == theirs.dtype and ours.shape == theirs.shape and np.asarray(ours).tobytes() == np.asarray(theirs).tobytes()
    )


def _records(run: Path) -> list[dict[str, Any]]:
    return [{key: value for key, value in record.items() if key != "seconds"} for record in read_metrics(run)]
