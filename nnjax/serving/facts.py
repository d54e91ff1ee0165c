"""What a trained network takes and gives, as plain values: the part of a model that is text.

    facts = facts_from_json(json.loads(text))              # of nnjax.serving.stored_facts
    facts.labels, facts.inputs.shape                       # ("0", …, "9"), (28, 28, 1)

Everything that turns a person's picture or row into an input, and outputs into an answer, is decided by these values: they
stand in an exported file, and `nnjax.api.predicting` makes the same ones from a run.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Preparation = Literal["plain", "mnist", "digits"]
"""How a picture is brought to the form of the training images.

`plain` crops to the middle and resizes. `mnist` finds light strokes on dark, or dark on light; scales their box to 20 pixels
and centres their mass in 28 × 28 (LeCun et al., 1998). `digits` does likewise for scikit-learn's 8 × 8 images of 0 to 16.
"""


@dataclass(frozen=True)
class InputFacts:
    """One input of the network.

    Attributes:
        shape: of one example: (h, w, c) for images, (t, d) for sequences, (d,) for vectors.
        dtype: in which it is stored; normalisation is part of the program.
        preparation: of a picture; None where an input is no image.
        largest: the value of white: 255, or 16 for scikit-learn's digits; None where an input is no image.
        features: the names of a vector's values, where they have names.
    """

    shape: tuple[int, ...]
    dtype: Literal["uint8", "float32"]
    preparation: Preparation | None = None
    largest: float | None = None
    features: tuple[str, ...] = ()


@dataclass(frozen=True)
class SeriesFacts:
    """A series whose next value the network forecasts; see `nnjax.data.time_series`.

    Attributes:
        name: of the values.
        log: whether values are replaced by their logarithms.
        difference: the number of rows that a change spans; 0 for none.
        mean: subtracted from changes.
        std: the divisor of changes.
        season: values until the pattern repeats.
        values: the whole series that is known, in its unit.
        labels: each value's date; empty where it has none, or one that a file cannot hold.
        residuals: errors of one-step forecasts of known changes, scaled as the outputs are, by trial.
        dates: names of the columns that dated the rows, or counted them; empty without any, None in an older version's file and
            where a file cannot hold them.
    """

    name: str
    log: bool
    difference: int
    mean: float
    std: float
    season: int
    values: tuple[float, ...]
    labels: tuple[str, ...]
    residuals: tuple[tuple[float, ...], ...]
    dates: tuple[str, ...] | None = None


@dataclass(frozen=True)
class ModelFacts:
    """A model in words and numbers.

    Attributes:
        name: of the model; in a server, the name in requests.
        task: whether outputs are classes' logits (or probabilities), or values.
        inputs: one input.
        labels: one for each class; empty for regression.
        num_outputs: classes, or values.
        num_trials: networks that answer together.
        from_logits: whether outputs are logits; else probabilities.
        temperatures: divisor of each trial's logits (Guo et al., 2017); 1 where none was fitted.
        series: for a time series.
        metrics: of the test split, as in `summary.json`.
        calibration: as in `summary.json`; None where nothing was measured.
        provenance: run id, hashes of config and data, versions, time; for people.
    """

    name: str
    task: Literal["classification", "regression"]
    inputs: InputFacts
    labels: tuple[str, ...]
    num_outputs: int
    num_trials: int
    from_logits: bool
    temperatures: tuple[float, ...]
    series: SeriesFacts | None
    metrics: Mapping[str, float]
    calibration: Mapping[str, Any] | None
    provenance: Mapping[str, Any]
