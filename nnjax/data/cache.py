"""Decoded images, kept as memory-mapped files, so that only the first start has to decode PNGs.

    decoded = cached("mnist-3.0.1-train", folder, lambda: decode_split(folder, "train", shape), echo=print)

An entry is three files in `$NNJAX_CACHE`, else `$XDG_CACHE_HOME/nnjax`, else `~/.cache/nnjax`: inputs and targets as .npy, and a
JSON that holds the CRC-32 of both and the sizes and times of the source files. An entry that does not fit, for whatever reason, is
made again; one that cannot be written is done without.
"""

import hashlib
import json
import os
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnjax.data.dataset import Split


@dataclass(frozen=True)
class Decoded:
    """A split as its source gives it.

    Attributes:
        inputs: [n, h, w, c] uint8.
        targets: [n] int32 class numbers.
        class_names: one a class.
    """

    inputs: NDArray[np.uint8]
    targets: NDArray[np.int32]
    class_names: tuple[str, ...]


def cache_directory() -> Path:
    """Where decoded data is kept."""
    if own := os.environ.get("NNJAX_CACHE"):
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "nnjax"


def cached(name: str, source: Path, decode: Callable[[], Decoded], echo: Callable[[str], None]) -> Decoded:
    """Gives what `decode` gives, from the cache if it can.

    Args:
        name: of dataset, version and split.
        source: folder whose files the data comes from; when one changes, the data is decoded again.
        decode: makes the data.
        echo: told, in a line, why data is decoded again or not cached.
    """
    place = hashlib.sha256(str(source.resolve()).encode()).hexdigest()[:8]
    entry = cache_directory() / f"{name}-{place}.json"
    fingerprint = {path.name: [path.stat().st_size, path.stat().st_mtime_ns] for path in sorted(source.iterdir())}
    try:
        return _load(entry, fingerprint)
    except FileNotFoundError:
        pass  # the first time
    except _StaleError:
        echo(f"{source} has changed: decoding it again")
    except (OSError, ValueError, KeyError, TypeError):
        echo(f"cached {entry.with_suffix('')} is damaged: decoding {name} again")
    decoded = decode()
    try:
        _save(entry, fingerprint, decoded)
        return _load(entry, fingerprint)
    except (OSError, ValueError) as error:
        echo(f"going on without a cache of {name}: {error}")
        return decoded


class _StaleError(Exception):
    """The source files are not those that the entry was made from."""


def _load(entry: Path, fingerprint: dict[str, Any]) -> Decoded:
    """Maps an entry into memory.

    Raises:
        FileNotFoundError: if there is no entry.
        _StaleError: if the source has changed.
        Exception: OSError, ValueError, KeyError or TypeError if the entry is damaged.
    """
    about = json.loads(entry.read_text())
    if about["source"] != fingerprint:
        raise _StaleError
    arrays = {}
    for part, checksum in about["crc32"].items():
        path = _array_path(entry, part)
        if not path.exists() or zlib.crc32(np.memmap(path, np.uint8, mode="r")) != checksum:
            raise ValueError(f"{path} is not what was written")
        arrays[part] = np.load(path, mmap_mode="r")
    return Decoded(arrays["inputs"], arrays["targets"], tuple(about["class_names"]))


def _save(entry: Path, fingerprint: dict[str, Any], decoded: Decoded) -> None:
    """Writes an entry, each file whole or not at all, and the JSON that vouches for them last."""
    entry.parent.mkdir(parents=True, exist_ok=True)
    checksums = {}
    for part in ("inputs", "targets"):
        buffer = io_bytes(getattr(decoded, part))
        checksums[part] = zlib.crc32(buffer)
        _write(_array_path(entry, part), buffer)
    about = {"source": fingerprint, "crc32": checksums, "class_names": decoded.class_names}
    _write(entry, json.dumps(about).encode())
