"""Labels the connected pieces of a mask; scipy.ndimage.label where scipy is not installed.

labels, count = pieces(mask)                           # [h, w], 0 off the mask, 1 to count on it
"""

import numpy as np
from numpy.typing import NDArray


def pieces(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], int]:
    """Labels pieces that touch by an edge or a corner.

    Runs of each row are joined with the runs of the row above that they touch (union and find; Rosenfeld and Pfaltz, 1966).

    Args:
        mask: [h, w].

    Returns:
        Labels [h, w], and their number.
    """
    padded = np.pad(mask.astype(np.int8), ((0, 0), (1, 1)))
    changes = np.diff(padded, axis=1)
    rows, starts = np.nonzero(changes == 1)
    _, stops = np.nonzero(changes == -1)
    parent = list(range(len(rows)))

    def root(run: int) -> int:
        while parent[run] != run:
            parent[run] = parent[parent[run]]
            run = parent[run]
        return run

    above, first, row = 0, 0, -1  # the runs of the row above begin at `above`, the row's own at `first`
    for run in range(len(rows)):
        if rows[run] != row:
            above = first if rows[run] == row + 1 else run
            first, row = run, int(rows[run])
        while above < first and stops[above] < starts[run]:
            above += 1
        other = above
        while other < first and starts[other] <= stops[run]:
            a, b = root(other), root(run)
            parent[max(a, b)] = min(a, b)
            other += 1
    roots = np.array([root(run) for run in range(len(rows))], int)
    unique, numbers = np.unique(roots, return_inverse=True)
    labels = np.zeros(mask.shape, np.int32)
    for run, number in enumerate(numbers):
        labels[rows[run], starts[run] : stops[run]] = number + 1
    return labels, len(unique)
