"""One process at a time works in a run's folder.

with locked(run_dir):
    train(config, run_dir)
in_use_elsewhere(run_dir)                        # while another process does that: True
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nnjax.config.errors import ConfigError
from nnjax.config.paths import reaching, shown_path

if sys.platform != "win32":
    import fcntl

_held: set[Path] = set()  # the folders that this process has locked


@contextmanager
def locked(run_dir: Path) -> Iterator[None]:
    """Locks a folder for this process; the operating system releases it at the end of the process. No lock on Windows.

    Raises:
        ConfigError: if another process works in it.
    """
    # Not truncated, which would change its time: a refused resume leaves everything as it was.
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with reaching("", run_dir, "cannot be written to"):
        lock = os.open(run_dir / ".lock", flags, 0o666)
    with os.fdopen(lock, "r+b", buffering=0) as file:
        if sys.platform != "win32":
            try:
                _take(file.fileno())
            except BlockingIOError as error:
                raise ConfigError(f"{shown_path(run_dir)}: is in use by another process; wait until that ends") from error
            except OSError:
                pass  # a file system without locks
        _held.add(run_dir)
        try:
            yield
        finally:
            _held.discard(run_dir)


def in_use_elsewhere(run_dir: Path) -> bool:
    """Whether another process has locked a folder."""
    if run_dir in _held or sys.platform == "win32":
        return False
    try:
        number = os.open(run_dir / ".lock", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(number, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: two commands that ask at once do not see each other
    except BlockingIOError:
        return True
    except OSError:
        return False  # a file system without locks
    finally:
        os.close(number)
    return False


def _take(number: int) -> None:
    """Locks a file; tries again, since a command that asks `in_use_elsewhere` holds it for an instant."""
    for pause in (0.001, 0.01, 0.1):
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(pause)
        else:
            return
    fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
