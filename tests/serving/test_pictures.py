"""Pictures of any colours and sizes open; what is too large, damaged or no picture is refused in one line."""

import struct
import tracemalloc
import zlib
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nnjax.serving.pictures import PictureError, PictureLimits, open_picture, pixels_of

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")


def saved(picture, kind="PNG", **options):
    file = BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def gradient(width=40, height=30, mode="RGB"):
    ramp = np.linspace(0, 255, width * height * 3).reshape(height, width, 3).astype(np.uint8)
    return Image.fromarray(ramp).convert(mode)


def refusal(source, **options):
    with pytest.raises(PictureError) as caught:
        open_picture(source, **options)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 3
    return str(caught.value), caught.value.fault


@pytest.mark.parametrize("kind", FORMATS)
def test_each_format_opens(kind, tmp_path):
    path = tmp_path / "picture"
    path.write_bytes(saved(gradient(), kind))
    picture = open_picture(path)
    assert (picture.mode, picture.size) == ("RGB", (40, 30))
    assert np.abs(np.asarray(picture, int) - np.asarray(gradient(), int)).mean() < 12  # JPEG and a palette lose some


@given(
    mode=st.sampled_from(["1", "L", "P", "RGB", "RGBA", "LA", "I;16", "CMYK"]),
    kind=st.sampled_from(FORMATS),
    width=st.integers(1, 70),
    height=st.integers(1, 70),
)
def test_any_mode_and_size_opens_with_eight_bits(mode, kind, width, height):
    if mode == "I;16":
        source = Image.fromarray(np.full((height, width), 40_000, np.uint16))
    else:
        source = gradient(width, height).convert(mode)
    try:
        data = saved(source, kind)
    except (OSError, ValueError):
        return  # a format that has no such mode
    picture = open_picture(data)
    assert picture.mode in ("L", "RGB")
    assert picture.size == (width, height)


def test_grey_of_sixteen_bits_keeps_its_lightness():
    values = np.array([[0, 257 * 100, 65_535]], np.uint16)
    np.testing.assert_array_equal(open_picture(saved(Image.fromarray(values))), [[0, 100, 255]])


def test_transparent_parts_are_white_unless_all_that_shows_is_white():
    dark = Image.new("RGBA", (10, 10), (0, 0, 0, 0))
    dark.paste((0, 0, 0, 255), (2, 2, 5, 5))
    light = Image.new("RGBA", (10, 10), (0, 0, 0, 0))
    light.paste((255, 255, 255, 255), (2, 2, 5, 5))
    for source, ground, figure in ((dark, 255, 0), (light, 0, 255)):
        pixels = np.asarray(open_picture(saved(source)))
        assert (pixels[0, 0] == ground).all()
        assert (pixels[3, 3] == figure).all()


def test_a_grey_of_16_bits_may_stand_for_transparent():
    values = np.array([[1000, 30_000, 1001]], np.uint16)
    pixels = np.asarray(open_picture(saved(Image.fromarray(values), "PNG", transparency=1000)))
    assert pixels[..., 0].tolist() == [[255, 117, 3]]


def test_a_palette_with_a_transparent_colour_opens():
    source = Image.new("P", (4, 4), 1)
    source.putpalette([255, 0, 0, 0, 0, 255])
    source.putpixel((0, 0), 0)
    pixels = np.asarray(open_picture(saved(source, "GIF", transparency=0)))
    np.testing.assert_array_equal(pixels[0, 0], [255, 255, 255])
    np.testing.assert_array_equal(pixels[1, 1], [0, 0, 255])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photo_is_upright(orientation):
    upright = Image.new("RGB", (40, 24), "white")
    upright.paste("black", (0, 0, 8, 8))  # at the top left
    turn = {
        2: (Image.Transpose.FLIP_LEFT_RIGHT,),
        3: (Image.Transpose.ROTATE_180,),
        4: (Image.Transpose.FLIP_TOP_BOTTOM,),
        5: (Image.Transpose.TRANSPOSE,),
        6: (Image.Transpose.ROTATE_90,),
        7: (Image.Transpose.TRANSVERSE,),
        8: (Image.Transpose.ROTATE_270,),
    }
    stored = upright
    for step in turn.get(orientation, ()):
        stored = stored.transpose(step)
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = open_picture(saved(stored, "JPEG", exif=exif))
    assert picture.size == upright.size
    assert np.abs(np.asarray(picture, int) - np.asarray(upright, int)).max() < 40


def test_an_animation_gives_its_first_frame():
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    for kind in ("GIF", "WEBP", "PNG"):
        data = saved(frames[0], kind, save_all=True, append_images=frames[1:])
        red, green, blue = np.asarray(open_picture(data))[4, 4].astype(int)
        assert red > 200 > 60 > green + blue


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(side):
    """A PNG of a few kB that claims side × side black pixels."""
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(50_000_000), 9))
        + chunk(b"IEND", b"")
    )


def test_a_small_file_that_claims_many_pixels_is_refused_before_it_is_decoded(monkeypatch):
    data = bomb(100_000)
    assert len(data) < 60_000
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda self: pytest.fail("decoded"))
    message, fault = refusal(data)
    assert message == "the picture: has 100,000 × 100,000 pixels; must have at most 64,000,000"
    assert fault == "too large"


@pytest.mark.parametrize("header", ["VP8X", "VP8 ", "VP8L"])
def test_a_webp_is_refused_by_its_header_alone(header, monkeypatch):
    data = bytearray(saved(gradient(), "WEBP", lossless=header == "VP8L"))
    if header == "VP8X":
        data = bytearray(saved(gradient(), "WEBP", exif=bytes(6)))
        data[24:30] = b"\xfe\xff\x00\xfe\xff\x00"
    elif header == "VP8L":
        data[21:25] = struct.pack("<I", 0x0FFFFFFF)
    else:
        data[26:30] = struct.pack("<HH", 16_383, 16_383)
    assert data[12:16] == header.encode()
    monkeypatch.setattr("nnjax.serving.pictures.WebPImagePlugin.WebPImageFile.__init__", lambda *_: pytest.fail("decoded"))
    assert refusal(bytes(data))[1] == "too large"


def test_limits_hold_to_the_byte_and_the_pixel(tmp_path):
    data = saved(gradient(20, 10))
    path = tmp_path / "a b.png"
    path.write_bytes(data)
    assert open_picture(path, PictureLimits(len(data), 200)).size == (20, 10)
    message, fault = refusal(path, limits=PictureLimits(len(data) - 1, 200))
    assert (fault, "bytes; must be at most" in message, "a b.png" in message) == ("too large", True, True)
    assert refusal(data, limits=PictureLimits(len(data), 199))[1] == "too large"


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_that_was_cut_off_is_refused(kind):
    data = saved(Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)), kind)
    for share in (0.02, 0.3, 0.6, 0.95):
        message, fault = refusal(data[: int(share * len(data))])
        assert fault in ("damaged", "unsupported")
        if fault == "damaged" and kind != "WEBP":
            assert message == f"the picture: damaged {kind}: it is cut off, or some of its bytes are wrong"


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_png_with_a_changed_byte_is_refused(place, flip):
    data = bytearray(saved(gradient(25, 25)))
    data[place % (len(data) - 12)] ^= flip  # the last chunk is empty: nothing in it counts
    with pytest.raises(PictureError):
        open_picture(bytes(data))


@given(kind=st.sampled_from(FORMATS), seed=st.integers(0, 2**32 - 1))
def test_changed_bytes_give_a_picture_or_one_line(kind, seed):
    random = np.random.default_rng(seed)
    data = bytearray(saved(gradient(25, 25), kind))
    for place in random.integers(0, len(data), 5):
        data[place] = random.integers(256)
    try:
        assert open_picture(bytes(data)).mode in ("L", "RGB")
    except PictureError as error:
        assert "\n" not in str(error)  # noqa: PT017


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "is empty"),
        (b"label,value\n1,2\n", "is no picture"),
        (b"<svg></svg>", "is SVG or HTML"),
        (b"\x00\x00\x00\x18ftypheic", "is a HEIC, AVIF or a film"),
        (b"II*\x00" + bytes(20), "is TIFF"),
        (b"RIFF\x00\x00\x00\x00WAVE", "is no picture"),
    ],
)
def test_other_files_are_named(data, what):
    message, fault = refusal(data, name="upload")
    assert message == f"upload: {what}; must be one of PNG, JPEG, BMP, GIF, WebP"
    assert fault == "unsupported"


def test_a_path_that_cannot_be_read_is_named(tmp_path):
    assert "none.png: cannot be read: No such file" in refusal(tmp_path / "none.png")[0]
    assert refusal(tmp_path)[1] == "missing"


def test_a_large_jpeg_is_decoded_smaller():
    picture = open_picture(saved(gradient(5000, 2600), "JPEG"))
    assert picture.size == (2500, 1300)


@pytest.mark.parametrize("kind", FORMATS)
def test_the_number_of_pixels_is_read_from_the_header(kind, monkeypatch):
    data = saved(Image.new("RGB", (33, 21)), kind)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", None)
    assert pixels_of(data) == 33 * 21
    for other in (b"", b"no picture", data[:12]):
        assert pixels_of(other) == 0


def test_grey_of_sixteen_bits_takes_little_memory():
    data = saved(Image.fromarray(np.zeros((1000, 1000), np.uint16)))
    tracemalloc.start()
    try:
        open_picture(data)
        assert tracemalloc.get_traced_memory()[1] < 7e6  # of arrays; 2 bytes a pixel, twice, and 1
    finally:
        tracemalloc.stop()
