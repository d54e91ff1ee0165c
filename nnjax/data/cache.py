"""Decoded images, kept as memory-mapped files, so that only the first start has to decode PNGs.

    decoded = cached("mnist-3.0.1-train", folder, lambda: decode_split(folder, "train", spec), echo=print)

An entry is three files in `cache_directory()`: inputs and targets as .npy, and a JSON that holds the CRC-32 of both and of
itself, the size, time and CRC-32 of each source file, and the version of the decoder. An entry that does not match is made
again; if it cannot be written, the data is used without a cache. Checksums of the sources cost 10 ms (MNIST) to 40 ms (CIFAR)
per start; size and time alone would accept other contents that were copied with their times.
"""

import hashlib
import json
import mmap
import os
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from nnjax.config.errors import DataError
from nnjax.config.paths import cache_directory

# To be raised when the same files are decoded to other arrays or refused, or when the layout of an entry changes.
_DECODER = 3

# By file name: size, time of change, CRC-32.
Fingerprint = dict[str, list[int]]


@dataclass(frozen=True)
class Decoded:
    """A split as it is stored in its source.

    Attributes:
        inputs: [n, h, w, c] uint8.
        targets: [n] int32 class numbers.
        class_names: one per class.
    """

    inputs: NDArray[np.uint8]
    targets: NDArray[np.int32]
    class_names: tuple[str, ...]


def fingerprint(source: Path) -> Fingerprint:
    """Returns size, time and checksum of each file of a folder.

    Raises:
        OSError: if one cannot be read.
    """
    files = [path for path in sorted(source.iterdir()) if path.is_file()]
    return {path.name: [path.stat().st_size, path.stat().st_mtime_ns, _checksum(path)] for path in files}


def cached(
    name: str,
    source: Path,
    decode: Callable[[], Decoded],
    echo: Callable[[str], None],
    known: Fingerprint | None = None,
) -> Decoded:
    """Returns the result of `decode`, from the cache if possible.

    Args:
        name: dataset, version and split.
        source: folder whose files the data comes from; when one changes, the data is decoded again.
        decode: makes the data.
        echo: called with a line when data is decoded, when it is decoded again (and why), or when it cannot be cached.
        known: the source's `fingerprint`, if it was taken already.

    Raises:
        OSError: if the source cannot be read.
        DataError: if its files change while they are decoded.
    """
    current = fingerprint(source) if known is None else known
    place = hashlib.sha256(str(source.resolve()).encode()).hexdigest()[:8]
    entry = cache_directory() / f"{name}-{place}.json"
    try:
        return _load(entry, current)
    except (FileNotFoundError, NotADirectoryError):
        echo(f"decoding {name}: later starts find it in {entry.parent}")
    except _StaleError as reason:
        echo(f"{source} {reason}: decoding it again")
    except Exception:  # a damaged record raises exceptions of all kinds
        echo(f"{entry} or what belongs to it is damaged: decoding {name} again")
    decoded = decode()
    if fingerprint(source) != current:
        raise DataError(f"{source} changed while it was read: run this again when it is complete")
    try:
        _save(entry, current, decoded)
        return _load(entry, current)
    except (OSError, ValueError) as error:
        echo(f"continuing without a cache of {name}: {error}")
        return decoded


class _StaleError(Exception):
    """The entry is intact, but was made from other source files or by another decoder; the message says which."""


def _load(entry: Path, current: Fingerprint) -> Decoded:
    """Maps an entry into memory.

    Raises:
        FileNotFoundError: if there is no entry.
        _StaleError: if the source or the decoder has changed.
        Exception: of any kind if the entry is damaged.
    """
    about = json.loads(entry.read_text())
    if about["decoder"] != _DECODER:
        raise _StaleError("was decoded by another version of nnjax")
    if about.pop("record") != _record_checksum(about):
        raise ValueError(f"{entry} is not what was written")
    if about["source"] != current:
        raise _StaleError("has changed")
    arrays = {}
    for part, checksum in about["crc32"].items():
        path = _array_path(entry, part)
        if not path.exists() or _checksum(path) != checksum:
            raise ValueError(f"{path} is not what was written")
        arrays[part] = np.load(path, mmap_mode="r")
    return Decoded(arrays["inputs"], arrays["targets"], tuple(about["class_names"]))


def _save(entry: Path, current: Fingerprint, decoded: Decoded) -> None:
    """Writes an entry; the JSON with the arrays' checksums comes last."""
    entry.parent.mkdir(parents=True, exist_ok=True)
    checksums = {}
    arrays: dict[str, NDArray[Any]] = {"inputs": decoded.inputs, "targets": decoded.targets}
    for part, array in arrays.items():
        with _replacing(_array_path(entry, part)) as file:
            np.save(file, array, allow_pickle=False)
            file.flush()
            checksums[part] = _checksum(Path(file.name))
    about = {"decoder": _DECODER, "source": current, "crc32": checksums, "class_names": decoded.class_names}
    with _replacing(entry) as file:
        file.write(json.dumps(about | {"record": _record_checksum(about)}).encode())


@contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """Opens a file that is renamed to `path` once it is written, and removed if writing fails."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, suffix=".unfinished", delete=False) as file:
        unfinished = Path(file.name)
        try:
            yield file
            file.flush()
            unfinished.replace(path)
        except BaseException:
            unfinished.unlink()
            raise


def _array_path(entry: Path, part: str) -> Path:
    return entry.with_name(f"{entry.stem}-{part}.npy")


def _record_checksum(about: dict[str, Any]) -> int:
    """CRC-32 of an entry's JSON, independent of its layout."""
    return zlib.crc32(json.dumps(about, sort_keys=True).encode())


def _checksum(path: Path) -> int:
    """CRC-32 of a file."""
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size == 0:  # which cannot be mapped
            return 0
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return zlib.crc32(content)
