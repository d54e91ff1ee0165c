"""The value that follows the rows of a series, in the series' own unit.

answer = next_value(model, Path("new.csv"))            # answer.probabilities is [1], the value
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from nnjax.serving.input_rows import rows_from_csv
from nnjax.serving.model import Answer, Model


def next_value(model: Model, source: Path) -> Answer:
    """Answers the last rows of a CSV file: the network's change is added to the value `difference` rows before the next one.

    Args:
        model: of a series.
        source: the file; see `rows_from_csv`.

    Returns:
        The mean over the trials in the series' unit, and their standard deviation.

    Raises:
        DataError: as `rows_from_csv`.
    """
    facts, series = model.facts, model.facts.series
    assert series is not None
    changes = model.probabilities(rows_from_csv(source, facts))[:, 0].astype(np.float64) * series.std + series.mean
    if series.difference:
        # Without a transform, the input of a window of `difference` rows is their values.
        plain = replace(series, log=False, difference=0, mean=0.0, std=1.0)
        raw = replace(facts, series=plain, inputs=replace(facts.inputs, shape=(series.difference, 1)))
        before = float(rows_from_csv(source, raw)[0, 0, 0])
        changes = changes + (np.log(before) if series.log else before)
    with np.errstate(over="ignore"):  # a network that learned nothing may answer anything
        values = np.exp(changes) if series.log else changes
    mean, spread = (np.asarray(each, np.float32) for each in (values.mean(0), values.std(0)))
    warnings = () if np.isfinite(mean).all() else ("the network's outputs are no finite numbers",)
    return Answer(mean, spread, None, None, warnings)
