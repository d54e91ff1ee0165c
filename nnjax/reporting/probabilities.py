"""Class probabilities from a network's outputs.

probabilities(outputs, from_logits=True)       # [n, classes], each row sums to 1
"""

import numpy as np
from numpy.typing import NDArray


def probabilities(outputs: NDArray[np.float32], from_logits: bool) -> NDArray[np.float32]:
    """Returns the probabilities of the classes, of the outputs' shape.

    Args:
        outputs: [..., classes].
        from_logits: whether softmax makes the outputs probabilities. Else they were trained to be 1 for the true class and 0
            for the others, and are clipped to (0, 1] and divided by their sum.
    """
    if from_logits:
        powers = np.exp(outputs - outputs.max(axis=-1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=-1, keepdims=True))
    clipped = np.clip(outputs, 1e-6, 1)
    return np.asarray(clipped / clipped.sum(axis=-1, keepdims=True))
