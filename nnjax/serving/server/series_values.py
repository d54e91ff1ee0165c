"""A series in a request: its last values as the network's window, and the answer in the series' unit.

last = last_values(read, facts)                        # [difference + window] values in their unit
next_value(answer, last, facts.series)                 # the answer, which was a scaled change, as a value
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnjax.serving.facts import ModelFacts, SeriesFacts
from nnjax.serving.model import Answer


def last_values(read: Callable[[ModelFacts], NDArray[Any]], facts: ModelFacts) -> NDArray[np.float64]:
    """The values that a window is made of, in their unit.

    Args:
        read: reads the request's rows for a model with the given facts, as the functions of `nnjax.serving.input_rows` do.
        facts: of a model of a series.
    """
    assert facts.series is not None
    needed = facts.inputs.shape[0] + facts.series.difference
    # Read once more, as if the network took values as they are.
    plain = replace(facts.series, log=False, difference=0, mean=0.0, std=1.0)
    read_values = read(replace(facts, series=plain, inputs=replace(facts.inputs, shape=(needed, 1))))
    return np.asarray(read_values[0, :, 0], np.float64)


def next_value(answer: Answer, last: NDArray[np.float64], series: SeriesFacts) -> Answer:
    """The answer of scaled changes as the series' next value; its spread as half the distance between one spread up and down.

    Args:
        answer: [1] the mean over the trials of scaled changes, with their spread.
        last: as from `last_values`.
        series: how values became scaled changes.
    """
    before = last[-series.difference] if series.difference else 0.0

    def value(change: Any) -> NDArray[np.float32]:
        scaled = np.asarray(change, np.float64) * series.std + series.mean
        if series.log:
            return np.asarray(np.exp(scaled + (np.log(before) if series.difference else 0.0)), np.float32)
        return np.asarray(scaled + before, np.float32)

    mean, spread = answer.probabilities, answer.spread
    half = np.float32(0.5) * (value(mean + spread) - value(mean - spread))
    return replace(answer, probabilities=value(mean), spread=half)
