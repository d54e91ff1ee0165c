"""Digits drawn in code, and photos of them on paper.

digit = drawn(7)                                       # [280, 280] ink, 0 to 1
photo = photographed(digit, seed=0, shadow=True)       # a PIL image, dark on light
"""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

# Lines through points of a 100 × 100 square.
STROKES = {
    0: [[(50, 10), (25, 25), (20, 50), (25, 75), (50, 90), (75, 75), (80, 50), (75, 25), (50, 10)]],
    1: [[(35, 25), (55, 10), (55, 90)]],
    2: [[(22, 30), (35, 12), (62, 12), (76, 30), (65, 52), (22, 88), (80, 88)]],
    3: [[(22, 16), (60, 10), (74, 28), (48, 46), (76, 66), (62, 88), (22, 84)]],
    4: [[(62, 90), (62, 10), (18, 62), (84, 62)]],
    5: [[(76, 12), (32, 12), (28, 45), (58, 42), (76, 62), (60, 88), (24, 82)]],
    7: [[(20, 14), (80, 14), (44, 90)]],
}


def drawn(digit, width=24, side=280):
    """[side, side] ink of a digit, 0 to 1; `width` of strokes in pixels."""
    picture = Image.new("L", (side, side))
    pen = ImageDraw.Draw(picture)
    for stroke in STROKES[digit]:
        points = [(0.1 * side + 0.8 * side * x / 100, 0.1 * side + 0.8 * side * y / 100) for x, y in stroke]
        pen.line(points, 255, width, "curve")
        for x, y in points:
            pen.ellipse([x - width / 2, y - width / 2, x + width / 2, y + width / 2], 255)
    return np.asarray(picture, np.float32) / np.float32(255)


def photographed(ink, seed=0, strength=0.7, shadow=False, noise=0.02, blur=0.0, margin=1.5, dark=True):
    """A photo of ink on paper (or chalk on a board): somewhere in it, in uneven light, as a JPEG would show it."""
    random = np.random.default_rng(seed)
    height, width = (int(side * random.uniform(1.1, margin)) for side in ink.shape)
    whole = np.zeros((height, width), np.float32)
    top, left = random.integers(0, height - ink.shape[0] + 1), random.integers(0, width - ink.shape[1] + 1)
    whole[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    y, x = np.mgrid[:height, :width] / max(height, width) - 0.5
    angle = random.uniform(0, 2 * np.pi)
    across = np.cos(angle) * x + np.sin(angle) * y
    light = 1 + 0.25 * across
    if shadow:
        light = light * np.where(across > random.uniform(-0.2, 0.2), 1, random.uniform(0.6, 0.8))
    paper = random.uniform(0.65, 0.95) * light * (1 - strength * whole)
    shot = Image.fromarray((np.clip(paper if dark else 1 - paper, 0, 1) * 255).astype(np.uint8))
    shot = shot.filter(ImageFilter.GaussianBlur(blur)) if blur else shot
    pixels = np.asarray(shot) + 255 * random.normal(0, noise, (height, width))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
