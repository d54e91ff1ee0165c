"""Brings a picture to the form of the training images, the way these were made.

prepared = prepare(open_picture(path), facts.inputs)
prepared.inputs                                        # [28, 28, 1] uint8, a digit as in MNIST
for name, image in prepared.steps: ...                 # each [h, w] or [h, w, 3] uint8, to show what was done
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nnjax.serving.facts import InputFacts


@dataclass(frozen=True)
class Prepared:
    """An input of the network, and how it was made.

    Attributes:
        inputs: [h, w, c] of the stored dtype, `facts.shape`.
        steps: names and pictures, [h, w] or [h, w, 3] uint8, from the given one to the network's; the last shows `inputs`.
        notes: what was done or found, in words, such as "dark on light: inverted".
        empty: whether no figure was found: `inputs` shows nothing.
    """

    inputs: NDArray[Any]
    steps: tuple[tuple[str, NDArray[np.uint8]], ...]
    notes: tuple[str, ...] = ()
    empty: bool = False


def prepare(picture: Image.Image, facts: InputFacts) -> Prepared:
    """Prepares one picture by `facts.preparation`; a picture that already has the network's size and colours stays as it is.

    Args:
        picture: of mode "L" or "RGB", as `open_picture` returns it.
        facts: of the network's input.

    Raises:
        InputError: if the network takes no images.
    """
    raise NotImplementedError
