"""Files of a run that cannot be written: a full disk, one that is read-only now, a folder that vanished; each in one line.

with writing(run_dir / "metrics.jsonl"):
    file.write(line)
# StorageError: outputs/…/metrics.jsonl: cannot be written: No space left on device; 0 bytes are free
check_in_place(run_dir / "metrics.jsonl", file)      # somebody removed the folder, and the open file would keep silent
check_free(run_dir, 12_000_000, "the first checkpoint")
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from nnjax.config.errors import StorageError
from nnjax.config.paths import shown_path


@contextmanager
def writing(path: Path, size: int | None = None) -> Iterator[None]:
    """Turns a system error while a file is written into one line.

    Args:
        path: of the file.
        size: bytes that it needs; None if unknown.

    Raises:
        StorageError: names the file, the reason, the space that is needed, and the space that is free.
    """
    try:
        yield
    except OSError as error:
        raise StorageError(f"{shown_path(path)}: cannot be written: {error.strerror or error}{_space(path, size)}") from error


def check_in_place(path: Path, file: IO[Any]) -> None:
    """Checks that an open file still is the one at its path: a write to a file that was removed does not fail.

    Raises:
        StorageError: if it was removed, or another file is there.
    """
    try:
        state, own = path.stat(), os.fstat(file.fileno())
    except OSError as error:
        raise StorageError(
            f"{shown_path(path)}: is gone while the run writes to it: {error.strerror}; the run's folder must stay"
        ) from error
    if (state.st_dev, state.st_ino) != (own.st_dev, own.st_ino):
        raise StorageError(f"{shown_path(path)}: is another file than the one that this run writes; two runs in one folder?")


def check_free(folder: Path, size: int, what: str, advice: str = "free some space, or choose another hydra.run.dir") -> None:
    """Checks that a folder's file system has room.

    Args:
        folder: where it is to be written.
        size: bytes that it needs.
        what: needs them.
        advice: what to do.

    Raises:
        StorageError: if fewer bytes are free.
    """
    free = free_bytes(folder)
    if free is not None and free < size:
        raise StorageError(f"{shown_path(folder)}: {size_text(free)} are free, and {what} needs {size_text(size)}; {advice}")


def free_bytes(folder: Path) -> int | None:
    """Bytes that are free for this user in a folder's file system; None where it does not say."""
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return None
    return usage.free if usage.total else None


def size_text(size: int) -> str:
    """Writes a size in powers of 1000: ``"24.3 GB"``."""
    from humanize import naturalsize

    return naturalsize(size).replace("Bytes", "bytes").replace("Byte", "byte")


def _space(path: Path, size: int | None) -> str:
    needed = "" if size is None else f"; {size_text(size)} are needed"
    free = free_bytes(path.parent)
    return needed + ("" if free is None else f"; {size_text(free)} are free")
