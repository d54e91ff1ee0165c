"""Opens the step at which a run diverged, to repeat it.

    with opened_step("outputs/train/2026-11-23/14-05-09_cnn_digits") as replay:
        state, loss = replay.take()
        replay.cause()

`experiments.autopsy` and the script that it writes both open it so. The dataset is not read.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from nnjax.api.jax_session import jax_session
from nnjax.cli.plugins import load_plugins
from nnjax.cli.runs import find_run, read_config
from nnjax.config.diagnostics import NO_ORIGINS
from nnjax.config.schema import TrainConfig

if TYPE_CHECKING:
    from nnjax.training.autopsy import Replay


@contextmanager
def opened_step(run: str | Path, plugins: Sequence[str] = (), warn: Callable[[str], None] = print) -> "Iterator[Replay]":
    """Yields the kept step of a run; JAX computes as in the run while the context is open.

    Args:
        run: the run's folder.
        plugins: files that register its options.
        warn: called with a line about each setting of the environment that is not followed.

    Raises:
        ConfigError: if there is no run.
        DataError: if it kept no step, or the files are damaged.
    """
    load_plugins(plugins)
    folder = find_run(str(run), "run", NO_ORIGINS)
    config = read_config(TrainConfig, folder)
    with jax_session(warn):
        import jax

        from nnjax.api.kept_divergence import FOLDER
        from nnjax.parallel.compilation import keep_compiled
        from nnjax.training.autopsy import Replay, experiment_of, prepared
        from nnjax.training.diverged_files import read_about, read_diverged

        keep_compiled(warn)
        about = read_about(folder / FOLDER)
        own = prepared(config, about["seed"], about["learning_rate"])
        device = jax.local_devices(backend="cpu")[0]
        found = read_diverged(folder / FOLDER, lambda spec: experiment_of(own, spec, device, *_plain(spec.input_shape[-1]))[1])
        yield Replay(experiment_of(own, found.spec, device, found.mean, found.std)[0], found)


def _plain(channels: int) -> tuple[object, object]:
    """A mean of 0 and a standard deviation of 1."""
    import numpy as np

    return np.zeros(channels, np.float32), np.ones(channels, np.float32)
