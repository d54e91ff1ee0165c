"""The file of a search: Optuna's journal, which several processes append to, and which a kill at any moment leaves readable.

storage = JournalStorage(JournalFile(run_dir / "journal.log"))

Each line is an entry in JSON. Optuna's own file backend is not used for two reasons: a process that is killed while it writes
leaves half a line, to which the next one would append; and its lock is a file, which outlives a killed process for half a
minute. Here the half line is cut off before the next entry, and the operating system releases the lock. The form of the file
is Optuna's, and its dashboard reads it.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from optuna.storages.journal import BaseJournalBackend

from nnjax.config.errors import DataError, StorageError
from nnjax.config.paths import shown_path, why

if sys.platform != "win32":  # where one process searches alone
    import fcntl


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Waits for a lock that one process at a time holds; the operating system releases it if the process is killed.

    Args:
        path: the lock's file, made if it is not there.

    Raises:
        StorageError: if the file cannot be made.
    """
    try:
        number = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise StorageError(f"{shown_path(path)}: cannot be written: {why(error)}") from error
    try:
        if sys.platform != "win32":
            with suppress(OSError):  # a file system without locks
                fcntl.flock(number, fcntl.LOCK_EX)
        yield
    finally:
        os.close(number)


class JournalFile(BaseJournalBackend):
    """Optuna's entries, one a line, in a file.

    Args:
        path: the file; made if it is not there. The lock is a file beside it, `journal.lock`.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, path.with_suffix(".lock")
        self._ends = [0]  # where the first so many entries end, in bytes
        try:
            path.touch()
        except OSError as error:
            raise StorageError(f"{shown_path(path)}: cannot be written: {why(error)}") from error

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Yields the whole entries, counted from 0, from this one on.

        Raises:
            DataError: for a damaged line.
        """
        known = min(log_number_from, len(self._ends) - 1)
        try:
            with self._path.open("rb") as file:
                file.seek(self._ends[known])
                content = file.read()
        except OSError as error:
            raise DataError(f"{shown_path(self._path)}: cannot be read: {why(error)}") from error
        lines = content.split(b"\n")[:-1]  # what follows the last line's end is being written, or was by a killed process
        end = self._ends[known]
        for number, line in enumerate(lines, start=known):
            end += len(line) + 1
            if number + 1 == len(self._ends):
                self._ends.append(end)
            if number < log_number_from:
                continue
            try:
                entry = json.loads(line)
                if not isinstance(entry, dict):
                    raise ValueError("no entry")
            except ValueError as error:
                raise DataError(f"{shown_path(self._path)}:{number + 1}: is damaged; start a new search") from error
            yield entry

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Appends entries, and returns once they are on the disk.

        Raises:
            StorageError: if they cannot be written.
        """
        lines = "".join(json.dumps(entry, separators=(",", ":")) + "\n" for entry in logs).encode()
        try:
            with exclusive(self._lock), self._path.open("r+b") as file:
                file.truncate(_end_of_last_line(file, file.seek(0, os.SEEK_END)))
                file.seek(0, os.SEEK_END)
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StorageError(f"{shown_path(self._path)}: cannot be written: {why(error)}") from error


def _end_of_last_line(file: Any, size: int, block: int = 4096) -> int:
    """The position after the last line's end: the size of the file, unless a process was killed while it wrote."""
    while size > 0:
        start = max(0, size - block)
        file.seek(start)
        found = file.read(size - start).rfind(b"\n")
        if found >= 0:
            return int(start + found + 1)
        size = start
    return 0
