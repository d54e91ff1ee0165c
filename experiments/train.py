"""Trains what the config describes, and leaves a run directory: `python -m experiments.train model=cnn data=cifar10`.

`nnjax.api.training_run` reads from top to bottom: devices, data, model, resume, training, test, figures. `nnjax.fit` is the
same from Python.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nnjax.cli import command
from nnjax.config.schema import TrainConfig
from nnjax.reporting.sweep_table import show_sweep


def main() -> None:
    """The command line."""
    command.run("train", TrainConfig, train, on_sweep_end=show_sweep)


def train(config: TrainConfig, run_dir: Path) -> Mapping[str, Any]:
    """Runs one experiment and returns its `summary.json`; raises what `nnjax.api.training_run.run_training` raises."""
    # A config error does not wait for what only a training needs.
    from nnjax.api.training_run import run_training
    from nnjax.reporting.console import RunConsole

    with RunConsole(run_dir / "train.log", held=config.resume is not None) as console:
        return run_training(config, run_dir, console).summary


if __name__ == "__main__":
    main()
