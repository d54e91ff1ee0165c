"""Reads a request's body as inputs of a model: a picture, pictures in a form, CSV, or JSON.

taken = read_body(body, "image/png", model.facts, limits)
taken.inputs                                           # [1, 28, 28, 1]
taken.seen[0].notes                                    # how the picture was brought to this form

JSON holds one of `image` (base64 or a data URL), `images`, `rows` and `inputs`: nested lists of the network's own inputs.
"""

import base64
import binascii
import json
import math
import struct
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray
from python_multipart import FormParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from nnjax.config.errors import UserError
from nnjax.config.serve_options import ServerSettings
from nnjax.serving.facts import InputFacts, ModelFacts
from nnjax.serving.input_rows import columns_note, rows_from_csv, rows_from_lists
from nnjax.serving.number_lists import NotNumbers, UnequalLengths, number_array
from nnjax.serving.pictures import PictureError, PictureLimits, open_picture, pixels_of
from nnjax.serving.preparing import Prepared, prepare
from nnjax.serving.series_values import last_values
from nnjax.serving.server.data_urls import data_url
from nnjax.serving.server.request_error import RequestError, request_error_of

PICTURE_TYPES = ("image/png", "image/jpeg", "image/bmp", "image/gif", "image/webp", "application/octet-stream")
_TYPES = "image/png, image/jpeg, image/bmp, image/gif, image/webp, multipart/form-data, text/csv or application/json"
_AFTER_FORM = 1024  # bytes that may follow the end of a form
_MOST_FIELDS = 64  # of a form, besides files; what they hold is not used
_KEYS = ("image", "images", "rows", "inputs")

_PNG = b"\x89PNG\r\n\x1a\n"
_QUICK_BYTES = 2**13
_QUICK_PIXELS = 64 * 64  # whose preparation takes about 0.3 ms

JSON_SHARE = 4
"""JSON may have a fourth of a body's bytes. Its values are bounded, too: the parser stops all threads while it works."""

CSV_SHARE = 16
"""CSV may have a sixteenth of a body's bytes: read, it takes up to 50 times as much memory."""

_LARGE_PIXELS = 4_000_000  # each takes 2 to 16 bytes while it is decoded
_alone = ThreadPoolExecutor(1, "nnjax-large")  # one at a time, and in one thread: each keeps the memory that it once took

_MORE_VALUES = 100_000  # of JSON, besides the inputs; parsing them takes 10 ms


@dataclass(frozen=True)
class Seen:
    """How a picture or a table was read.

    Attributes:
        notes: what was done or found, in words.
        warnings: reasons to doubt the answer.
        steps: names and data URLs of pictures, where they are wanted.
    """

    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    steps: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Taken:
    """The inputs of a request.

    Attributes:
        inputs: [n, *shape] of the stored type.
        seen: of each input; empty where there is nothing to say.
        last: of a series, the values that the window is made of; see `nnjax.serving.series_values`.
    """

    inputs: NDArray[Any]
    seen: tuple[Seen, ...] = ()
    last: NDArray[np.float64] | None = None


def is_quick(body: bytes, content_type: str) -> bool:
    """Whether `read_body` takes less time than handing the body to another thread: a PNG of few pixels, or few numbers."""
    if body[:8] == _PNG:
        return len(body) <= _QUICK_BYTES and math.prod(struct.unpack(">II", body[16:24].ljust(8, b"\xff"))) <= _QUICK_PIXELS
    is_text = content_type.startswith(("application/json", "text/csv"))
    # A backslash: "\\u0069mage" is a picture's key, too.
    return is_text and len(body) <= _QUICK_BYTES and b'"image' not in body and b"\\" not in body


def read_body(body: bytes, content_type: str, facts: ModelFacts, settings: ServerSettings, *, steps: bool = False) -> Taken:
    """Reads a body; takes as long as decoding its pictures takes, and holds one decoded picture at a time.

    Args:
        body: not yet trusted.
        content_type: the header.
        facts: of the model that answers.
        settings: limits.
        steps: whether the steps of the preparation are wanted.

    Raises:
        RequestError: in one line, for whatever cannot be read.
    """
    kind, options = parse_options_header(content_type)
    kind_text = kind.decode("latin-1").lower()
    if not body:
        raise RequestError(400, "the body is empty: send a picture, rows or JSON")
    try:
        if kind_text in PICTURE_TYPES:
            return _pictures([body], facts, settings, steps=steps)
        if kind_text == "multipart/form-data":
            files = _files(body, options.get(b"boundary", b""), settings.examples)
            return _pictures(files, facts, settings, steps=steps)
        if kind_text == "text/csv":
            text = _text(_bounded(body, "CSV", settings.body // CSV_SHARE))
            most = settings.examples + 1
            taken = _rows(lambda facts: rows_from_csv(text, facts, "the rows", settings.body, most), facts, settings)
            note = columns_note(text, facts, "the rows")
            return replace(taken, seen=(Seen((note,), (), ()),) * len(taken.inputs)) if note else taken
        if kind_text == "application/json":
            return _json(body, facts, settings, steps=steps)
    except UserError as error:
        raise request_error_of(error) from None
    raise RequestError(415, f"Content-Type: {kind_text[:60] or 'none'}: must be {_TYPES}")


def _bounded(body: bytes, kind: str, most: int) -> bytes:
    if len(body) > most:
        raise RequestError(413, f"{kind} of more than {most} bytes; send a large picture as the body itself")
    return body


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RequestError(400, f"the body is not UTF-8 at byte {error.start}") from None


def _files(body: bytes, boundary: bytes, most: int) -> list[bytes]:
    """The files of a form, whatever their fields are called."""
    if not boundary or boundary + b"--" not in body[-len(boundary) - _AFTER_FORM :]:
        raise RequestError(400, "multipart/form-data: without a boundary, or cut off before its end")
    files: list[bytes] = []

    def take(file: Any) -> None:
        if len(files) == most:
            raise RequestError(413, f"more than {most} pictures in a request")
        file.file_object.seek(0)
        files.append(file.file_object.read())
        file.close()

    fields = count(1)

    def take_field(field: Any) -> None:
        if next(fields) > _MOST_FIELDS:
            raise RequestError(413, f"more than {_MOST_FIELDS} fields in a form, besides files")
        field.close()

    # Nothing is written to the disk: the body is in memory, and so are its parts.
    config = {"MAX_MEMORY_FILE_SIZE": len(body) + 1}
    form = FormParser("multipart/form-data", take_field, take, boundary=boundary, config=config)
    try:
        form.write(body)
        form.finalize()
    except FormParserError:
        raise RequestError(400, "multipart/form-data: the form is damaged") from None
    if not files:
        raise RequestError(400, "multipart/form-data: holds no file")
    return files


def _pictures(files: Sequence[bytes], facts: ModelFacts, settings: ServerSettings, *, steps: bool) -> Taken:
    if facts.inputs.preparation is None:
        raise RequestError(422, f"{facts.name} takes rows of numbers, no pictures")
    left, inputs, seen = settings.pixels, [], []
    for number, file in enumerate(files):
        name = "the picture" if len(files) == 1 else f"picture {number + 1} of {len(files)}"
        limits = PictureLimits(max_bytes=settings.body, max_pixels=max(1, left))
        try:
            if pixels_of(file) > _LARGE_PIXELS:
                pixels, prepared = _alone.submit(_prepared, file, limits, name, facts.inputs).result()
            else:
                pixels, prepared = _prepared(file, limits, name, facts.inputs)
        except PictureError as error:
            if error.fault == "too large" and number:
                raise RequestError(413, f"the pictures have more than {settings.pixels} pixels together") from None
            raise
        left -= pixels
        inputs.append(prepared.inputs)
        shown = tuple((step, data_url(image)) for step, image in prepared.steps) if steps else ()
        seen.append(Seen(prepared.notes, prepared.warnings, shown))
    return Taken(np.stack(inputs), tuple(seen))


def _prepared(file: bytes, limits: PictureLimits, name: str, inputs: InputFacts) -> tuple[int, Prepared]:
    """A picture's decoded pixels, and what the network sees of it."""
    picture = open_picture(file, limits, name)
    return picture.width * picture.height, prepare(picture, inputs)


def _json(body: bytes, facts: ModelFacts, settings: ServerSettings, *, steps: bool) -> Taken:
    text = _text(_bounded(body, "JSON", settings.body // JSON_SHARE))
    most = _MORE_VALUES + 4 * settings.examples * math.prod(facts.inputs.shape)
    if sum(body.count(sign) for sign in (b",", b"[", b"{")) > most:
        raise RequestError(413, f"JSON of more than {most} values")
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        place = f" at line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        raise RequestError(400, f"the body is no JSON{place}") from None
    keys = [key for key in _KEYS if isinstance(given, dict) and key in given]
    if len(keys) != 1 or len(given) != 1:
        raise RequestError(422, f"JSON: must be an object with one of the keys {', '.join(_KEYS)}")
    key, value = keys[0], given[keys[0]]
    if key == "rows":
        rows = _list(key, value)
        return _rows(lambda facts: rows_from_lists(rows, facts), facts, settings)
    if key == "inputs":
        return _checked(_network_inputs(_list(key, value), facts), settings)
    texts = [value] if key == "image" else _list(key, value)
    if len(texts) > settings.examples:
        raise RequestError(413, f"more than {settings.examples} pictures in a request")
    return _pictures([_decoded(text) for text in texts], facts, settings, steps=steps)


def _list(key: str, value: object) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise RequestError(422, f"{key}: must be a list, and not empty")
    return value


def _decoded(text: object) -> bytes:
    if not isinstance(text, str):
        raise RequestError(422, "image: must be base64 text or a data URL")
    try:
        return base64.b64decode(text.partition(",")[2] if text.startswith("data:") else text, validate=True)
    except (binascii.Error, ValueError):
        raise RequestError(422, "image: is no base64") from None


def _network_inputs(values: list[Any], facts: ModelFacts) -> NDArray[Any]:
    """The network's own inputs: one, or several."""
    shape, dtype = facts.inputs.shape, np.dtype(facts.inputs.dtype)
    wanted = f"inputs: must be numbers of the shape {list(shape)}, or a list of these"
    try:
        inputs = number_array(values)
    except (NotNumbers, UnequalLengths):
        raise RequestError(422, wanted) from None
    if inputs.shape == shape:
        inputs = inputs[np.newaxis]
    if inputs.shape[1:] != shape:
        raise RequestError(422, wanted)
    if dtype == np.uint8 and not (np.all(inputs >= 0) and np.all(inputs <= 255) and np.all(inputs == np.floor(inputs))):
        raise RequestError(422, "inputs: must be whole numbers from 0 to 255")
    with np.errstate(over="ignore"):
        made = inputs.astype(dtype)
    if not np.all(np.isfinite(made)):
        raise RequestError(422, "inputs: must be finite numbers")
    return made


def _rows(read: Callable[[ModelFacts], NDArray[Any]], facts: ModelFacts, settings: ServerSettings) -> Taken:
    taken = _checked(read(facts), settings)
    return taken if facts.series is None else replace(taken, last=last_values(read, facts))


def _checked(inputs: NDArray[Any], settings: ServerSettings) -> Taken:
    if len(inputs) > settings.examples:
        raise RequestError(413, f"more than {settings.examples} examples in a request")
    return Taken(inputs)
