"""Where a network looked: how much its answer falls when a patch of the picture is covered (Zeiler and Fergus, 2014).

heat = occlusion_map(model, inputs, label=7)           # [28, 28], largest where the 7 is decided
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnjax.serving.model import Model


def occlusion_map(model: Model, inputs: NDArray[Any], label: int) -> NDArray[np.float32]:
    """Returns [h, w] the fall of a class's probability when the surroundings of a pixel are covered; below 0 where it rises.

    Args:
        model: only its `probabilities` are used, in batches of at most 64.
        inputs: [h, w, c] of the stored type.
        label: the class's number, such as the answer's.
    """
    raise NotImplementedError
