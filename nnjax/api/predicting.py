"""A run's network as a model that answers, for `experiments.predict`, the export and the server.

    with jax_session(console.warn):
        model = model_of_run(run, "tested", "auto", console)
        model.answer(inputs)

One device computes, whatever the run was trained on.
"""

from pathlib import Path

from nnjax.api.opened_run import Checkpoint
from nnjax.config.parallel_options import MemoryLimit
from nnjax.reporting.console import RunConsole
from nnjax.serving.model import Model


def model_of_run(run: Path, checkpoint: Checkpoint, memory_limit: MemoryLimit, console: RunConsole) -> Model:
    """Makes a model of a run's checkpoint; inside of `jax_session`.

    Args:
        run: the run's folder.
        checkpoint: which; see `nnjax.load_run`.
        memory_limit: as `parallel.memory_limit`.
        console: receives notices of slow or unusual events.

    Raises:
        ConfigError: if the config is damaged, or the network needs more memory than there is.
        DataError: if the data or the checkpoint is missing or damaged.
    """
    raise NotImplementedError
