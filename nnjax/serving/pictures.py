"""Opens a person's picture, with bounds on its bytes and pixels, and without trust in it.

    picture = open_picture(Path("photo.jpg"))              # or its bytes
    picture.mode, picture.size                             # ("RGB", (1512, 2016)), upright, on white

The header is read first: a small file that claims more pixels than the limit is refused before it is decoded.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image

from nnjax.config.errors import DataError

Fault = Literal["too large", "unsupported", "damaged"]


class PictureError(DataError):
    """A picture that is refused.

    Attributes:
        fault: "too large" in bytes or pixels; "unsupported", no picture in one of the formats; or "damaged".
    """

    def __init__(self, message: str, fault: Fault) -> None:
        super().__init__(message)
        self.fault = fault


@dataclass(frozen=True)
class PictureLimits:
    """What a picture may be.

    Attributes:
        max_bytes: of the file.
        max_pixels: width × height, decoded.
    """

    max_bytes: int = 32 * 2**20
    max_pixels: int = 64 * 10**6


DEFAULT_LIMITS = PictureLimits()


def open_picture(source: bytes | Path, limits: PictureLimits = DEFAULT_LIMITS, name: str | None = None) -> Image.Image:
    """Reads a PNG, JPEG, BMP, GIF or WebP.

    Args:
        source: the file's bytes or its path.
        limits: on bytes and pixels.
        name: of the picture in errors; by default the path, or "the picture".

    Returns:
        The picture with 8 bits a channel, of mode "L" (grey) or "RGB"; upright by its EXIF orientation, transparent parts on
        white, of an animation the first frame.

    Raises:
        PictureError: in one line: for a path that cannot be read, another format, a limit passed, or damage.
    """
    raise NotImplementedError
