"""Measures the test split again, from a run's checkpoint: `python -m experiments.evaluate run=outputs/train/…`.

On the devices that the run had, the figures are exactly those of its `summary.json`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nnjax.config import command
from nnjax.config.schema import EvaluateConfig
from nnjax.reporting.console import RunConsole
from nnjax.reporting.summary import read_summary, write_json


def main() -> None:
    """The command line."""
    command.run("evaluate", EvaluateConfig, evaluate)


def evaluate(config: EvaluateConfig, run_dir: Path) -> Mapping[str, Any]:
    """Measures one checkpoint of a run; writes `evaluation.json` into the run's folder and returns what stands there.

    Raises:
        ConfigError: if the folder is no run, or the machine has not the devices that the run had.
        DataError: if the data or the checkpoint is missing or damaged.
    """
    run_config = command.read_run_config(run_dir)
    summary = read_summary(run_dir)
    with RunConsole(None) as console:
        from nnjax.data.load import load
        from nnjax.parallel.devices import select_devices
        from nnjax.training.checkpoints import Checkpoints
        from nnjax.training.experiment import set_up

        training = run_config.training
        devices = select_devices(run_config.parallel, (training.global_batch_size, training.eval_batch_size))
        dataset = load(run_config.data, echo=console.print)
        experiment, template = set_up(run_config, dataset, devices)
        checkpoints = Checkpoints(run_dir / "checkpoints")
        which = summary["tested_step"] if config.checkpoint == "tested" else config.checkpoint
        state, progress = checkpoints.restore(template, which)
        checkpoints.close()
        result = experiment.evaluate(experiment.parallel.replicate(state), dataset.test)
    return {}


if __name__ == "__main__":
    main()
