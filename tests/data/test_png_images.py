import io
import zlib

import hypothesis.extra.numpy as numpy_strategies
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nnjax.data.png_images import decode_together


def png(pixels, **options):
    file = io.BytesIO()
    Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels).save(file, format="png", **options)
    return file.getvalue()


def with_filters(pixels, kind):
    """A PNG file whose rows are all filtered in one way: ISO/IEC 15948, chapter 9.2."""
    h, w, c = pixels.shape
    rows = np.zeros((h + 1, (w + 1) * c), np.int64)
    rows[1:, c:] = pixels.reshape(h, -1)
    x, left, up, corner = rows[1:, c:], rows[1:, :-c], rows[:-1, c:], rows[:-1, :-c]
    guess = left + up - corner
    distances = np.abs(np.stack([guess - left, guess - up, guess - corner]))
    paeth = np.choose(distances.argmin(axis=0), [left, up, corner])
    filtered = x - [0 * x, left, up, (left + up) // 2, paeth][kind]
    data = b"".join(bytes([kind]) + (row % 256).astype(np.uint8).tobytes() for row in filtered)
    head = png(pixels)[:33]
    return head + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def chunk(kind, data):
    return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)


def images(count, shape=(5, 4, 3)):
    return np.random.default_rng(count).integers(0, 256, (count, *shape), np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
@given(data=st.data())
def test_images_are_those_that_were_encoded(channels, data):
    shape = data.draw(st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(1, 6)))
    pixels = data.draw(numpy_strategies.arrays(np.uint8, (*shape, channels)))
    kinds = data.draw(st.lists(st.integers(0, 4), min_size=shape[0], max_size=shape[0]))
    files = [with_filters(image, kind) for image, kind in zip(pixels, kinds, strict=True)]
    with Image.open(io.BytesIO(files[0])) as first:
        assert (np.asarray(first).reshape(pixels[0].shape) == pixels[0]).all()  # the test's own encoder is right
    decoded = decode_together(files, pixels.shape[1:])
    assert decoded.dtype == np.uint8
    assert (decoded == pixels).all()


def test_an_image_does_not_follow_from_the_one_before():
    pixels = images(50)
    files = [png(image) for image in pixels]
    for order in (slice(None), slice(None, None, -1)):
        assert (decode_together(files[order], (5, 4, 3)) == pixels[order]).all()


def test_images_of_other_channels_are_left_to_pillow():
    assert decode_together([png(images(1, (5, 4, 4))[0])], (5, 4, 4)) is None


def test_a_file_in_several_pieces():
    file = png(images(1)[0])
    data = file[41:-16]
    pieces = file[:33] + chunk(b"IDAT", data[:7]) + chunk(b"IDAT", b"") + chunk(b"IDAT", data[7:]) + file[-12:]
    assert (decode_together([pieces], (5, 4, 3)) == images(1)).all()


def test_every_damaged_byte_is_noticed():
    """Decoded one by one, the file is then named in an error."""
    file = png(images(1)[0])
    for place in range(len(file)):
        damaged = file[:place] + bytes([file[place] ^ 1]) + file[place + 1 :]
        assert decode_together([file, damaged], (5, 4, 3)) is None, place
        assert decode_together([file, file[:place]], (5, 4, 3)) is None


def jpeg():
    file = io.BytesIO()
    Image.fromarray(images(1)[0]).save(file, format="jpeg")
    return file.getvalue()


OTHERS = {
    "a JPEG": jpeg(),
    "another shape": png(images(1, (4, 5, 3))[0]),
    "grey": png(images(1, (5, 4, 1))[0]),
    "a palette": png(images(1, (5, 4, 1))[0])[:25] + b"\3" + png(images(1)[0])[26:],
    "something after its end": png(images(1)[0]) + b"x",
    "a gamma value": png(images(1)[0])[:33] + chunk(b"gAMA", (45455).to_bytes(4)) + png(images(1)[0])[33:],
    "no pixels": png(images(1)[0])[:33] + chunk(b"IEND", b""),
    "too few rows": png(images(1)[0])[:33] + chunk(b"IDAT", zlib.compress(bytes(13 * 4))) + chunk(b"IEND", b""),
    "too many rows": png(images(1)[0])[:33] + chunk(b"IDAT", zlib.compress(bytes(13 * 6))) + chunk(b"IEND", b""),
    "an unknown filter": png(images(1)[0])[:33] + chunk(b"IDAT", zlib.compress(b"\5" + bytes(64))) + chunk(b"IEND", b""),
    "no end of its pixels": png(images(1)[0])[:33] + chunk(b"IDAT", zlib.compress(bytes(13 * 5), 0)[:-4]) + chunk(b"IEND", b""),
    "nothing": b"",
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_files_are_left_to_pillow(name):
    file = png(images(1)[0])
    assert decode_together([file], (5, 4, 3)) is not None
    assert decode_together([file, OTHERS[name]], (5, 4, 3)) is None
