"""Draws one answer with Pillow alone: the steps from the picture to the network's input, where it looked, and probabilities.

explained_picture(model, answered).save("out.png")

`experiments.predict` draws figures with matplotlib; a file that runs elsewhere has only Pillow.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from nnjax.serving.answering import Answered
from nnjax.serving.facts import ModelFacts
from nnjax.serving.model import Answer, Model
from nnjax.serving.occlusion import occlusion_map

_SIDE = 196  # of a step's square, in pixels
_GAP = 12
_CAPTION = 40
_MOST_CLASSES = 10
_BACK, _INK, _FAINT, _BAR = (255, 255, 255), (20, 20, 20), (225, 225, 225), (31, 119, 180)


def explained_picture(model: Model, answered: Answered) -> Image.Image:
    """Returns an RGB picture: squares in a row, bars below.

    Args:
        model: that answered.
        answered: an answer that there is.
    """
    assert answered.prepared is not None
    assert answered.answer is not None
    squares = list(answered.prepared.steps)
    if answered.answer.label is not None:
        label = int(answered.answer.probabilities.argmax())
        heat = occlusion_map(model, answered.prepared.inputs, label)
        squares.append((f"where it looked for {answered.answer.label}", _overlay(squares[-1][1], heat)))
    bars = _bars(answered.answer, model.facts)
    remarks = [*answered.prepared.notes, *(f"warning: {warning}" for warning in answered.answer.warnings)]
    font = ImageFont.load_default(14)
    line = 20
    width = max(_GAP + len(squares) * (_SIDE + _GAP), 420)
    height = _GAP + _CAPTION + _SIDE + _GAP + line * (len(bars) + len(remarks)) + 2 * _GAP
    drawn = Image.new("RGB", (width, height), _BACK)
    draw = ImageDraw.Draw(drawn)
    for place, (name, image) in enumerate(squares):
        left = _GAP + place * (_SIDE + _GAP)
        draw.multiline_text((left, _GAP), _wrapped(draw, name, font), _INK, font)
        drawn.paste(_square(image), (left, _GAP + _CAPTION))
    top = _GAP + _CAPTION + _SIDE + _GAP
    for name, share, text in bars:
        draw.text((_GAP, top), _shortened(draw, name, font, 110), _INK, font)
        draw.rectangle((130, top + 3, 330, top + 15), _FAINT)
        if length := round(200 * min(share, 1)):
            draw.rectangle((130, top + 3, 130 + length, top + 15), _BAR)
        draw.text((340, top), text, _INK, font)
        top += line
    top += _GAP // 2
    for remark in remarks:
        draw.text((_GAP, top), _shortened(draw, remark, font, width - 2 * _GAP), _INK, font)
        top += line
    return drawn


def _bars(answer: Answer, facts: ModelFacts) -> list[tuple[str, float, str]]:
    """Name, length as a share, and text of each bar."""
    if facts.task == "regression":
        return [(f"value {place}", 0.0, f"{value:.6g}") for place, value in enumerate(answer.probabilities, 1)][:_MOST_CLASSES]
    if answer.label is None:  # not finite
        return []
    order = np.argsort(-answer.probabilities, kind="stable")[:_MOST_CLASSES]
    spreads = [f" ± {100 * answer.spread[place]:.1f}" if answer.spread[place] else "" for place in order]
    return [
        (facts.labels[place], float(answer.probabilities[place]), f"{100 * answer.probabilities[place]:.1f}%{spread}")
        for place, spread in zip(order.tolist(), spreads, strict=True)
    ]


def _square(image: NDArray[np.uint8]) -> Image.Image:
    """An image, enlarged or reduced to fit, in the middle of a square."""
    picture = Image.fromarray(image).convert("RGB")
    scale = _SIDE / max(picture.size)
    size = tuple(max(1, round(length * scale)) for length in picture.size)
    how = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.LANCZOS
    square = Image.new("RGB", (_SIDE, _SIDE), _FAINT)
    square.paste(picture.resize((size[0], size[1]), how), ((_SIDE - size[0]) // 2, (_SIDE - size[1]) // 2))
    return square


def _overlay(image: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The image in grey, with orange where covering lowers the probability and blue where it raises it."""
    grey = np.asarray(Image.fromarray(image).convert("L").resize(heat.shape[::-1]), np.float32)[..., None]
    strength = (heat / max(float(np.abs(heat).max()), 1e-6))[..., None]
    colour = np.where(strength > 0, np.array([255, 127, 14], np.float32), np.array([31, 119, 180], np.float32))
    opacity = 0.75 * np.abs(strength)
    mixed: NDArray[np.uint8] = (grey * (1 - opacity) * 0.8 + colour * opacity).astype(np.uint8)
    return mixed


def _shortened(draw: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    while text and draw.textlength(text, font) > width:
        text = text[:-2].rstrip() + "…"
    return text


def _wrapped(draw: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """The text in at most two lines of a square's width."""
    first, rest = text, ""
    while draw.textlength(first, font) > _SIDE and " " in first:
        first, _, last = first.rpartition(" ")
        rest = f"{last} {rest}".strip()
    lines = [first, rest] if rest else [first]
    return "\n".join(_shortened(draw, each, font, _SIDE) for each in lines)
