"""Decodes PNG and JPEG files of one shape.

images = decode_images(files, (32, 32, 3), first=0, what="of split train")     # [n, 32, 32, 3] uint8
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from nnjax.data.png_images import decode_together


def decode_images(files: Sequence[bytes], shape: tuple[int, ...], first: int = 0, what: str = "") -> NDArray[np.uint8]:
    """Decodes image files.

    Args:
        files: as on a disk.
        shape: (h, w, c) of each image.
        first: the number of the first file's example.
        what: the examples, in words, for an error.

    Raises:
        ValueError: for the first that is damaged or does not fit the shape.
    """
    images = decode_together(files, shape)
    if images is not None:
        return images
    decoded = []
    for index, file in enumerate(files, start=first):  # JPEG, or to find what is wrong with which
        with named(index, what):
            decoded.append(_decode_image(file, shape))
    return np.stack(decoded)


@contextmanager
def named(index: int, what: str) -> Iterator[None]:
    """Names the example in a ValueError."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"example {index} {what}: {error}") from error


def _decode_image(encoded: bytes, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(encoded), formats=("PNG", "JPEG")) as image:
            pixels, mode = np.asarray(image), image.mode
    except (OSError, SyntaxError) as error:  # SyntaxError: raised by Pillow for a broken PNG
        raise ValueError("its image is no PNG or JPEG, or is damaged") from error
    due = {1: "L", 3: "RGB"}[shape[-1]]
    if mode != due or pixels.shape[:2] != shape[:2]:  # a palette or 16 bits would give other numbers
        raise ValueError(f"its image is {mode} {pixels.shape}, where {due} {shape} is due")
    return pixels.reshape(shape)
