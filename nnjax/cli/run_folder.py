"""The records that a run's folder holds from its beginning: config, session, plugins.

with locked(run_dir), working_in(run_dir, config, origins):
    train(config, run_dir)         # a resumed run calls begin_records(config, run_dir) once data and checkpoint fit it

A new run's records are written at once. Those of a resumed run change only when nothing can refuse the resume any more; each is
written whole or not at all, and the config last but one: whatever a kill leaves can be resumed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nnjax.checks.verb_checks import check
from nnjax.cli.folder_contents import check_contents
from nnjax.cli.plugins import note_plugins
from nnjax.cli.runs import write_config
from nnjax.cli.sessions import begin_session, check_session
from nnjax.config.diagnostics import Origins
from nnjax.config.run_identity import begin_identity
from nnjax.config.schema import TrainConfig


@contextmanager
def working_in(run_dir: Path, config: object, origins: Origins) -> Iterator[None]:
    """Checks what is about to run in a folder, and notes a new run there.

    Args:
        run_dir: the folder, which this process has locked.
        config: any verb's config.
        origins: the place where each value was set.

    Raises:
        ConfigError: if a file in the folder is none of its own, the values do not go together, or they would undo what is done.
    """
    check_contents(run_dir)
    if isinstance(config, TrainConfig) and config.resume is not None:
        check_session(config, run_dir, origins)
    else:
        begin_records(config, run_dir)
    check(config, origins)
    yield


def begin_records(config: object, run_dir: Path) -> None:
    """Writes the records of a new run, or of a new session of a resumed one."""
    if isinstance(config, TrainConfig):
        begin_session(config, run_dir)
        if config.resume is None:
            begin_identity(run_dir)
    write_config(config, run_dir)
    note_plugins(run_dir, config)
