"""Opens a person's picture, with bounds on its bytes and pixels, and without trust in it.

    picture = open_picture(Path("photo.jpg"))              # or its bytes
    picture.mode, picture.size                             # ("RGB", (1512, 2016)), upright, on white

The header is read first: a small file that claims more pixels than the limit is refused before it is decoded. Only the decoders
of five formats are ever called. A PNG carries checksums, and each is verified; in the other formats a flipped bit may pass as
another colour, but a file that was cut off is refused in all of them.
"""

import math
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import BmpImagePlugin, GifImagePlugin, Image, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from nnjax.config.errors import DataError
from nnjax.config.paths import shown_path

Fault = Literal["too large", "unsupported", "damaged", "missing"]


class PictureError(DataError):
    """A picture that is refused.

    Attributes:
        fault: "too large" in bytes or pixels; "unsupported", no picture in one of the formats; "damaged"; or "missing", a path
            that cannot be read.
    """

    def __init__(self, message: str, fault: Fault) -> None:
        super().__init__(message)
        self.fault = fault


@dataclass(frozen=True)
class PictureLimits:
    """What a picture may be.

    Attributes:
        max_bytes: of the file.
        max_pixels: width × height. Decoding takes up to 16 bytes for each.
    """

    max_bytes: int = 32 * 2**20
    max_pixels: int = 64 * 10**6


DEFAULT_LIMITS = PictureLimits()
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WebP")

# The first bytes of each format, and its decoder; without Image.open, which tries others too and warns of large pictures.
_DECODERS: tuple[tuple[bytes, str, Callable[[BytesIO], Image.Image]], ...] = (
    (b"\x89PNG\r\n\x1a\n", "PNG", PngImagePlugin.PngImageFile),
    (b"\xff\xd8\xff", "JPEG", JpegImagePlugin.JpegImageFile),
    (b"BM", "BMP", BmpImagePlugin.BmpImageFile),
    (b"GIF8", "GIF", GifImagePlugin.GifImageFile),
    (b"RIFF", "WebP", WebPImagePlugin.WebPImageFile),
)
_OTHERS = ((b"\x00\x00\x01\x00", "ICO"), (b"II*\x00", "TIFF"), (b"MM\x00*", "TIFF"), (b"%PDF", "PDF"), (b"<", "SVG or HTML"))
_ORIENTATION = 0x0112
_TURNS = {
    2: (Image.Transpose.FLIP_LEFT_RIGHT,),
    3: (Image.Transpose.ROTATE_180,),
    4: (Image.Transpose.FLIP_TOP_BOTTOM,),
    5: (Image.Transpose.TRANSPOSE,),
    6: (Image.Transpose.ROTATE_270,),
    7: (Image.Transpose.TRANSVERSE,),
    8: (Image.Transpose.ROTATE_90,),
}
_ENOUGH = 1200  # pixels a side: a JPEG of twice as many is decoded at half its size, in a fourth of the memory


def open_picture(source: bytes | Path, limits: PictureLimits = DEFAULT_LIMITS, name: str | None = None) -> Image.Image:
    """Reads a PNG, JPEG, BMP, GIF or WebP.

    Args:
        source: the file's bytes or its path.
        limits: on bytes and pixels.
        name: of the picture in errors; by default the path, or "the picture".

    Returns:
        The picture with 8 bits a channel, of mode "L" (grey) or "RGB"; upright by its EXIF orientation; of an animation the
        first frame. Transparent parts are white, or black if all that can be seen is white. A large JPEG comes at a half, a
        quarter or an eighth of its size, with at least 1200 pixels a side.

    Raises:
        PictureError: in one line: for a path that cannot be read, another format, a limit passed, or damage.
    """
    name = name or (shown_path(source) if isinstance(source, Path) else "the picture")
    data = _read(source, limits, name) if isinstance(source, Path) else source
    if len(data) > limits.max_bytes:
        raise PictureError(f"{name}: holds {len(data):,} bytes; must be at most {limits.max_bytes:,}", "too large")
    found = _decoder(data)
    if found is None:
        raise PictureError(f"{name}: {_what(data)}; must be one of {', '.join(FORMATS)}", "unsupported")
    kind, decode = found
    if kind == "WebP":  # its decoder takes memory for the whole picture at once
        _check_size(_webp_size(data, name), limits, name)
    with _damage_in(name, kind):
        if kind == "PNG":
            decode(BytesIO(data)).verify()  # the checksums, which the decoder below leaves out
        picture = decode(BytesIO(data))
    _check_size(picture.size, limits, name)
    with _damage_in(name, kind):
        if kind == "JPEG":
            picture.draft(None, (_ENOUGH, _ENOUGH))
        picture.load()
        turns = _TURNS.get(_orientation(picture), ())
        picture = _eight_bits(picture)
    for turn in turns:
        picture = picture.transpose(turn)
    return picture


def pixels_of(data: bytes) -> int:
    """Width × height by a picture's header; 0 where `open_picture` refuses the bytes."""
    try:
        kind, decode = _decoder(data) or ("", None)
        if decode is None:
            return 0
        return math.prod(_webp_size(data, "") if kind == "WebP" else decode(BytesIO(data)).size)
    except Exception:  # whatever `open_picture` will say of it
        return 0


def _decoder(data: bytes) -> tuple[str, Callable[[BytesIO], Image.Image]] | None:
    """The format's name and its decoder."""
    found = next((row for row in _DECODERS if data.startswith(row[0])), None)
    return None if found is None or (found[1] == "WebP" and data[8:12] != b"WEBP") else found[1:]


def _read(path: Path, limits: PictureLimits, name: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(limits.max_bytes + 1)
    except OSError as error:
        raise PictureError(f"{name}: cannot be read: {error.strerror}", "missing") from None


def _what(data: bytes) -> str:
    """Describes bytes of no format that is read."""
    if not data:
        return "is empty"
    if data[4:8] == b"ftyp":
        return "is a HEIC, AVIF or a film"
    return next((f"is {known}" for start, known in _OTHERS if data.startswith(start)), "is no picture")


def _check_size(size: tuple[int, int], limits: PictureLimits, name: str) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise PictureError(f"{name}: damaged: it has {width} × {height} pixels", "damaged")
    if width * height > limits.max_pixels:
        raise PictureError(f"{name}: has {width:,} × {height:,} pixels; must have at most {limits.max_pixels:,}", "too large")


@contextmanager
def _damage_in(name: str, kind: str) -> Iterator[None]:
    """Turns a decoder's failure on bytes that nobody vouches for into one line; which exceptions come is nowhere listed."""
    try:
        yield
    except Image.DecompressionBombError:
        raise PictureError(f"{name}: has more pixels than its header says", "too large") from None
    except Exception:
        raise PictureError(f"{name}: damaged {kind}: it is cut off, or some of its bytes are wrong", "damaged") from None


def _webp_size(data: bytes, name: str) -> tuple[int, int]:
    """Width and height by the header (RFC 9649, sections 2.5 to 2.7)."""
    try:
        match data[12:16]:
            case b"VP8X":
                return tuple(1 + int.from_bytes(data[at : at + 3], "little") for at in (24, 27))  # type: ignore[return-value]
            case b"VP8 ":
                width, height = struct.unpack_from("<HH", data, 26)
                return width & 0x3FFF, height & 0x3FFF
            case b"VP8L":
                (bits,) = struct.unpack_from("<I", data, 21)
                return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    except struct.error:
        pass
    raise PictureError(f"{name}: damaged WebP: it has no size", "damaged")


def _orientation(picture: Image.Image) -> int:
    try:
        return int(picture.getexif().get(_ORIENTATION, 1))
    except Exception:  # a camera's notes that cannot be read turn nothing
        return 1


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Brings any mode to "L" or "RGB", transparent parts on white or black."""
    if picture.mode.startswith("I"):  # grey of 16 bits, of which one may stand for transparent
        values = np.asarray(picture)
        shades = values >> 8
        grey = Image.fromarray(np.clip(shades, 0, 255, out=shades).astype(np.uint8))
        clear = picture.info.get("transparency")
        if not isinstance(clear, int):
            return grey
        grey.putalpha(Image.fromarray(np.where(values == clear, np.uint8(0), np.uint8(255))))
        picture = grey
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        alpha = picture.getchannel("A")
        if alpha.getextrema() != (255, 255):
            seen = np.asarray(picture.reduce(max(1, max(picture.size) // 500))).astype(np.float32)
            weight = seen[..., 3].sum()
            lightness = float((seen[..., :3].mean(-1) * seen[..., 3]).sum() / weight) if weight else 0.0
            ground = Image.new("RGB", picture.size, "black" if lightness > 242 else "white")
            ground.paste(picture, mask=alpha)
            return ground
        return picture.convert("RGB")
    is_grey = picture.mode in ("1", "L") or (picture.mode == "P" and _is_grey_palette(picture))
    return picture.convert("L" if is_grey else "RGB")


def _is_grey_palette(picture: Image.Image) -> bool:
    colours = np.array(picture.getpalette("RGB") or [0, 1, 2]).reshape(-1, 3)
    return bool((colours == colours[:, :1]).all())
