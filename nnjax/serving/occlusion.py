"""Where a network looked: how much its answer falls when a patch of the picture is covered (Zeiler and Fergus, 2014).

    heat = occlusion_map(model, inputs, label=7)           # [28, 28], largest where the 7 is decided

A patch covers a fifth of the picture's side. Drawings are covered with their ground, other pictures with their mean colour.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnjax.serving.model import Model

_SHARE = 5  # patches a side, without overlap
_BATCH = 64
_LEAST = 1e-9  # probability
_ROUNDING = 1e-3  # of log-odds: batches of other sizes are rounded otherwise, which a map would show in full colours


def occlusion_map(model: Model, inputs: NDArray[Any], label: int) -> NDArray[np.float32]:
    """Returns [h, w] the fall of a class's log-odds, log p / (1 − p), when a pixel is covered; below 0 where they rise.

    Each pixel has the mean over all patches that cover it. Log-odds show a fall from 0.9999 to 0.99, which differences hide.

    Args:
        model: only its `probabilities` are used, in batches of 64; the mean over its trials counts.
        inputs: [h, w, c] of the stored type.
        label: the class's number, such as the answer's.
    """
    height, width = inputs.shape[:2]
    sides = max(1, round(height / _SHARE)), max(1, round(width / _SHARE))
    steps = max(1, sides[0] // 3), max(1, sides[1] // 3)
    # Patches reach over the border, so that its pixels are covered as often as others.
    corners = [(top, left) for top in range(1 - sides[0], height, steps[0]) for left in range(1 - sides[1], width, steps[1])]
    drawn = model.facts.inputs.preparation in ("mnist", "digits")
    cover = np.zeros(inputs.shape[2]) if drawn else inputs.mean((0, 1))
    cover = np.rint(cover).astype(inputs.dtype) if inputs.dtype == np.uint8 else cover.astype(inputs.dtype)
    covered = np.repeat(inputs[None], 1 + len(corners), axis=0)  # the picture itself comes first
    masks = np.zeros((len(corners), height, width), bool)
    for index, (top, left) in enumerate(corners):
        masks[index, max(0, top) : top + sides[0], max(0, left) : left + sides[1]] = True
    covered[1:][masks] = cover
    logs = np.concatenate([_log_odds(model, covered[at : at + _BATCH], label) for at in range(0, len(covered), _BATCH)])
    falls = logs[0] - logs[1:]
    falls[np.abs(falls) < _ROUNDING] = 0
    return np.asarray(np.tensordot(falls, masks, (0, 0)) / np.maximum(masks.sum(0), 1), np.float32)


def _log_odds(model: Model, inputs: NDArray[Any], label: int) -> NDArray[np.float64]:
    means = model.probabilities(inputs).mean(0, dtype=np.float64)
    others = np.delete(means, label, axis=1).sum(1)  # 1 − p would be rounding where p is near 1
    return np.asarray(np.log(np.maximum(means[:, label], _LEAST)) - np.log(np.maximum(others, _LEAST)))
