"""Models and answers as plain values for JSON.

answer_values(answer, prepared)        # {"label": "7", "probability": 0.998, "probabilities": [...], ...}
model_values(facts)                    # {"name": "digits", "task": "classification", "labels": [...], ...}
"""

import base64
import io
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nnjax.serving.facts import ModelFacts
from nnjax.serving.model import Answer
from nnjax.serving.preparing import Prepared

_DIGITS = 7  # float32 has no more
_LEAST_SIDE = 112  # of a picture in a page: smaller ones are enlarged, each pixel to a square


def model_values(facts: ModelFacts) -> dict[str, Any]:
    """The facts that a client may need: all but a series' values."""
    values = asdict(facts)
    series = values.pop("series")
    if series is not None:
        values["series"] = {"name": series["name"], "last": list(series["labels"][-1:]), "known": len(series["values"])}
    return values


def answer_values(answer: Answer, prepared: Prepared | None = None) -> dict[str, Any]:
    """An answer: of classes with label and probabilities, of values with these."""
    mean, spread = (np.round(numbers.astype(np.float64), _DIGITS).tolist() for numbers in (answer.probabilities, answer.spread))
    if answer.label is None:
        made: dict[str, Any] = {"values": mean, "spread": spread}
    else:
        probability = round(float(answer.probability or 0.0), _DIGITS)
        made = {"label": answer.label, "probability": probability, "probabilities": mean, "spread": spread}
    warnings = list(answer.warnings)
    if prepared is not None:
        if prepared.empty:
            warnings.insert(0, "no figure was found in the picture")
        made["notes"] = list(prepared.notes)
    return made | {"warnings": warnings}


def explanation_values(prepared: Prepared | None, looked: NDArray[np.float32] | None) -> Mapping[str, Any]:
    """How a picture was prepared, as data URLs, and where the network looked: [h][w], the fall of the label's probability."""
    steps = () if prepared is None else prepared.steps
    return {
        "steps": [{"name": name, "image": data_url(image)} for name, image in steps],
        "looked": None if looked is None else np.round(looked.astype(np.float64), _DIGITS).tolist(),
    }


def data_url(image: NDArray[np.uint8]) -> str:
    """A PNG of an [h, w] or [h, w, 3] image as a data URL."""
    picture = Image.fromarray(image)
    picture.thumbnail((512, 512))
    side = max(picture.size)
    if side < _LEAST_SIDE:
        times = -(-_LEAST_SIDE // side)
        picture = picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
