"""The records that a run's folder holds from its beginning: config, session, plugins; and the lock while it is worked in.

with working_in(run_dir, config, origins):
    train(config, run_dir)
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nnjax.cli.compose import check
from nnjax.cli.plugins import note_plugins
from nnjax.cli.runs import locked, write_config
from nnjax.cli.sessions import begin_session
from nnjax.config.diagnostics import Origins
from nnjax.config.run_identity import begin_identity
from nnjax.config.schema import TrainConfig


@contextmanager
def working_in(run_dir: Path, config: object, origins: Origins) -> Iterator[None]:
    """Locks a folder, notes what is about to run in it, and checks that.

    Args:
        run_dir: the folder.
        config: any verb's config; a training's begins a session.
        origins: the place where each value was set.

    Raises:
        ConfigError: if another process works there, the config's values do not go together, or it would undo what is done.
    """
    with locked(run_dir):
        if isinstance(config, TrainConfig):
            begin_session(config, run_dir, origins)
            if config.resume is None:
                begin_identity(run_dir)
        write_config(config, run_dir)
        note_plugins(run_dir, config)
        check(config, origins)
        yield
