"""A training that kills itself with SIGKILL some time after a checkpoint, for `experiments.verify resume`.

    python -m nnjax.api.killed_training EXPERIMENT RUN STEP SECONDS [PLUGIN …]

EXPERIMENT holds a `config.yaml`, and RUN becomes the folder of the run. The process dies SECONDS after it wrote the first
checkpoint at or after STEP, and at the latest before it writes another one: so work is always lost, and the run is never over.
"""

import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nnjax.api.fitting import fit
from nnjax.cli.plugins import load_plugins
from nnjax.cli.runs import read_config
from nnjax.config.schema import TrainConfig


def main(experiment: Path, run: Path, step: int, seconds: float, plugins: Sequence[str]) -> None:
    """Trains until the kill."""
    load_plugins(plugins)
    from nnjax.training.checkpoints import Checkpoints

    save, armed = Checkpoints.save, threading.Event()

    def kill() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def save_or_die(self: Checkpoints, state: Any, progress: Any) -> None:
        if armed.is_set():
            kill()
        save(self, state, progress)
        if progress.step >= step:
            self.wait()
            armed.set()
            threading.Timer(seconds, kill).start()

    Checkpoints.save = save_or_die  # type: ignore[method-assign]
    fit(read_config(TrainConfig, experiment), run)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), sys.argv[5:])
