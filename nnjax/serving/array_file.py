"""One file of arrays and texts with a checksum, in the format of safetensors; read without trust in it, with NumPy alone.

    write_arrays(path, {"weights.output.bias": bias}, {"format": "…"})
    arrays, texts = read_arrays(path.read_bytes())         # raises ValueError if a single bit is another

A file is 8 bytes with the header's length, a header in JSON, and the arrays one behind the other, without gaps. So sizes are
bounded by the file, nothing is packed, and no name is a path. The last array, `sha256`, is the digest of every byte before
it; programs that read safetensors see it as one more array.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnjax.config.stored_files import parse_json, replaced

MOST_HEADER = 2**23
"""The largest header, in bytes."""

DIGEST = "sha256"
_DIGEST_BYTES = 32
_START = 8  # bytes of the header's length
_METADATA = "__metadata__"
_MOST_ARRAYS = 2**14
_MOST_BRACKETS = 2**17
_LONGEST_NAME = 500
_DTYPES = {"F32": "<f4", "I32": "<i4", "U32": "<u4", "F16": "<f2", "BF16": "bfloat16", "I8": "i1", "U8": "u1", "BOOL": "?"}


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]], texts: Mapping[str, str]) -> int:
    """Writes a file, whole or not at all, and waits until it is on disk.

    Args:
        path: of the file; one that is there is replaced.
        arrays: NumPy arrays of one of the types that a file can hold.
        texts: by name.

    Returns:
        The file's size in bytes.

    Raises:
        OSError: if it cannot be written; nothing is left behind.
        ValueError: for another type, or a name that is reserved.
    """
    # The widest types come first, so that each array begins at a multiple of its type's size.
    order = sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name))
    header: dict[str, Any] = {_METADATA: dict(texts)}
    end = 0
    for name in order:
        if name in (DIGEST, _METADATA):
            raise ValueError(f"{name}: is reserved")
        begin, end = end, end + arrays[name].nbytes
        header[name] = _entry(_code(name, arrays[name].dtype), arrays[name].shape, begin, end)
    header[DIGEST] = _entry("U8", (_DIGEST_BYTES,), end, end + _DIGEST_BYTES)
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > MOST_HEADER:
        raise ValueError(f"the header takes {len(text):,} bytes, and {MOST_HEADER:,} is the most")
    digest = hashlib.sha256()
    with replaced(path) as part, part.open("xb") as file:
        for piece in (len(text).to_bytes(_START, "little"), text, *(_bytes(arrays[name]) for name in order)):
            digest.update(piece)
            file.write(piece)
        file.write(digest.digest())
        return file.tell()


def read_arrays(data: bytes) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Reads the bytes of a file; the checksum comes first.

    Returns:
        The arrays, as views of `data`, and the texts.

    Raises:
        ValueError: in one line, for anything that `write_arrays` does not write.
    """
    length = header_length(data)
    if hashlib.sha256(memoryview(data)[:-_DIGEST_BYTES]).digest() != data[-_DIGEST_BYTES:]:
        raise ValueError("it is damaged: its checksum is not that of its bytes")
    try:
        header = read_json_text(data[_START : _START + length].decode())
    except ValueError as error:
        raise ValueError(f"its header is no JSON: {error}") from error
    if not isinstance(header, dict):
        raise ValueError("its header is no group of keys")
    texts = header.pop(_METADATA, {})
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
        raise ValueError("the metadata in its header are no texts")
    if len(header) > _MOST_ARRAYS:
        raise ValueError(f"it holds {len(header):,} arrays, and {_MOST_ARRAYS:,} is the most")
    arrays = dict(_arrays(header, memoryview(data)[_START + length :]))
    if DIGEST not in arrays or arrays.pop(DIGEST).nbytes != _DIGEST_BYTES or list(header)[-1] != DIGEST:
        raise ValueError("its last array is not its checksum")
    return arrays, texts


def header_length(data: bytes) -> int:
    """The length of the header in bytes.

    Raises:
        ValueError: for bytes that cannot be such a file.
    """
    length = int.from_bytes(data[:_START], "little")
    if len(data) < _START + _DIGEST_BYTES or data[_START : _START + 1] != b"{":
        raise ValueError("it has no header")
    if length > min(MOST_HEADER, len(data) - _START - _DIGEST_BYTES):
        raise ValueError(f"its header claims {length:,} bytes")
    return length


def read_json_text(text: str) -> Any:
    """Reads JSON within bounds on memory: an empty list takes thirty times the memory of its two letters.

    Raises:
        ValueError: for text that is no JSON, has very many lists, is nested deeply, or holds a key twice.
    """
    if text.count("[") + text.count("{") > _MOST_BRACKETS:
        raise ValueError("it has too many brackets")
    return parse_json(text)


def _arrays(header: Mapping[str, Any], data: memoryview) -> Iterator[tuple[str, NDArray[Any]]]:
    """The arrays, which must fill the data in the header's order."""
    place = 0
    for name, entry in header.items():
        if len(name) > _LONGEST_NAME or not name.isprintable():
            raise ValueError("the name of an array is too long, or not printable")
        match entry:
            case {"dtype": str(code), "shape": list(shape), "data_offsets": [int(begin), int(end)]} if len(entry) == 3:
                pass
            case _:
                raise ValueError(f"{name}: must have a dtype, a shape and two offsets")
        if code not in _DTYPES:
            raise ValueError(f"{name}: the type {code[:20]!r} is not one of {', '.join(_DTYPES)}")
        if len(shape) > 8 or not all(type(size) is int and 0 <= size <= len(data) for size in shape):
            raise ValueError(f"{name}: its shape is not possible")
        dtype = _dtype(code)
        if (begin, end) != (place, place + math.prod(shape) * dtype.itemsize) or end > len(data):
            raise ValueError(f"{name}: its place in the file does not fit its shape, or leaves a gap")
        place = end
        if code == "BOOL" and np.frombuffer(data[begin:end], np.uint8).max(initial=0) > 1:
            raise ValueError(f"{name}: holds a truth value that is neither 0 nor 1")
        yield name, np.frombuffer(data[begin:end], dtype).reshape(shape)
    if place != len(data):
        raise ValueError("bytes follow the last array")


def _entry(code: str, shape: tuple[int, ...], begin: int, end: int) -> dict[str, Any]:
    return {"dtype": code, "shape": list(shape), "data_offsets": [begin, end]}


def _code(name: str, dtype: np.dtype[Any]) -> str:
    if dtype.name == "bfloat16":
        return "BF16"
    for code, text in _DTYPES.items():
        if code != "BF16" and dtype == np.dtype(text):
            return code
    raise ValueError(f"{name}: a file cannot hold {dtype}; only {', '.join(_DTYPES)}")


def _dtype(code: str) -> np.dtype[Any]:
    if code == "BF16":  # NumPy has none of its own; networks of bfloat16 parameters are rare
        import jax.numpy as jnp

        found: np.dtype[Any] = np.dtype(jnp.bfloat16)
        return found
    return np.dtype(_DTYPES[code])


def _bytes(array: NDArray[Any]) -> bytes:
    return np.ascontiguousarray(array).tobytes()
