"""The file of a checkpoint: arrays by name, training progress and the metrics so far, under a name with their checksum.

    path = write_checkpoint(folder, arrays, Notes(progress, run_id="6f1c…", data_hash="9e0d…"), records=b"…")
    path.name                                  # "60-3f9a0c1d2b4e5f60.safetensors"
    read_checkpoint(path).arrays               # raises DamagedError if a single bit is another

The format is that of safetensors, which other programs read, too. The name holds the step and the first 64 bits of the SHA-256
of the whole file, so arrays, metadata and name vouch for each other. A file appears under its name when it is complete and on
disk, and is never changed afterwards. This module needs NumPy, but no JAX.
"""

import hashlib
import json
import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from nnjax.config.checkpoint_names import FILE
from nnjax.config.errors import DataError
from nnjax.training.training_progress import TrainingProgress

FORMAT = 1
_NOTES, _RECORDS = "nnjax", "metrics.jsonl"  # the metadata's key, and the name of an array; paths of arrays begin with a dot
_MOST_RECORDS = 2**30  # bytes; a forged array may unfold to more than memory holds
_PART = ".writing-"


class DamagedError(DataError):
    """A checkpoint that is not what was written, or not of this run.

    Attributes:
        path: the file or folder.
        reason: what is wrong with it.
        is_foreign: whether it is another run's, and otherwise in order.
    """

    def __init__(self, path: Path, reason: str, *, is_foreign: bool = False) -> None:
        super().__init__(f"{path}: cannot be read: {reason}")
        self.path, self.reason, self.is_foreign = path, reason, is_foreign


@dataclass(frozen=True)
class Notes:
    """What a checkpoint holds besides its arrays.

    Attributes:
        progress: training progress at its step.
        run_id: of the run that wrote it; None if unknown.
        data_hash: of the dataset that the run trains on; None if unknown.
        number: counts the checkpoints of a run; of two at one step, the later one has the greater number.
    """

    progress: TrainingProgress
    run_id: str | None = None
    data_hash: str | None = None
    number: int = 0


@dataclass(frozen=True)
class Saved:
    """A checkpoint, read.

    Attributes:
        path: its file, or its folder for a version up to 0.2.
        notes: everything but the arrays.
        arrays: by path in the state, such as ``.params['conv_1']['kernel']``.
        records: the lines of metrics.jsonl so far; None in a version up to 0.2.
    """

    path: Path
    notes: Notes
    arrays: Mapping[str, Any]
    records: bytes | None


def write_checkpoint(folder: Path, arrays: Mapping[str, Any], notes: Notes, records: bytes) -> Path:
    """Writes a checkpoint, whole or not at all, and waits until it is on disk.

    Args:
        folder: an existing folder.
        arrays: NumPy arrays by name.
        notes: everything else.
        records: the lines of metrics.jsonl so far.

    Raises:
        OSError: if it cannot be written; nothing is left behind.
    """
    import numpy as np
    from safetensors.numpy import save

    values = {
        "format": FORMAT,
        "progress": notes.progress.to_json(),
        "run_id": notes.run_id,
        "data_hash": notes.data_hash,
        "number": notes.number,
        "nnjax": _version(),
    }
    # safetensors reads the memory of an array from its beginning to its end, whatever its strides.
    packed = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    packed[_RECORDS] = np.frombuffer(zlib.compress(records, 1), np.uint8)
    data = save(packed, {_NOTES: json.dumps(values)})
    path = folder / f"{notes.progress.step}-{_short(hashlib.sha256(data).hexdigest())}.safetensors"
    part = folder / f"{_PART}{os.getpid()}"
    part.unlink(missing_ok=True)
    try:
        with part.open("xb") as file:  # x: follows no link
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    _sync(folder)
    return path


def remove_parts(folder: Path) -> None:
    """Deletes files that a killed process left half-written."""
    for part in folder.glob(f"{_PART}*"):
        part.unlink(missing_ok=True)


def read_notes(path: Path) -> Notes:
    """Everything but the arrays, read quickly and without the checksum.

    Raises:
        DamagedError: if the file or its name has another form.
    """
    with _reading(path) as file:
        return _notes(path, file.metadata())


def read_checkpoint(path: Path) -> Saved:
    """Reads a checkpoint and verifies all of it.

    Raises:
        DamagedError: if a bit of the file or of its name is not as it was written.
    """
    verify_checksum(path)
    with _reading(path) as file:
        notes = _notes(path, file.metadata())
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no mapping)
    return Saved(path, notes, arrays, _unpacked(path, arrays.pop(_RECORDS, None)))


def verify_checksum(path: Path) -> None:
    """Compares a whole file with the checksum in its name.

    Raises:
        DamagedError: if they do not agree.
    """
    match = FILE.fullmatch(path.name)
    if match is None:
        raise DamagedError(path, "it is a checkpoint under a changed name")
    _check_regular(path)
    try:
        with path.open("rb") as file:
            found = _short(hashlib.file_digest(file, "sha256").hexdigest())
    except OSError as error:
        raise DamagedError(path, error.strerror or str(error)) from error
    if found != match[2]:
        raise DamagedError(path, f"it is damaged; its checksum is {found}, and its name says {match[2]}")


def is_renamed(path: Path) -> bool:
    """Whether a file is a checkpoint, although its name is not one's."""
    if FILE.fullmatch(path.name) or path.name.startswith((_PART, "damaged-")) or not path.is_file():
        return False
    try:
        with _reading(path) as file:
            return _NOTES in (file.metadata() or {})
    except DamagedError:
        return False


def _check_regular(path: Path) -> None:
    if path.exists() and not path.is_file():  # to open a pipe may take for ever
        raise DamagedError(path, "it is no regular file")


@contextmanager
def _reading(path: Path) -> Iterator[Any]:
    """Opens a file of safetensors; whatever is wrong with it becomes a DamagedError."""
    from safetensors import SafetensorError, safe_open

    _check_regular(path)
    try:
        with safe_open(path, framework="np") as file:
            yield file
    except DataError:
        raise
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedError(path, (str(error) or type(error).__name__).partition("\n")[0]) from error


def _notes(path: Path, texts: Mapping[str, str] | None) -> Notes:
    match = FILE.fullmatch(path.name)
    if match is None:
        raise DamagedError(path, "it is a checkpoint under a changed name")
    try:
        values = json.loads((texts or {})[_NOTES])
        if values["format"] > FORMAT:
            raise DataError(f"{path}: was written by nnjax {values['nnjax']}, and this version is too old to read it")
        progress = TrainingProgress.from_json(values["progress"])
        for name in ("run_id", "data_hash"):
            if not isinstance(values[name], str | None):
                raise ValueError(f"{name} must be a text")
        if type(values["number"]) is not int:
            raise ValueError("number must be a whole number")
        notes = Notes(progress, values["run_id"], values["data_hash"], values["number"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedError(path, f"its metadata is no checkpoint's ({type(error).__name__}: {error})") from error
    if notes.progress.step != int(match[1]):
        raise DamagedError(path, f"its name says step {match[1]}, and its content is of step {notes.progress.step}")
    return notes


def _unpacked(path: Path, packed: Any) -> bytes:
    """The lines of metrics.jsonl from their array."""
    if packed is None:
        raise DamagedError(path, f"it holds no {_RECORDS}")
    try:
        unpacking = zlib.decompressobj()
        records = unpacking.decompress(packed.tobytes(), _MOST_RECORDS)
    except zlib.error as error:
        raise DamagedError(path, f"its {_RECORDS} cannot be unpacked ({error})") from error
    if not unpacking.eof:
        raise DamagedError(path, f"its {_RECORDS} is longer than {_MOST_RECORDS:,} bytes")
    return records


def _short(digest: str) -> str:
    return digest[:16]


def _version() -> str:
    try:
        return metadata.version("nnjax")
    except metadata.PackageNotFoundError:
        return "unknown"


def _sync(folder: Path) -> None:
    """Waits until the names in a folder are on disk; not every file system and system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
