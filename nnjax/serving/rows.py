"""Reads rows of numbers, from CSV text or lists, as inputs of a network of vectors or of a time series.

inputs = rows_from_csv(Path("new.csv"), facts)         # [n, d], or [1, window, 1] of a series' last rows
inputs = rows_from_lists([[5.1, 3.5, 1.4, 0.2]], facts)
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnjax.serving.facts import ModelFacts


def rows_from_csv(source: str | Path, facts: ModelFacts, name: str | None = None) -> NDArray[np.float32]:
    """Reads CSV text, or the file of a path: one input a row; of a series, one value a row.

    Columns stand by name where the facts name features and the file has a header, else by place.

    Args:
        source: the text or the path.
        facts: of the model.
        name: of the text in errors; by default the path, or "the rows".

    Returns:
        [n, *facts.inputs.shape] inputs. Of a series, n is 1: the last rows, transformed as in training.

    Raises:
        DataError: in one line with the line and column: for a wrong count, a word, a blank, a number that is not finite.
    """
    raise NotImplementedError


def rows_from_lists(values: Sequence[Any], facts: ModelFacts, name: str = "rows") -> NDArray[np.float32]:
    """Makes inputs of nested lists of numbers, such as JSON's: one input or several; of a series, its last values.

    Returns:
        As `rows_from_csv`.

    Raises:
        DataError: in one line: for another shape or something that is no finite number.
    """
    raise NotImplementedError
