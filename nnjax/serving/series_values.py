"""Rows of a series: its last values as the network's window, and the answer in the series' unit.

answers = answer_rows(model, partial(rows_from_csv, Path("new.csv")))
last = last_values(read, facts)                        # [difference + window] values in their unit
next_value(answer, last, facts.series)                 # the answer, which was a scaled change, as a value

Every command and the server answer rows of a series in this way. Several trials answer with the mean of their values, as in
`experiments.forecast`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnjax.serving.facts import ModelFacts, SeriesFacts
from nnjax.serving.model import NOT_FINITE, Answer, Model, spread_of

Read = Callable[[ModelFacts], NDArray[Any]]
"""Reads rows for a model with the given facts, as the functions of `nnjax.serving.input_rows` do."""


def answer_rows(model: Model, read: Read) -> Sequence[Answer]:
    """Answers rows: of a series one answer, the value after the last row, in the series' unit.

    Raises:
        DataError: if the rows cannot be read.
    """
    facts = model.facts
    answers = model.answer(read(facts))
    if facts.series is None:
        return answers
    last = last_values(read, facts)
    return [next_value(answer, last, facts.series) for answer in answers]


def last_values(read: Read, facts: ModelFacts) -> NDArray[np.float64]:
    """The values that a window is made of, in their unit.

    Args:
        read: reads the rows.
        facts: of a model of a series.
    """
    assert facts.series is not None
    needed = facts.inputs.shape[0] + facts.series.difference
    # Read once more, as if the network took values as they are, with all their digits: float32 has 7, and 10⁹ more.
    plain = replace(facts.series, log=False, difference=0, mean=0.0, std=1.0)
    dtype: Any = "float64"
    read_values = read(replace(facts, series=plain, inputs=replace(facts.inputs, shape=(needed, 1), dtype=dtype)))
    return np.asarray(read_values[0, :, 0], np.float64)


def next_value(answer: Answer, last: NDArray[np.float64], series: SeriesFacts) -> Answer:
    """The answer of scaled changes as the series' next value: the mean over the trials' values, with their standard deviation.

    Args:
        answer: of [1] scaled change, with each trial's.
        last: as from `last_values`.
        series: how values became scaled changes.
    """
    before = last[-series.difference] if series.difference else 0.0
    changes = answer.by_trial.astype(np.float64) * series.std + series.mean
    with np.errstate(over="ignore", invalid="ignore"):  # a network that learned nothing may answer anything
        values = np.exp(changes + (np.log(before) if series.difference else 0.0)) if series.log else changes + before
        mean, spread = values.mean(0), spread_of(values)
    finite = bool(np.isfinite(mean).all() and np.isfinite(spread).all())
    warnings = answer.warnings if finite or NOT_FINITE in answer.warnings else (*answer.warnings, NOT_FINITE)
    return replace(answer, probabilities=mean, spread=spread, by_trial=values, warnings=warnings)
