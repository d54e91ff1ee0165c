"""Trains what the config describes, and leaves a run directory: `python -m experiments.train model=cnn data=cifar10`.

`nnjax.api.training_run` reads from top to bottom: devices, data, model, resume, training, test, figures. `nnjax.fit` is the
same from Python.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nnjax.api.drawing_beside import drawing_beside
from nnjax.api.program_reuse import reused_programs
from nnjax.api.sweep_data import DataHashes
from nnjax.api.sweep_survey import survey
from nnjax.cli import command
from nnjax.cli.code_version import loaded_code_version
from nnjax.cli.process import complain
from nnjax.cli.sweep_command import SweepCalls
from nnjax.config.schema import TrainConfig
from nnjax.reporting.sweep_progress import watched
from nnjax.reporting.sweep_table import show_sweep

_SWEEPS = SweepCalls(
    on_start=survey,
    watch=watched,
    data_hash=DataHashes(),
    beside=lambda: drawing_beside(lambda line: complain(f"warning: {line}")),
)


def main() -> None:
    """The command line."""
    command.run("train", TrainConfig, train, on_sweep_end=show_sweep, tell=_tell, sweep=_SWEEPS)


def _tell(code: int, message: str) -> None:
    from nnjax.api.cluster_run import tell_others

    tell_others(code, message)


def train(config: TrainConfig, run_dir: Path | None) -> Mapping[str, Any]:
    """Runs one experiment and returns its `summary.json`; raises what `nnjax.api.training_run.run_training` raises.

    Args:
        config: the experiment.
        run_dir: its folder; None in all but the first of several processes.
    """
    # A config error does not wait for what only a training needs.
    from nnjax.api.training_run import run_training
    from nnjax.reporting.console import RunConsole

    log, held = None if run_dir is None else run_dir / "train.log", run_dir is None or config.resume is not None
    # A sweep's jobs may follow one another in this process.
    with RunConsole(log, held=held, quiet=run_dir is None) as console, reused_programs(loaded_code_version):
        return run_training(config, run_dir, console).summary


if __name__ == "__main__":
    main()
