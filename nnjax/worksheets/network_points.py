"""Where the nodes of a small network stand on a drawing, for both kinds of pages.

points = network_points(Drawing([["x1", "x2"], ["a"], ["b"]]))
points.nodes[0]                  # (16.0, 15.0, "x1", True)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from nnjax.worksheets.sheet_parts import Drawing

_ACROSS, _DOWN, _EDGE = 58.0, 32.0, 16.0


@dataclass(frozen=True)
class Points:
    """A drawing's size, its nodes (x, y, name, whether an input) and the ends of its edges, in CSS pixels."""

    width: float
    height: float
    nodes: Sequence[tuple[float, float, str, bool]]
    edges: Sequence[tuple[float, float, float, float]]


def network_points(drawing: Drawing) -> Points:
    """Places a network's nodes in columns, each in the middle of the height."""
    tallest = max(map(len, drawing.columns))
    columns = [
        [(_EDGE + _ACROSS * index, _EDGE + _DOWN * (place + (tallest - len(names)) / 2)) for place in range(len(names))]
        for index, names in enumerate(drawing.columns)
    ]
    nodes = [
        (x, y, name, index == 0)
        for index, (column, names) in enumerate(zip(columns, drawing.columns, strict=True))
        for (x, y), name in zip(column, names, strict=True)
    ]
    edges = [(*one, *other) for before, after in pairwise(columns) for one in before for other in after]
    return Points(2 * _EDGE + _ACROSS * (len(columns) - 1), 2 * _EDGE + _DOWN * (tallest - 1), nodes, edges)
