"""Pictures as text in JSON: PNG files as data URLs.

data_url(np.zeros((28, 28), np.uint8))                 # "data:image/png;base64,..."
"""

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_LARGEST_SIDE = 512
_LEAST_SIDE = 112  # smaller pictures are enlarged, each pixel to a square


def data_url(image: NDArray[np.uint8]) -> str:
    """A PNG of an [h, w] or [h, w, 3] image as a data URL, at most 512 pixels wide and high."""
    picture = Image.fromarray(image)
    picture.thumbnail((_LARGEST_SIDE, _LARGEST_SIDE))
    times = -(-_LEAST_SIDE // max(picture.size))
    if times > 1:
        picture = picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
