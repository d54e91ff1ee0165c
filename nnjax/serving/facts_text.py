"""What a model's file says about it, as lines for a person.

print(facts_text(ModelFile(path).facts))
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from nnjax.serving.facts import ModelFacts

_MOST_LABELS = 20
_INDENT = 14


def facts_text(facts: ModelFacts) -> str:
    """Returns lines of a name and a value each.

    Args:
        facts: as `facts_from_json` has checked them: their texts are printable.
    """
    return "\n".join(f"{name:<{_INDENT}}{value}" for name, value in _lines(facts))


def _lines(facts: ModelFacts) -> Iterator[tuple[str, str]]:
    yield "model", facts.name
    if facts.task == "classification":
        shown = ", ".join(facts.labels[:_MOST_LABELS]) + (", …" if len(facts.labels) > _MOST_LABELS else "")
        yield "answers", f"{facts.num_outputs} classes: {shown}"
    else:
        yield "answers", f"{facts.num_outputs} {'value' if facts.num_outputs == 1 else 'values'}"
    inputs = facts.inputs
    takes = "rows of numbers" if inputs.preparation is None else f"pictures, prepared as {inputs.preparation}"
    yield "takes", f"{' × '.join(map(str, inputs.shape))} {inputs.dtype}: {takes}"
    if inputs.features:
        yield "features", ", ".join(inputs.features)
    if facts.num_trials > 1:
        yield "trials", f"{facts.num_trials}, which answer together"
    if facts.series is not None:
        yield "series", f"{facts.series.name}, {len(facts.series.values)} values"
    if facts.metrics:
        yield "test", ", ".join(f"{name} {value:.4g}" for name, value in facts.metrics.items())
    if facts.task == "classification":
        yield "temperature", ", ".join(f"{value:.4g}" for value in facts.temperatures)
    if facts.calibration is not None:
        yield "calibration", _text({name: value for name, value in facts.calibration.items() if name.startswith("ece")})
    for name, value in facts.provenance.items():
        yield name, _text(value)


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(each)}" for name, each in value.items())
    return value if isinstance(value, str) else f"{value:.4g}" if isinstance(value, float) else json.dumps(value)
