"""Brings a picture to the form of the training images, the way these were made.

    prepared = prepare(open_picture(path), facts.inputs)
    prepared.inputs                                        # [28, 28, 1] uint8, a digit as in MNIST
    for name, image in prepared.steps: ...                 # each [h, w] or [h, w, 3] uint8, to show what was done

A picture that already has the network's size and colours stays as it is.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nnjax.config.errors import InputError
from nnjax.serving.facts import InputFacts
from nnjax.serving.grey_pictures import Grey, box_of, resized, stroke_width, with_stroke_width
from nnjax.serving.strokes import Figure, find_figure, is_dark_on_light

_LARGEST = 1200  # pixels a side, beyond which a picture holds nothing that a network's input could show
_MNIST_BOX = 20  # pixels of the longer side, in 28
_MNIST_STROKE = (1.8, 2.4, 3.8)  # pixels: the 10th, 50th and 97th per cent of MNIST's training images
_DIGITS_BITMAP = 32  # pixels a side, of which 4 × 4 are counted
_DIGITS_INK = (0.27, 0.305, 0.34)  # share of the bitmap: the middle half of scikit-learn's digits, about
_DIGITS_WIDTH = 20
_CLUTTER = 0.3  # pencil on paper in a noisy photo has 0.25; two thirds of the photos of cats that show a figure have more
_SHADES = 0.5  # MNIST's digits on paper have 0.46 at most; in a blurred photo 1 in 20 has more
_MOST_PARTS = 4

_Step = tuple[str, NDArray[np.uint8]]


@dataclass(frozen=True)
class Prepared:
    """An input of the network, and how it was made.

    Attributes:
        inputs: [h, w, c] of the stored dtype, `facts.shape`.
        steps: names and pictures, [h, w] or [h, w, 3] uint8, from the given one to the network's; the last shows `inputs`.
        notes: what was done or found, in words, such as "dark on light: inverted".
        empty: whether no figure was found: `inputs` shows nothing.
        warnings: reasons to doubt that the picture shows a figure on an even ground.
    """

    inputs: NDArray[Any]
    steps: tuple[tuple[str, NDArray[np.uint8]], ...]
    notes: tuple[str, ...] = ()
    empty: bool = False
    warnings: tuple[str, ...] = ()


def prepare(picture: Image.Image, facts: InputFacts) -> Prepared:
    """Prepares one picture by `facts.preparation`; a picture that already has the network's size and colours stays as it is.

    Args:
        picture: of mode "L" or "RGB", as `open_picture` returns it.
        facts: of the network's input.

    Raises:
        InputError: if the network takes no images.
    """
    if facts.preparation is None or facts.largest is None or len(facts.shape) != 3:
        raise InputError(f"the network takes no pictures: its inputs have the shape {facts.shape}")
    given = _in_colours(picture, facts.shape[2])
    shown: _Step = ("as given", np.asarray(_reduced(picture)))
    if given.shape == facts.shape and (facts.preparation == "plain" or not is_dark_on_light(_grey(picture))):
        # scikit-learn's digits may come as 0 to 16. Of other pictures white is 255, however dark they are.
        white = facts.largest if facts.preparation == "digits" and given.max() <= facts.largest else 255.0
        return _prepared(_shares(given, white), facts, (shown,), ("already the network's size: unchanged",))
    if facts.preparation == "plain":
        cropped = _cropped(picture, facts.shape[0] / facts.shape[1])
        # Of five filters that average, Lanczos's brings enlarged CIFAR images back with the least error.
        small = cropped.resize((facts.shape[1], facts.shape[0]), Image.Resampling.LANCZOS)
        cut = f"cut to its middle {cropped.size[0]} × {cropped.size[1]} pixels"
        return _prepared(
            _shares(_in_colours(small, facts.shape[2])),
            facts,
            (shown, ("cropped", np.asarray(cropped))),
            tuple(filter(None, ["" if cropped.size == picture.size else cut, _kept_dark(picture, facts)])),
        )
    figure = find_figure(_grey(picture))
    if figure is None:
        nothing = np.zeros(facts.shape, np.float32)
        nowhere = "no figure stands out from the ground: taken as an empty picture"
        return replace(_prepared(nothing, facts, (shown,), ()), empty=True, warnings=(nowhere,))
    digit, ink, changed = (_as_mnist if facts.preparation == "mnist" else _as_digits)(figure)
    parts = f"{figure.parts} separate strokes taken as one figure" if figure.parts > 1 else ""
    notes = ("dark on light: inverted" if figure.dark_on_light else "", parts, changed)
    steps = (shown, ("ink", _bytes(figure.seen)), ("figure", _bytes(ink)))
    prepared = _prepared(digit[..., None], facts, steps, tuple(filter(None, notes)))
    return replace(prepared, warnings=_doubts(figure))


def _kept_dark(picture: Image.Image, facts: InputFacts) -> str:
    """A note for networks of grey images, many of which were trained on light figures on a black ground."""
    return "dark on light: kept as it is" if facts.shape[2] == 1 and is_dark_on_light(_grey(picture)) else ""


def _doubts(figure: Figure) -> tuple[str, ...]:
    """Reasons to believe that a picture is no drawing: of a cat, pieces stand out everywhere, and of all shades."""
    if figure.clutter > _CLUTTER:
        return ("more than one figure stands out from the ground, as in a photo of a scene",)
    if figure.shades > _SHADES:
        return ("the figure is of many shades, as in a photo of a scene",)
    if figure.parts > _MOST_PARTS:
        return (f"the figure has {figure.parts} separate pieces",)
    if figure.at_border:
        return ("the figure reaches the border of the picture, and may be cut off",)
    return ()


def _prepared(
    shares: NDArray[np.float32],
    facts: InputFacts,
    steps: tuple[_Step, ...],
    notes: tuple[str, ...],
) -> Prepared:
    """From shares of white, [h, w, c] 0 to 1, to stored values."""
    assert facts.largest is not None
    values = shares * np.float32(facts.largest)
    inputs = np.rint(values).astype(np.uint8) if facts.dtype == "uint8" else values.astype(np.float32)
    last = _bytes(_shares(inputs, facts.largest))
    return Prepared(inputs, (*steps, ("as the network sees it", last[..., 0] if last.shape[2] == 1 else last)), notes)


def _shares(values: NDArray[Any], white: float = 255.0) -> NDArray[np.float32]:
    return values.astype(np.float32) / np.float32(white)


def _bytes(shares: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(np.clip(shares, 0, 1) * 255).astype(np.uint8)


def _in_colours(picture: Image.Image, channels: int) -> NDArray[np.uint8]:
    """[h, w, c] grey or coloured; equal channels make the same grey, and back."""
    pixels = np.asarray(picture.convert("L" if channels == 1 else "RGB"))
    return pixels[..., None] if channels == 1 else pixels


def _grey(picture: Image.Image) -> Grey:
    """[h, w] 0 to 1, of at most 1200 pixels a side."""
    return _shares(np.asarray(_reduced(picture).convert("L")))


def _reduced(picture: Image.Image) -> Image.Image:
    factor = -(-max(picture.size) // _LARGEST)
    return picture.reduce(factor) if factor > 1 else picture


def _cropped(picture: Image.Image, aspect: float) -> Image.Image:
    """The largest middle part whose height is `aspect` times its width."""
    width, height = picture.size
    size = min(width, max(1, round(height / aspect))), min(height, max(1, round(width * aspect)))
    left, top = (width - size[0]) // 2, (height - size[1]) // 2
    return picture.crop((left, top, left + size[0], top + size[1]))


def _as_mnist(figure: Figure) -> tuple[Grey, Grey, str]:
    """[28, 28] as the NIST digits were put into MNIST, the ink that was scaled, and what was changed."""
    ink, note = figure.ink, ""
    for _ in range(2):  # wider strokes make a larger box, and are narrower in it
        scale = max(ink.shape) / _MNIST_BOX
        thinnest, usual, widest = _MNIST_STROKE
        width = stroke_width(ink) / scale
        if thinnest <= width <= widest:
            break
        note = (
            note or f"strokes of {width:.1f} pixels, MNIST's are {usual:.1f}: made {'wider' if width < usual else 'narrower'}"
        )
        ink = _to_box(with_stroke_width(ink, (usual if width < usual else widest) * scale))
    height, width = (max(1, round(side * _MNIST_BOX / max(ink.shape))) for side in ink.shape)
    small = np.clip(resized(ink, (height, width)), 0, 1)
    canvas = np.zeros((28, 28), np.float32)
    top, left = (_centred(small.sum(axis), 28) for axis in (1, 0))
    canvas[top : top + height, left : left + width] = small
    return canvas, ink, note


def _centred(mass: NDArray[np.float32], side: int) -> int:
    """Where a figure begins so that its centre of mass is at the middle pixel, side / 2."""
    middle = float((mass * np.arange(len(mass))).sum() / max(float(mass.sum()), 1e-6))
    return min(max(round(side / 2 - middle), 0), side - len(mass))


def _as_digits(figure: Figure) -> tuple[Grey, Grey, str]:
    """[8, 8] counts of a bitmap's pixels, as shares of 16, as scikit-learn's digits were made (Alpaydin and Kaynak, 1998).

    They were normalised by NIST's form-based recognition system (Garris et al., 1994): sheared upright, brought to 20 × 32, and
    widened or narrowed to a usual amount of ink. Of MNIST's test digits, prepared like this, a network of scikit-learn's digits
    recognises 85 %; with their slant and aspect kept, 60 %.
    """
    ink, note = _upright(figure.ink), ""
    for _ in range(4):
        bitmap = _bitmap(ink)
        thin, usual, bold = _DIGITS_INK
        share = float(bitmap.mean())
        if thin <= share <= bold:
            break
        note = note or f"ink on {share:.0%} of the box, the training images have {usual:.0%}: strokes made wider or narrower"
        ink = _to_box(with_stroke_width(ink, stroke_width(ink) * usual / max(share, 0.05)))
    counts = _bitmap(ink).reshape(8, 4, 8, 4).sum((1, 3))
    return (counts / np.float32(16)).astype(np.float32), ink, note


def _bitmap(ink: Grey) -> Grey:
    """[32, 32] 0 or 1: the figure fills the height and 20 columns; a narrow one, such as a 1, half as many again as it has."""
    width = ink.shape[1] * _DIGITS_BITMAP / ink.shape[0]
    columns = _DIGITS_WIDTH if width > 0.4 * _DIGITS_WIDTH else max(4, round(1.5 * width))
    small = (resized(ink, (_DIGITS_BITMAP, columns)) > 0.5).astype(np.float32)
    canvas = np.zeros((_DIGITS_BITMAP, _DIGITS_BITMAP), np.float32)
    left = _centred(small.sum(0), _DIGITS_BITMAP)
    canvas[:, left : left + columns] = small
    return canvas


def _upright(ink: Grey) -> Grey:
    """Shears a figure so that its leftmost pixels in the first and the last row stand above each other."""
    height, width = ink.shape
    first, last = (int(np.argmax(ink[row] > 0.5)) for row in (0, -1))
    rows = np.arange(height)
    shifts = np.rint((first - last) * (rows / max(height - 1, 1) - 0.5)).astype(int)
    wide = np.pad(ink, ((0, 0), (width, width)))
    columns = np.arange(3 * width) - shifts[:, None]
    return _to_box(wide[rows[:, None], np.clip(columns, 0, 3 * width - 1)])


def _to_box(ink: Grey) -> Grey:
    top, bottom, left, right = box_of(ink)
    return ink[top:bottom, left:right]
