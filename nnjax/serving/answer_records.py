"""Answers as records for JSON lines and CSV, the same from a command and from a file that runs elsewhere.

    record = answer_record("photo.png", answer, facts, top=3, notes=prepared.notes)
    {"source": "photo.png", "label": "7", "probability": 0.998, "spread": 0.0, "top": […], "warnings": [], "notes": […]}
    json_line(record)
    csv_line(record, columns(facts, top=3))                    # after a line of the columns' names

An input that could not be read has `source` and `error` alone. Where a network's outputs are no finite numbers, label and
probability are None, and the list of classes is empty.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nnjax.serving.facts import ModelFacts
from nnjax.serving.model import Answer, Numbers

Record = Mapping[str, Any]


def answer_record(source: str, answer: Answer, facts: ModelFacts, *, top: int, notes: Sequence[str] = ()) -> dict[str, Any]:
    """Returns an answer as plain values.

    Args:
        source: the file's name, or the row.
        answer: of a model with these facts.
        facts: of the model.
        top: number of classes to list, the most probable first.
        notes: what was done to a picture.
    """
    record: dict[str, Any] = {"source": source}
    if facts.task == "classification" and answer.label is None:  # the outputs are no numbers: no class is the first
        record |= {"label": None, "probability": None, "spread": None, "top": []}
    elif facts.task == "classification":
        order = np.argsort(-answer.probabilities, kind="stable")[:top]
        listed = [
            {
                "label": facts.labels[place] if facts.labels else str(place),
                "probability": float(answer.probabilities[place]),
                "spread": float(answer.spread[place]),
            }
            for place in order.tolist()
        ]
        record |= {**listed[0], "top": listed}
    else:
        record |= {"values": shortest(answer.probabilities), "spread": shortest(answer.spread)}
    return record | {"warnings": list(answer.warnings), "notes": list(notes)}


def shortest(numbers: Numbers) -> list[float]:
    """Values with the fewest digits that are read back as the same: 0.1 of float32, and 1000000444.04 of float64."""
    return [float(str(number)) for number in numbers]


def value_text(value: float) -> str:
    """A value for a person: six digits, and from a million on those of a whole number too: 1000000444.04."""
    return f"{value:.15g}" if 1e6 <= abs(value) < 1e15 else f"{value:.6g}"


def json_line(record: Record) -> str:
    """A record as one line of JSON; names that are not UTF-8 are escaped, and what is not finite is null."""
    return json.dumps(plain_json(record), ensure_ascii=False, allow_nan=False).encode("utf-8", "backslashreplace").decode()


def csv_line(record: Record, names: Sequence[str]) -> str:
    """A record as a line of CSV.

    Args:
        record: as from `answer_record`, or of an error.
        names: as from `columns`.
    """
    values: dict[str, Any] = {**record, "warnings": "; ".join(_listed(record.get("warnings", ())))}
    for rank, each in enumerate(record.get("top", ()), 1):
        values |= {f"label_{rank}": each["label"], f"probability_{rank}": each["probability"]}
    if "values" in record:
        for place, (value, spread) in enumerate(zip(record["values"], record["spread"], strict=True), 1):
            values |= {f"value_{place}": repr(value), f"spread_{place}": spread}
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow([_cell(values.get(name, "")) for name in names])
    return text.getvalue()


def columns(facts: ModelFacts, top: int) -> list[str]:
    """The columns of the CSV: source, label and probability by rank or the values, spread, warnings, error."""
    if facts.task == "regression":
        numbers = range(1, facts.num_outputs + 1)
        return ["source", *(f"value_{each}" for each in numbers), *(f"spread_{each}" for each in numbers), "warnings", "error"]
    ranks = range(2, min(top, facts.num_outputs) + 1)
    more = [f"{name}_{rank}" for rank in ranks for name in ("label", "probability")]
    return ["source", "label", "probability", "spread", *more, "warnings", "error"]


def _listed(value: Any) -> Sequence[str]:
    return [value] if isinstance(value, str) else value


def _cell(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else value


def plain_json(value: Any) -> Any:
    """The value for JSON, which has no NaN and no infinity: null stands for them."""
    match value:
        case float():
            return value if np.isfinite(value) else None
        case Mapping():
            return {name: plain_json(each) for name, each in value.items()}
        case list() | tuple():
            return [plain_json(each) for each in value]
    return value
