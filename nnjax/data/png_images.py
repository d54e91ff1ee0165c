"""Decodes many small PNG files of one shape at a time.

decode_together(files, (32, 32, 3))       # [n, 32, 32, 3] uint8, or None

Pillow spends 100 microseconds of Python on a file, whatever its size. A PNG file is a compressed list of rows, each a
difference from its neighbours or from the row above (ISO/IEC 15948, chapters 9 and 10), so the rows of many files make one
tall image, which Pillow decodes at once. A row of zeros before each file's own takes the place of the row above its first.
MNIST is decoded in a quarter of the time so, CIFAR-10 in half of it.
"""

import io
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER = struct.Struct(">IIBBBBB")
_COLOUR_TYPES = {1: 0, 3: 2}  # by the number of channels


def decode_together(files: Sequence[bytes], shape: tuple[int, ...]) -> NDArray[np.uint8] | None:
    """Decodes PNG files of 8-bit grey or RGB pixels.

    Args:
        files: as on a disk.
        shape: (h, w, c) of each image.

    Returns:
        [n, h, w, c]; None if a file is damaged, has another shape, or holds more than pixels, such as a palette.
    """
    from PIL import Image

    height, width, channels = shape
    if channels not in _COLOUR_TYPES:
        return None
    header = _HEADER.pack(width, height, 8, _COLOUR_TYPES[channels], 0, 0, 0)
    size = height * (1 + width * channels)
    zeros = bytes(1 + width * channels)
    rows: list[bytes] = []
    for file in files:
        own = _rows(file, header, size)
        if own is None:
            return None
        rows += zeros, own
    tall = _HEADER.pack(width, len(files) * (height + 1), 8, _COLOUR_TYPES[channels], 0, 0, 0)
    chunks = (b"IHDR", tall), (b"IDAT", zlib.compress(b"".join(rows), 0)), (b"IEND", b"")
    try:
        with Image.open(io.BytesIO(_SIGNATURE + b"".join(_chunk(*each) for each in chunks)), formats=("PNG",)) as image:
            pixels = np.asarray(image)
    except (OSError, SyntaxError):  # a row of an unknown kind
        return None
    return pixels.reshape(len(files), height + 1, width, channels)[:, 1:]


def _rows(file: bytes, header: bytes, size: int) -> bytes | None:
    """The decompressed rows of a file; None if it is not what is expected."""
    if file[:8] != _SIGNATURE:
        return None
    place, chunks = 8, []
    while place + 12 <= len(file):
        length = int.from_bytes(file[place : place + 4])
        end = place + 8 + length
        if zlib.crc32(file[place + 4 : end]) != int.from_bytes(file[end : end + 4]):
            return None
        chunks.append((file[place + 4 : place + 8], file[place + 8 : end]))
        place = end + 4
    kinds = [kind for kind, _ in chunks]
    if place != len(file) or kinds != [b"IHDR", *[b"IDAT"] * (len(kinds) - 2), b"IEND"] or chunks[0][1] != header:
        return None
    decompressor = zlib.decompressobj()
    try:
        rows = decompressor.decompress(b"".join(data for _, data in chunks[1:-1]), size + 1)  # no more than one byte too many
    except zlib.error:
        return None
    return rows if len(rows) == size and decompressor.eof else None


def _chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)
