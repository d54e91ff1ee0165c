"""Models and answers as plain values for JSON.

answer_values(answer, facts, seen)            # {"label": "7", "probability": 0.998, "probabilities": [...], ...}
model_values(facts)                    # {"name": "digits", "task": "classification", "labels": [...], ...}
"""

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnjax.serving.answer_records import shortest
from nnjax.serving.facts import ModelFacts
from nnjax.serving.model import Answer, Numbers
from nnjax.serving.server.request_inputs import Seen

_DIGITS = 7  # of a probability; float32 has no more


def model_values(facts: ModelFacts) -> dict[str, Any]:
    """The facts that a client may need: all but a series' values."""
    values = asdict(facts)
    series = values.pop("series")
    if series is not None:
        values["series"] = {"name": series["name"], "last": list(series["labels"][-1:]), "known": len(series["values"])}
        values["series"]["needed"] = facts.inputs.shape[0] + series["difference"]  # the fewest values of a request
    return values


def answer_values(answer: Answer, facts: ModelFacts, seen: Seen | None = None) -> dict[str, Any]:
    """An answer: of classes with label and probabilities, of values with these; None for each that is not finite."""
    if facts.task == "regression":
        made: dict[str, Any] = {"values": shortest(answer.probabilities), "spread": shortest(answer.spread)}
    else:
        mean, spread = (_rounded(numbers) for numbers in (answer.probabilities, answer.spread))
        probability = None if answer.probability is None else round(answer.probability, _DIGITS)
        made = {"label": answer.label, "probability": probability, "probabilities": mean, "spread": spread}
    if seen is None:
        return made | {"warnings": list(answer.warnings)}
    return made | {"warnings": [*seen.warnings, *answer.warnings], "notes": list(seen.notes)}


def explanation_values(seen: Seen | None, looked: NDArray[np.float32] | None) -> dict[str, Any]:
    """How a picture was prepared, and where the network looked: [h][w], the fall of the label's log-odds."""
    steps = () if seen is None else seen.steps
    return {
        "steps": [{"name": name, "image": image} for name, image in steps],
        "looked": None if looked is None else _rounded(looked),
    }


def _rounded(numbers: Numbers) -> Any:
    return np.round(numbers.astype(np.float64), _DIGITS).tolist()
